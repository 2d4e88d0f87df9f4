"""What a loop proposes for a document: what may be added to it, and the plan that adds it.

Whether the document or its exam holds something already is asked here, exactly or nearly, and so is
whether what was accepted a moment ago holds it. Knows no teacher, report or log.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

from dlm.data.contamination import Sealed, findings
from dlm.data.lessons import Lesson, Lessons, Role, lessons_of, origin_of
from dlm.doc.document import Document
from dlm.doc.provenance import Origin, Provenance
from dlm.doc.sections import PairRole, Section
from dlm.errors import DlmError
from dlm.loops.edits import Addition, EditPlan, NewPair, NewTriple
from dlm.text.near import asked
from dlm.text.near_index import NearIndex
from dlm.text.terms import terms
from dlm.text.words import caseless

Content = NewPair | NewTriple
"""What a section that is added may hold."""

_FROM_REPORTS: Final = frozenset({Origin.HARVESTED, Origin.PUSHED})
_NO: Final = ("", "")  # not taken
_NO_SCORES: Final[Mapping[str, float]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a report or a log gives a document: where it stood there, and how it was told.

    `confidence` (0..1) is the report's own, 1 where it states none. `own` marks what the document
    is said to hold already, and not to know well; `rewords` is the question that a pair asks in
    other words, where that is known.
    """

    content: Content
    source: str
    how: str
    confidence: float = 1.0
    scores: Mapping[str, float] = field(default_factory=lambda: _NO_SCORES, hash=False)
    own: bool = False
    rewords: str | None = None

    @property
    def prompt(self) -> str:
        return self.content.question if isinstance(self.content, NewPair) else self.content.prompt


@dataclass(frozen=True, slots=True)
class Unused:
    """What a report or a log holds and a document is not given, and why."""

    source: str
    reason: str
    prompt: str = ""


@dataclass(frozen=True, slots=True)
class Proposer:
    """The run of a loop that proposes additions: what its marker in the document says of each."""

    run: str
    origin: Origin
    by: str
    at: datetime

    def addition(
        self,
        content: Content,
        source: str | None,
        *,
        after: str | None = None,
        scores: Mapping[str, float] = _NO_SCORES,
        extra: Mapping[str, str],
    ) -> Addition:
        """A section of its own, derived from `source`, behind the section `after`.

        Raises DocumentError for text that no document can hold.
        """
        provenance = Provenance(self.origin, self.by, self.run, self.at, source, scores, extra)
        if isinstance(content, NewTriple):
            return Addition(provenance, triples=(content,), after=after)
        return Addition(provenance, pairs=(content,), after=after)

    def plan(self, document: Document, additions: Sequence[Addition], **note: Any) -> EditPlan:
        """The plan that puts the additions into the document."""
        sha256 = document.sha256
        return EditPlan(
            self.run, self.origin, self.by, self.at, sha256, tuple(additions), note=note
        )


def run_id(loop: str, document: Document, *told: object) -> str:
    """The same for the same document and what else is told, so that a rerun replaces its plan."""
    text = "\0".join([document.sha256, *(t if isinstance(t, str) else repr(t) for t in told)])
    return f"{loop}-{hashlib.sha256(text.encode('utf-8', 'replace')).hexdigest()[:10]}"


class Funnel(dict[str, int]):
    """How many candidates there were, and how many were left at each step, in order."""

    def __str__(self) -> str:
        """`generated 96 → parsed 90 → dedup 41 → … → accepted 12`."""
        return " → ".join(f"{name} {count}" for name, count in self.items())


class Questions:
    """Questions that were asked, and where; a question is looked up by what nearly repeats it."""

    def __init__(self) -> None:
        self._asked = NearIndex[tuple[str, str]]()

    @classmethod
    def of(cls, document: Document) -> Questions:
        """Every question of the document."""
        questions = cls()
        for _, pair in document.pairs():
            questions.add(pair.question, pair.answer, f"line {pair.line}")
        return questions

    def add(self, question: str, answer: str, where: str) -> None:
        self._asked.add(asked(question, answer), (question, where))

    def repeated(self, question: str, answer: str) -> str | None:
        """Where a question stands that this one nearly repeats, or None.

        Questions about another name or number ("code E4", "code E7") are others.
        """
        for known, where in self._asked.repeated_by(asked(question, answer)):
            here, there = _terms(question), _terms(known)
            if not (here - there and there - here):
                return where
        return None


