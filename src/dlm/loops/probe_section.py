"""A probe as it stands in a document: the one shape for what is harvested and what is pushed.

Also says what keeps a probe out: that the document asks it already, or only asks it as an exam.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from dlm.data.contamination import findings
from dlm.data.examples import Example, teaching
from dlm.doc.bodies import PairRole
from dlm.doc.document import Document
from dlm.doc.provenance import Provenance
from dlm.doc.render import escape_body, normalise, render_pair
from dlm.doc.sections import SectionType
from dlm.errors import DlmError
from dlm.loops.edits import Addition

_LONGEST_SUMMARY: Final = 80


@dataclass(frozen=True, slots=True)
class Known:
    """The document asks this already, with the same answer."""

    line: int


@dataclass(frozen=True, slots=True)
class Clash:
    """The probe cannot stand beside what the document holds, and why."""

    reason: str


def probe_addition(
    prompt: str, reference: str, provenance: Provenance, role: PairRole = PairRole.PROBE
) -> Addition:
    """The section of one probe; raises DocumentError for text that no document can hold."""
    words = " ".join(prompt.split())
    summary = words if len(words) <= _LONGEST_SUMMARY else f"{words[: _LONGEST_SUMMARY - 1]}…"
    body = render_pair(prompt, reference, role)
    answer = body.index("\n") + len(escape_body(normalise(prompt))) + 2
    spaced = f"{body[:answer]}\n{body[answer:]}"  # a blank line between the two, as people write
    return Addition.of(SectionType.INSTRUCTION, spaced, provenance, summary=summary)


class Questions:
    """What a document asks, and what was added to that since."""

    def __init__(self, document: Document) -> None:
        self._trained: dict[str, tuple[int, set[str]]] = {}
        self._sealed, self._held_out = _only_asked(document)
        for _, pair in document.pairs():
            if pair.role is not PairRole.EXAM:
                self._remember(pair.question, pair.answer, pair.line)

    def against(self, prompt: str, reference: str) -> Known | Clash | None:
        """What the document asks already of a probe; None when it asks nothing of it."""
        line, answers = self._trained.get(_words(prompt), (0, set[str]()))
        if _words(reference) in answers:
            return Known(line)
        if answers:
            where = f"line {line}" if line else "a probe before it"
            return Clash(f"{where} gives this question another answer")
        return None

    def sealed(self, probes: Sequence[tuple[str, str]]) -> dict[int, Clash]:
        """Which of the probes, by place, nearly repeat a question that is only asked."""
        asked = [_example(*probe, line=place) for place, probe in enumerate(probes)]
        exam = {example.line for example in self._sealed}
        clashes: dict[int, Clash] = {}
        for one in findings(asked, [*self._sealed, *self._held_out]):
            kept = "sealed as !exam" if one.sealed_line in exam else "held out"
            reason = f"it nearly repeats line {one.sealed_line}, which is {kept}"
            clashes.setdefault(one.line, Clash(reason))
        return clashes

    def add(self, prompt: str, reference: str) -> None:
        """Count a probe as asked from now on."""
        self._remember(prompt, reference, 0)

    def _remember(self, question: str, answer: str, line: int) -> None:
        self._trained.setdefault(_words(question), (line, set()))[1].add(_words(answer))


def _only_asked(document: Document) -> tuple[tuple[Example, ...], tuple[Example, ...]]:
    """The exam and the held-out pairs of a document, which may have nothing to train yet."""
    try:
        lessons = teaching(document)
    except DlmError:
        exam = [p for _, p in document.pairs() if p.role is PairRole.EXAM]
        return tuple(_example(p.question, p.answer, p.line) for p in exam), ()
    return lessons.exam, lessons.held_out


def _words(text: str) -> str:
    """A text as items are told apart by: white space at line ends does not count."""
    return "\n".join(line.rstrip() for line in normalise(text).strip().split("\n"))


def _example(question: str, answer: str, line: int) -> Example:
    return Example("", "", line, 1.0, answer, question)
