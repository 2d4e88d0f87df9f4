"""What an export is asked, and its answers beside those of the version in the store."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Protocol

from dlm.data.lessons import Lesson, lessons_of
from dlm.doc.document import Document
from dlm.engine.answer import Sampling, open_answerer
from dlm.errors import DlmError
from dlm.export.source import Source

LONGEST: Final = 128
"""Tokens an answer may have."""
_MOST_PAIRS: Final = 12


@dataclass(frozen=True, slots=True)
class Asked:
    """A question, where it stands, the prompt and the answer of the version in the store."""

    question: str
    line: int
    prompt: tuple[int, ...]
    answer: str


@dataclass(frozen=True, slots=True)
class Sheet:
    """All that is asked; `what` names it in words."""

    asked: tuple[Asked, ...]
    what: str


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer of an artefact, and the prompt that its own template made of the question."""

    prompt: tuple[int, ...]
    text: str


class Runner(Protocol):
    """An artefact, loaded by `name`, that can be asked."""

    @property
    def name(self) -> str: ...

    def ask(self, question: str) -> Reply:
        """The likeliest answer of at most `LONGEST` tokens, under the artefact's own template."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A question that an artefact answers or is asked otherwise."""

    asked: Asked
    answer: str
    other_prompt: bool

    def to_json(self) -> dict[str, Any]:
        return {
            "question": self.asked.question,
            "line": self.asked.line,
            "store": self.asked.answer,
            "export": self.answer,
            "other_prompt": self.other_prompt,
        }


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one runner found."""

    runner: str
    asked: int
    differences: tuple[Difference, ...]

    def to_json(self) -> dict[str, Any]:
        return {
            "runner": self.runner,
            "asked": self.asked,
            "same": self.asked - len(self.differences),
            "differences": [one.to_json() for one in self.differences],
        }


def ask_store(source: Source) -> Sheet:
    """Ask the version in the store, with the notes closed.

    The probes of the document are asked, or where it has none some of its pairs. Raises DlmError
    when it has neither.
    """
    lessons, what = _chosen(source.document)
    answerer = open_answerer(
        source.base,
        source.folder,
        source.adapter,
        system_prompt=source.document.frontmatter.system_prompt,
    )
    asked = []
    for lesson in lessons:
        messages = [{"role": "user", "content": lesson.question}]
        answer = answerer.answer(messages, Sampling(max_tokens=LONGEST))  # type: ignore[arg-type]
        prompt = source.codec.prompt_ids(messages)  # type: ignore[arg-type]
        asked.append(Asked(lesson.question, lesson.line, tuple(prompt), answer.text))
    return Sheet(tuple(asked), what)


def compare(runner: Runner, sheet: Sheet) -> Verdict:
    """Ask an artefact all that the version in the store was asked."""
    found = (_difference(one, runner.ask(one.question)) for one in sheet.asked)
    return Verdict(runner.name, len(sheet.asked), tuple(one for one in found if one is not None))


def _chosen(document: Document) -> tuple[tuple[Lesson, ...], str]:
    lessons = lessons_of(document)
    if lessons.probes:
        return lessons.probes, "probe" if len(lessons.probes) == 1 else "probes"
    pairs = lessons.pairs[:_MOST_PAIRS]
    if not pairs:
        raise DlmError(
            f"{document.path} has no question that an export could be checked with",
            hint="mark a pair as a probe: ### Q !probe",
        )
    which = "the only pair" if len(pairs) == 1 else f"the first {len(pairs)} pairs"
    return pairs, f"trained pairs ({which}, as no question is marked !probe)"


def _difference(asked: Asked, reply: Reply) -> Difference | None:
    other = reply.prompt != asked.prompt
    text = reply.text.strip()
    return Difference(asked, text, other) if other or text != asked.answer else None