class Existing:
    """The pairs and triples of a document, and those that were taken beside it; found by words.

    What differs in case and white space alone is the same. `lessons` is what the document teaches.
    """

    def __init__(self, document: Document) -> None:
        self.lessons = _lessons(document)
        exam = {item.line for item in self.lessons.exam}
        self._kept = {
            item.line: "sealed as !exam" if item.line in exam else "held out"
            for item in self.lessons.only_asked
        }
        self._sealed = Sealed(self.lessons.only_asked)
        self._held: defaultdict[tuple[str, ...], list[_Held]] = defaultdict(list)
        self._taken: dict[tuple[str, ...], tuple[str, str]] = {}  # what it answers, where
        for section in document.sections:
            for pair in section.pairs:
                held = _Held(section, pair.line, pair.role, caseless(pair.answer))
                self._held[(caseless(pair.question),)].append(held)
            for each in section.triples:
                triple = NewTriple(each.prompt, each.chosen, each.rejected)
                self._held[key_of(triple)].append(_Held(section, section.line))

    def why_not(self, content: Content, *, rewords: str | None = None) -> str | None:
        """Why a pair or triple is not to be added, or None.

        `rewords` is the question that this one asks in other words, where that is known.
        """
        held, (given, where) = (
            self._held.get(key_of(content), []),
            self._taken.get(key_of(content), _NO),
        )
        if isinstance(content, NewTriple):
            if held:
                return f"it stands in the document already, at line {held[0].line}"
            if near := self.sealed(content.prompt, content.chosen):
                return f"it nearly repeats {near}"
            return f"{where} holds it too" if where else None
        if reason := self._why_sealed(content.question, rewords):
            return reason
        answer = caseless(content.answer)
        if held:
            other = "" if any(one.answer == answer for one in held) else ", with another answer"
            return f"line {held[0].line} asks it already{other}"
        if near := self.sealed(content.question, content.answer):
            return f"it nearly repeats {near}"
        other = "" if given == answer else ", with another answer"
        return f"{where} asks it too{other}" if where else None

    def why_not_raise(self, content: Content) -> str | None:
        """Why what the document holds is not to be repeated for more weight, or None."""
        if isinstance(content, NewPair) and (reason := self._why_sealed(content.question)):
            return reason
        for one in self._held.get(key_of(content), ()):
            marked = isinstance(content, NewTriple) or "raises" in _extra(one.section)
            if marked and _from_report(one.section):
                return f"raised already at line {one.line}"
            if isinstance(content, NewPair) and one.line in self._kept:
                return f"line {one.line} is {self._kept[one.line]}"
        return None

    def take(self, content: Content, where: str) -> None:
        """Count it among what is held: it came from `where`, and is going to be added."""
        answer = content.answer if isinstance(content, NewPair) else content.chosen
        self._taken[key_of(content)] = caseless(answer), where

    def sealed(self, question: str, answer: str) -> str | None:
        """Which question that is only asked would be told by training on this one, or None."""
        found = next(self._sealed.repeated_by(Lesson(answer, question)), None)
        if found is None:
            return None
        return f"line {found.sealed_line}, which is {self._kept[found.sealed_line]}"

    def answers(self, pair: NewPair) -> bool:
        """Whether the question is answered already, and with this answer."""
        answer = caseless(pair.answer)
        trained = (one for one in self._held.get(key_of(pair), ()) if one.role is not PairRole.EXAM)
        given, where = self._taken.get(key_of(pair), _NO)
        return bool(where and answer == given) or any(one.answer == answer for one in trained)

    def holds(self, content: Content) -> str | None:
        """The id of the section that asks the question, or holds the triple, first; or None."""
        found = self._held.get(key_of(content))
        return found[0].section.section_id if found else None

    def _why_sealed(self, question: str, rewords: str | None = None) -> str | None:
        """Whether the exam asks exactly this."""
        asked = [
            one
            for text in (question, rewords or "")
            for one in self._held.get((caseless(text),), ())
        ]
        sealed = next((one for one in asked if one.role is PairRole.EXAM), None)
        return f"line {sealed.line} keeps it sealed as !exam" if sealed else None


def key_of(content: Content) -> tuple[str, ...]:
    """What a pair or triple is known by: the question of a pair, all three texts of a triple."""
    if isinstance(content, NewPair):
        return (caseless(content.question),)
    return tuple(caseless(text) for text in (content.prompt, content.chosen, content.rejected))


def seal(new: Sequence[NewPair], fraction: float, lessons: Lessons) -> frozenset[NewPair]:
    """Those of some new pairs that are to be kept as exam: those of the smallest hashes.

    One that nearly repeats what the document trains, or another new one, is never sealed: whichever
    of the two trains would tell the answer.
    """
    if fraction <= 0 or not new:
        return frozenset()
    numbered = [Lesson(pair.answer, pair.question, line=n) for n, pair in enumerate(new)]
    near = {found.sealed_line for found in findings(lessons.train, numbered)}
    for found in findings(numbered, numbered):
        if found.line != found.sealed_line:
            near |= {found.line, found.sealed_line}
    alone = [pair for number, pair in enumerate(new) if number not in near]
    wanted = max(round(fraction * len(new)), 1 if len(new) > 1 else 0)
    ranked = sorted(alone, key=lambda one: hashlib.sha256(caseless(one.question).encode()).digest())
    return frozenset(ranked[:wanted])


@dataclass(frozen=True, slots=True)
class _Held:
    """Where a pair or triple stands; of a pair, its role and answer too."""

    section: Section
    line: int
    role: PairRole = PairRole.TRAIN
    answer: str = ""


def _lessons(document: Document) -> Lessons:
    """What the document teaches; one without anything to train may still be added to."""
    try:
        return lessons_of(document)
    except DlmError:
        exam = [
            Lesson(
                pair.answer,
                pair.question,
                origin=origin_of(section),
                line=pair.line,
                section_id=section.section_id,
                role=Role.EXAM,
            )
            for section, pair in document.pairs()
            if pair.role is PairRole.EXAM
        ]
        return Lessons((), tuple(exam))


def _terms(question: str) -> frozenset[str]:
    return frozenset(term.key.lower() for term in terms(question) if term.is_key_term)


def _from_report(section: Section) -> bool:
    return section.provenance is not None and section.provenance.origin in _FROM_REPORTS


def _extra(section: Section) -> Mapping[str, str]:
    return section.provenance.extra if section.provenance else {}
