"""What a document asks already, so that no machine adds it again or breaks the seal of its exam."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from dlm.data.contamination import findings
from dlm.data.examples import AUTHORED, Example, Teaching, teaching
from dlm.doc.document import Document
from dlm.doc.provenance import Origin
from dlm.doc.sections import Pair, PairRole, Section
from dlm.errors import DlmError
from dlm.loops.reports.values import Preferred, Recovered

_FROM_REPORTS: Final = frozenset({Origin.HARVESTED, Origin.PUSHED})


@dataclass(frozen=True, slots=True)
class _Standing:
    section: Section
    pair: Pair


class AskedAlready:
    """The questions and triples of one document, found by their words.

    `pairs` are all that will be asked about: what is near to the exam is looked for once.
    """

    def __init__(self, document: Document, pairs: Sequence[Recovered] = ()) -> None:
        self.teaching = _teaching(document)
        self._near = _near(pairs, self.teaching)
        self._pairs: defaultdict[str, list[_Standing]] = defaultdict(list)
        self._triples: defaultdict[tuple[str, ...], list[Section]] = defaultdict(list)
        for section in document.sections:
            for pair in section.pairs:
                self._pairs[normal(pair.question)].append(_Standing(section, pair))
            for each in section.triples:
                key = (normal(each.prompt), normal(each.chosen), normal(each.rejected))
                self._triples[key].append(section)

    def why_not(self, one: Recovered) -> str | None:
        """Why a pair is not to be added, or raised where it is the document's own; else None."""
        standing = self._pairs.get(normal(one.prompt), [])
        sources = [*standing, *self._pairs.get(normal(one.rewords or ""), [])]
        sealed = next((s.pair for s in sources if s.pair.role is PairRole.EXAM), None)
        if sealed is not None:
            return f"line {sealed.line} keeps it sealed as !exam"
        if standing and one.own:
            raised = next((s for s in standing if _is_repeat(s.section)), None)
            if raised:
                return f"raised already at line {raised.pair.line}"
            held = {example.line for example in self.teaching.held_out}
            kept = next((s.pair for s in standing if s.pair.line in held), None)
            return f"line {kept.line} is held out" if kept else None
        if standing:
            pair = standing[0].pair
            same = any(normal(s.pair.answer) == normal(one.reference) for s in standing)
            other = "" if same else ", with another answer"
            return f"line {pair.line} asks it already{other}"
        return self._near.get(normal(one.prompt))

    def gives(self, one: Recovered) -> bool:
        """Whether the document answers the question already, and as the reference does."""
        standing = self._pairs.get(normal(one.prompt), [])
        return any(
            s.pair.role is not PairRole.EXAM and normal(s.pair.answer) == normal(one.reference)
            for s in standing
        )

    def why_not_triple(self, one: Preferred) -> str | None:
        """Why a triple is not to be added or raised; None when it is."""
        key = (normal(one.prompt), normal(one.chosen), normal(one.rejected))
        raised = next((s for s in self._triples.get(key, ()) if _from_report(s)), None)
        return f"raised already at line {raised.line}" if raised else None

    def section_of(self, prompt: str) -> str:
        """The id of the section that asks a question first."""
        return self._pairs[normal(prompt)][0].section.section_id

    def section_of_triple(self, one: Preferred) -> str | None:
        """The id of the section that holds a triple first; None when none does."""
        key = (normal(one.prompt), normal(one.chosen), normal(one.rejected))
        found = self._triples.get(key)
        return found[0].section_id if found else None


def normal(text: str) -> str:
    """A text by which two that differ in case and white space alone are the same."""
    return " ".join(text.casefold().split())


def example(one: Recovered) -> Example:
    """A pair that is not in a document yet, as one that trains."""
    return Example("", AUTHORED, 0, 1.0, one.reference, one.prompt, PairRole.PROBE)


def _teaching(document: Document) -> Teaching:
    """What the document teaches; a document without anything to train may still be harvested to."""
    try:
        return teaching(document)
    except DlmError:
        exam = [
            Example(s.section_id, AUTHORED, p.line, 1.0, p.answer, p.question, p.role)
            for s, p in document.pairs()
            if p.role is PairRole.EXAM
        ]
        return Teaching((), tuple(exam))


def _near(pairs: Sequence[Recovered], lessons: Teaching) -> dict[str, str]:
    """By question: why a pair would tell what the document only asks."""
    numbered = [replace(example(one), line=number) for number, one in enumerate(pairs)]
    exam = {item.line for item in lessons.exam}
    reasons: dict[str, str] = {}
    for found in findings(numbered, [*lessons.exam, *lessons.held_out]):
        kept = "sealed as !exam" if found.sealed_line in exam else "held out"
        reason = f"it nearly repeats line {found.sealed_line}, which is {kept}"
        reasons.setdefault(normal(pairs[found.line].prompt), reason)
    return reasons


def _is_repeat(section: Section) -> bool:
    return _from_report(section) and "raises" in (
        section.provenance.extra if section.provenance else {}
    )


def _from_report(section: Section) -> bool:
    return section.provenance is not None and section.provenance.origin in _FROM_REPORTS
