"""What a scorecard is made of: one item for each question and each text, with what came of it.

Plain values. How they are obtained is known to `measure`, what they add up to, to `scorecard`.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

_ENOUGH_F1 = 0.8
_SURE = 0.15  # nats a token: what the automatic budget takes for a learned answer


class Kind(StrEnum):
    """Where a question or text comes from. Only TRAINED and PROSE were trained on as they stand."""

    TRAINED = "trained"
    HELD_OUT = "held_out"
    EXAM = "exam"
    REWORDED = "reworded"
    GENERAL = "general"
    PROSE = "prose"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class Fit:
    """How well the reference, or the text itself, is predicted: nats per token, with the adapter
    and without. `exact`: greedy decoding with the adapter gives it token for token.
    """

    nll: float
    base_nll: float
    tokens: int
    exact: bool

    @property
    def gain(self) -> float:
        """Which share of the base's loss the adapter takes away; below 0 when it adds some."""
        return 1 - self.nll / self.base_nll if self.base_nll > 0 else 0.0

    @property
    def known(self) -> float:
        """How much of it is known, 0..1: all where it is predicted surely, else the gain."""
        return 1.0 if self.nll <= _SURE else max(0.0, self.gain)


@dataclass(frozen=True, slots=True)
class Said:
    """A greedy answer: how near it is to the reference, and whether it is fit to be read.

    `finished`: it ended before the bound. `repetition`: share of word trigrams that stood in it
    before. `base_nll`: nats per token under the base, after the same question.
    """

    text: str
    exact: bool
    contains: bool
    f1: float
    finished: bool
    repetition: float
    base_nll: float

    @property
    def right(self) -> bool:
        """It equals the reference, tells what it tells, or shares most of its words."""
        return self.exact or self.contains or self.f1 >= _ENOUGH_F1


@dataclass(frozen=True, slots=True)
class Item:
    """One question, or one text (`question` is empty), and the lesson that it asks or is.

    `base_said` is what the base answers.
    """

    kind: Kind
    question: str
    reference: str
    fit: Fit
    section_id: str = ""
    line: int = 0
    probe: bool = False
    said: Said | None = None
    base_said: Said | None = None
    lesson_id: str = ""

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {"right": self.said.right if self.said else None}


def opening(text: str) -> str:
    """The first words of a text: enough to know it by."""
    return " ".join(text.split()[:12])
