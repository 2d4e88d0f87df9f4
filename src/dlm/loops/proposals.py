"""What a loop proposes for a document: what may be added to it, and the plan that adds it.

Whether the document or its exam holds something already is asked here, exactly or nearly, and so is
whether what was accepted a moment ago holds it. Knows no teacher, report or log.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

from dlm.data.lessons import Lesson, Lessons, Role, lessons_of, origin_of
from dlm.data.matching import Sealed, findings
from dlm.doc.document import Document
from dlm.doc.provenance import Origin, Provenance
from dlm.doc.sections import PairRole, Section
from dlm.errors import DlmError
from dlm.loops.edits import Addition, EditPlan, NewPair, NewTriple
from dlm.text.near import Asked, asked, repeats
from dlm.text.terms import terms
from dlm.text.words import caseless

_FROM_REPORTS: Final = frozenset({Origin.HARVESTED, Origin.PUSHED})
_NO_SCORES: Final[Mapping[str, float]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Proposer:
    """The run of a loop that proposes additions: what its marker in the document says of each."""

    run: str
    origin: Origin
    by: str
    at: datetime

    def pair(
        self,
        pair: NewPair,
        source: str | None,
        *,
        after: str | None = None,
        scores: Mapping[str, float] = _NO_SCORES,
        extra: Mapping[str, str],
    ) -> Addition:
        """An instruction section, derived from `source`, behind the section `after`.

        Raises DocumentError for text that no document can hold.
        """
        return Addition(self._provenance(source, scores, extra), pairs=(pair,), after=after)

    def triple(
        self,
        triple: NewTriple,
        source: str | None,
        *,
        after: str | None = None,
        scores: Mapping[str, float] = _NO_SCORES,
        extra: Mapping[str, str],
    ) -> Addition:
        """A preference section; otherwise as `pair`."""
        return Addition(self._provenance(source, scores, extra), triples=(triple,), after=after)

    def plan(self, document: Document, additions: Sequence[Addition], **note: Any) -> EditPlan:
        """The plan that puts the additions into the document."""
        sha256 = document.sha256
        return EditPlan(
            self.run, self.origin, self.by, self.at, sha256, tuple(additions), note=note
        )

    def _provenance(
        self, source: str | None, scores: Mapping[str, float], extra: Mapping[str, str]
    ) -> Provenance:
        return Provenance(self.origin, self.by, self.run, self.at, source, scores, extra)


def run_id(loop: str, document: Document, *told: object) -> str:
    """The same for the same document and what else is told, so that a rerun replaces its plan."""
    text = "\0".join([document.sha256, *(t if isinstance(t, str) else repr(t) for t in told)])
    return f"{loop}-{hashlib.sha256(text.encode('utf-8', 'replace')).hexdigest()[:10]}"


class Questions:
    """Questions that were asked, and where; a question is looked up by what nearly repeats it."""

    def __init__(self) -> None:
        self._asked: list[tuple[Asked, frozenset[str], str]] = []

    @classmethod
    def of(cls, document: Document) -> Questions:
        """Every question of the document."""
        questions = cls()
        for _, pair in document.pairs():
            questions.add(pair.question, pair.answer, f"line {pair.line}")
        return questions

    def add(self, question: str, answer: str, where: str) -> None:
        self._asked.append((asked(question, answer), _terms(question), where))

    def repeated(self, question: str, answer: str) -> str | None:
        """Where a question stands that this one nearly repeats, or None.

        Questions about another name or number ("code E4", "code E7") are others.
        """
        new, terms = asked(question, answer), _terms(question)
        for known, known_terms, where in self._asked:
            other = terms - known_terms and known_terms - terms
            if repeats(new, known) and not other:
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
        self._pairs: defaultdict[str, list[_StandingPair]] = defaultdict(list)
        self._triples: defaultdict[tuple[str, ...], list[Section]] = defaultdict(list)
        self._taken: dict[str, tuple[str, str]] = {}  # question: answer, where
        self._taken_triples: dict[tuple[str, ...], str] = {}
        for section in document.sections:
            for pair in section.pairs:
                standing = _StandingPair(section, pair.line, pair.role, caseless(pair.answer))
                self._pairs[caseless(pair.question)].append(standing)
            for triple in section.triples:
                self._triples[_key(triple.prompt, triple.chosen, triple.rejected)].append(section)

    def why_not(self, pair: NewPair, *, rewords: str | None = None) -> str | None:
        """Why a pair is not to be added, or None.

        `rewords` is the question that this one asks in other words, where that is known.
        """
        question, answer = caseless(pair.question), caseless(pair.answer)
        standing = self._pairs.get(question, [])
        if reason := self._why_sealed(question, rewords):
            return reason
        if standing:
            other = "" if any(s.answer == answer for s in standing) else ", with another answer"
            return f"line {standing[0].line} asks it already{other}"
        if where := self.sealed(pair.question, pair.answer):
            return f"it nearly repeats {where}"
        if question in self._taken:
            given, where = self._taken[question]
            return f"{where} asks it too{'' if given == answer else ', with another answer'}"
        return None

    def why_not_raise(self, question: str) -> str | None:
        """Why a pair that the document asks is not to be repeated for more weight, or None."""
        if reason := self._why_sealed(caseless(question)):
            return reason
        for standing in self._pairs.get(caseless(question), ()):
            if _from_report(standing.section) and "raises" in _extra(standing.section):
                return f"raised already at line {standing.line}"
            if standing.line in self._kept:
                return f"line {standing.line} is {self._kept[standing.line]}"
        return None

    def why_not_triple(self, triple: NewTriple) -> str | None:
        """Why a triple is not to be added, or None."""
        key = _key(triple.prompt, triple.chosen, triple.rejected)
        if found := self._triples.get(key):
            return f"it stands in the document already, at line {found[0].line}"
        if where := self.sealed(triple.prompt, triple.chosen):
            return f"it nearly repeats {where}"
        return f"{self._taken_triples[key]} holds it too" if key in self._taken_triples else None

    def why_not_raise_triple(self, triple: NewTriple) -> str | None:
        """Why a triple is not to be added, were it once more, or None."""
        found = self._triples.get(_key(triple.prompt, triple.chosen, triple.rejected))
        if not found:
            return self.why_not_triple(triple)
        raised = next((section for section in found if _from_report(section)), None)
        return f"raised already at line {raised.line}" if raised else None

    def take(self, pair: NewPair, where: str) -> None:
        """Count a pair among what is held: it came from `where`, and is going to be added."""
        self._taken[caseless(pair.question)] = caseless(pair.answer), where

    def take_triple(self, triple: NewTriple, where: str) -> None:
        """Count a triple among what is held."""
        self._taken_triples[_key(triple.prompt, triple.chosen, triple.rejected)] = where

    def sealed(self, question: str, answer: str) -> str | None:
        """Which question that is only asked would be told by training on this one, or None."""
        found = next(self._sealed.repeated_by(_lesson(NewPair(question, answer))), None)
        if found is None:
            return None
        return f"line {found.sealed_line}, which is {self._kept[found.sealed_line]}"

    def answers(self, pair: NewPair) -> bool:
        """Whether the question is answered already, and with this answer."""
        question, answer = caseless(pair.question), caseless(pair.answer)
        standing = self._pairs.get(question, ())
        if any(s.role is not PairRole.EXAM and s.answer == answer for s in standing):
            return True
        return question in self._taken and self._taken[question][0] == answer

    def asks(self, question: str) -> str | None:
        """The id of the section that asks a question first; None when none does."""
        found = self._pairs.get(caseless(question))
        return found[0].section.section_id if found else None

    def holds(self, triple: NewTriple) -> str | None:
        """The id of the section that holds a triple first; None when none does."""
        found = self._triples.get(_key(triple.prompt, triple.chosen, triple.rejected))
        return found[0].section_id if found else None

    def _why_sealed(self, question: str, rewords: str | None = None) -> str | None:
        """Whether the exam asks exactly this; both questions as `caseless` gives them."""
        sources = [*self._pairs.get(question, ()), *self._pairs.get(caseless(rewords or ""), ())]
        sealed = next((s for s in sources if s.role is PairRole.EXAM), None)
        return f"line {sealed.line} keeps it sealed as !exam" if sealed else None


def seal(new: Sequence[NewPair], fraction: float, lessons: Lessons) -> frozenset[NewPair]:
    """Those of some new pairs that are to be kept as exam: those of the smallest hashes.

    One that nearly repeats what the document trains, or another new one, is never sealed: whichever
    of the two trains would tell the answer.
    """
    if fraction <= 0 or not new:
        return frozenset()
    numbered = [replace(_lesson(pair), line=number) for number, pair in enumerate(new)]
    near = {found.sealed_line for found in findings(lessons.train, numbered)}
    for found in findings(numbered, numbered):
        if found.line != found.sealed_line:
            near |= {found.line, found.sealed_line}
    alone = [pair for number, pair in enumerate(new) if number not in near]
    wanted = max(round(fraction * len(new)), 1 if len(new) > 1 else 0)
    ranked = sorted(alone, key=lambda one: hashlib.sha256(caseless(one.question).encode()).digest())
    return frozenset(ranked[:wanted])


@dataclass(frozen=True, slots=True)
class _StandingPair:
    """A pair where it stands."""

    section: Section
    line: int
    role: PairRole
    answer: str


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


def _lesson(pair: NewPair) -> Lesson:
    """A pair that is in no document yet, as one that trains."""
    return Lesson(pair.answer, pair.question)


def _key(*texts: str) -> tuple[str, ...]:
    return tuple(caseless(text) for text in texts)


def _terms(question: str) -> frozenset[str]:
    return frozenset(term.key.lower() for term in terms(question) if term.is_key_term)


def _from_report(section: Section) -> bool:
    return section.provenance is not None and section.provenance.origin in _FROM_REPORTS


def _extra(section: Section) -> Mapping[str, str]:
    return section.provenance.extra if section.provenance else {}
