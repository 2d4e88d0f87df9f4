"""What an artefact answered beside what the version in the store does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from dlm.export.check.questions import Asked, Sheet


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


def compare(runner: Runner, sheet: Sheet) -> Verdict:
    """Ask an artefact all that the version in the store was asked."""
    found = (_difference(one, runner.ask(one.question)) for one in sheet.asked)
    return Verdict(runner.name, len(sheet.asked), tuple(one for one in found if one is not None))


def _difference(asked: Asked, reply: Reply) -> Difference | None:
    other = reply.prompt != asked.prompt
    text = reply.text.strip()
    return Difference(asked, text, other) if other or text != asked.answer else None
