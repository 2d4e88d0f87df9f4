"""Answers, and what a scorecard is made of: one item for each question and each text.

How near an answer is to its reference is told by exact match, containment and token F1 after
normalisation as in SQuAD (Rajpurkar et al., 2016): lower case, no punctuation, no articles, single
spaces. How answers are obtained is known to `measure`, what they add up to, to `scorecard`.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Self

from dlm.text.near import repetition
from dlm.text.terms import NEGATIONS
from dlm.text.words import caseless, meaningful, normalise

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
class Loss:
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
class Answer:
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

    @classmethod
    def of(
        cls, text: str, reference: str, question: str, *, finished: bool, base_nll: float
    ) -> Self:
        """Compare an answer to a question with its reference."""
        text = text.strip()
        near = score_answer(text, reference, question)
        again = repetition(text)
        return cls(text, near.exact, near.contains, near.f1, finished, again, base_nll)

    @property
    def right(self) -> bool:
        """See `AnswerScore.right`."""
        return AnswerScore(self.exact, self.contains, self.f1).right


@dataclass(frozen=True, slots=True)
class Opened:
    """An answer with the notes open, the line where it stands, and whether it was declined."""

    text: str
    line: int | None
    declined: bool
    right: bool


@dataclass(frozen=True, slots=True)
class Item:
    """One question, or one text (`question` is empty), and the lesson that it asks or is.

    `base_said` is what the base answers, `opened` what is answered with the notes open.
    """

    kind: Kind
    question: str
    reference: str
    fit: Loss
    section_id: str = ""
    line: int = 0
    probe: bool = False
    said: Answer | None = None
    base_said: Answer | None = None
    lesson_id: str = ""
    opened: Opened | None = None

    @property
    def lesson(self) -> str:
        """The id of the lesson; a scorecard of an earlier release says only where that stood."""
        return self.lesson_id or f"{self.section_id}:{self.line}"

    def to_json(self) -> dict[str, Any]:
        """Plain JSON, with `right` beside what is kept."""
        return asdict(self) | {"right": self.said.right if self.said else None}


def opening(text: str) -> str:
    """The first words of a text: enough to know it by."""
    return " ".join(text.split()[:12])


@dataclass(frozen=True, slots=True)
class AnswerScore:
    """`exact` and `contains` after normalisation; `f1` is token F1 in 0..1.

    An answer contains its reference word for word, or in all words that the question lacks.
    """

    exact: bool
    contains: bool
    f1: float

    @property
    def right(self) -> bool:
        """It equals the reference, tells what it tells, or shares most of its words."""
        return self.exact or self.contains or self.f1 >= _ENOUGH_F1


def score_answer(answer: str, reference: str, question: str) -> AnswerScore:
    """Compare an answer to a question with its reference."""
    given, wanted = normalise(answer), normalise(reference)
    whole = bool(wanted) and f" {wanted} " in f" {given} "
    return AnswerScore(
        exact=given == wanted,
        contains=whole or _tells(answer, reference, question),
        f1=token_f1(given.split(), wanted.split()),
    )


def has_key(answer: str, keys: list[str]) -> bool:
    """Whether any of the key phrases stands in the answer, ignoring case and spacing."""
    text = caseless(answer)
    return any(caseless(key) in text for key in keys)


def token_f1(given: list[str], wanted: list[str]) -> float:
    """Harmonic mean of token precision and recall; 0 when nothing is shared."""
    if not given or not wanted:
        return float(given == wanted)
    common = sum((Counter(given) & Counter(wanted)).values())
    return 2 * common / (len(given) + len(wanted))


def _tells(answer: str, reference: str, question: str) -> bool:
    """Whether all that the reference says and the question does not stands in the answer.

    Function words do not count; a negation must stand in both or in neither.
    """
    said, wanted = _meaning(answer), _meaning(reference)
    news = wanted - _meaning(question)
    return bool(news) and news <= said and (said & NEGATIONS) == (wanted & NEGATIONS)


def _meaning(text: str) -> frozenset[str]:
    """The words that carry meaning, in lower case; a number with its point is one."""
    return frozenset(word.lower() for word in meaningful(unicodedata.normalize("NFKC", text)))
