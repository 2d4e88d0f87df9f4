"""The exam by which teachers are chosen: questions that never train, and what an answer is worth.

Each answer scores 0.4 for being right, 0.3 for being coherent and 0.3 times how much of its
reference is known, so that two models are compared question by question. See `docs/improve.md`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

from dlm.data.lessons import Lessons
from dlm.eval.figures import Figure, mean, share
from dlm.eval.items import Item, Kind
from dlm.eval.questions import Question
from dlm.eval.scorecard import ACCURACY, COHERENCE, KNOWLEDGE, coherent
from dlm.store.records import from_json


@dataclass(frozen=True, slots=True)
class Answer:
    """One answered exam question. `nll` is the loss of the reference in nats a token, `known` the
    share of the base's loss that is gone, both None of a model that gives words only; `f1` is the
    token F1 of what it said.
    """

    question: str
    reference: str
    line: int
    said: str
    right: bool
    coherent: bool
    nll: float | None
    known: float | None
    f1: float

    @property
    def score(self) -> float:
        """What the answer is worth, 0..1."""
        known = self.f1 if self.known is None else self.known
        return ACCURACY * self.right + COHERENCE * self.coherent + KNOWLEDGE * known

    @property
    def spoken_score(self) -> float:
        """The same from the words alone, with F1 for what is known."""
        return ACCURACY * self.right + COHERENCE * self.coherent + KNOWLEDGE * self.f1


@dataclass(frozen=True, slots=True)
class Paper:
    """The answers of one model to one exam, in the order of the exam."""

    answers: tuple[Answer, ...]

    @property
    def overall(self) -> Figure:
        return mean([answer.score for answer in self.answers])

    @property
    def spoken(self) -> Figure:
        """The overall of what was said alone, to compare with models that have no logits."""
        return mean([answer.spoken_score for answer in self.answers])

    @property
    def accuracy(self) -> Figure:
        return share([answer.right for answer in self.answers])

    @property
    def coherence(self) -> Figure:
        return share([answer.coherent for answer in self.answers])

    @property
    def knowledge(self) -> Figure:
        known = [answer.known for answer in self.answers if answer.known is not None]
        return mean(known, why_none="it gives words only")

    def figures_json(self) -> dict[str, Any]:
        names = ("overall", "accuracy", "coherence", "knowledge", "spoken")
        return {name: getattr(self, name).to_json() for name in names}

    def to_json(self) -> dict[str, Any]:
        return {**self.figures_json(), "answers": [asdict(answer) for answer in self.answers]}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """The inverse of `to_json`; raises ValueError on anything else."""
        return from_json(cls, data)


def exam_questions(lessons: Lessons, most: int) -> tuple[Question, ...]:
    """The sealed and the held-out pairs, those with the smallest hash where there are more."""
    sealed = [Question(Kind.EXAM, pair.question, pair) for pair in lessons.exam]
    held_out = [Question(Kind.HELD_OUT, pair.question, pair) for pair in lessons.held_out]
    found = [*sealed, *held_out]
    chosen = {id(one) for one in sorted(found, key=_hash)[:most]}
    return tuple(one for one in found if id(one) in chosen)


def paper(items: Sequence[Item], *, words_only: bool = False) -> Paper:
    """What the answers to the exam are worth; every item must have been asked.

    With `words_only` the losses are not those of the one who answered.
    """
    return Paper(tuple(_answer(item, words_only) for item in items))


def _answer(item: Item, words_only: bool) -> Answer:
    said = item.said
    assert said is not None
    return Answer(
        question=item.question,
        reference=item.reference,
        line=item.line,
        said=said.text,
        right=said.right,
        coherent=coherent(item),
        nll=None if words_only else item.fit.nll,
        known=None if words_only else item.fit.known,
        f1=said.f1,
    )


def _hash(question: Question) -> str:
    return hashlib.sha256(question.text.encode("utf-8", "surrogatepass")).hexdigest()
