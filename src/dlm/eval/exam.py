"""The exam by which teachers are chosen: questions that never train, and what an answer is worth.

Each answer scores 0.4 for being right, 0.3 for being coherent and 0.3 times how much of its
reference is known, so that two models are compared question by question. See `docs/improve.md`.

They are compared by the paired randomisation test of Fisher (1935, "The Design of Experiments",
§21) and Pitman (1937) on the score of each question: were the two models equal, each sign would be
as likely as the other. It is exact for up to 16 differences that are not 0 and drawn 100,000 times
with a fixed seed beyond. The exact test of McNemar (1947) on right and wrong stands beside it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, Self

from dlm.eval.answers import Item
from dlm.eval.figures import Figure, binomial_tail, mean, share
from dlm.eval.scorecard import ACCURACY, COHERENCE, KNOWLEDGE, coherent
from dlm.store.records import from_json, to_json

CHANCE: Final = 0.05
"""A result that chance gives as often as this, one-sided, does not count."""

FEWEST: Final = 5
"""Differences of one sign below this number can never exclude chance: 1/2^4 is above 0.05."""

_SAME: Final = 1e-9  # scores and losses that differ by less are equal
_EXACT: Final = 16
_DRAWS: Final = 100_000


@dataclass(frozen=True, slots=True)
class ExamAnswer:
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
class ExamResult:
    """The answers of one model to one exam, in the order of the exam."""

    answers: tuple[ExamAnswer, ...]

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


@dataclass(frozen=True, slots=True)
class Contest:
    """Two results of one exam compared: `difference` of the overall, `loss` in nats a token.

    `better` and `worse` count the questions whose score differs. Each p is one-sided: how often
    chance would give as much, `p` for the scores, `p_harm` for a loss that rises, `p_right` for
    wrong answers that become right and `p_wrong` for the reverse.
    """

    difference: Figure
    better: int
    worse: int
    p: float
    loss: Figure
    p_harm: float
    gained: tuple[str, ...]
    lost: tuple[str, ...]
    p_right: float
    p_wrong: float

    @property
    def decidable(self) -> bool:
        """Whether enough questions differ for any result to exclude chance."""
        return self.better + self.worse >= FEWEST

    @property
    def beyond_chance(self) -> bool:
        return self.p < CHANCE

    def to_json(self) -> dict[str, Any]:
        """Plain JSON, with `decidable` beside the fields."""
        return {**to_json(self), "decidable": self.decidable}


def exam_result(items: Sequence[Item], *, words_only: bool = False) -> ExamResult:
    """What the answers to the exam are worth; every item must have been asked.

    With `words_only` the losses are not those of the one who answered.
    """
    return ExamResult(tuple(_answer(item, words_only) for item in items))


def contest(champion: ExamResult, challenger: ExamResult) -> Contest:
    """Compare two results of the same questions in the same order."""
    both = list(zip(champion.answers, challenger.answers, strict=True))
    if any(old.question != new.question for old, new in both):
        raise ValueError("these are results of two exams")
    scores = [new.score - old.score for old, new in both]
    losses = [(new.nll or 0.0) - (old.nll or 0.0) for old, new in both]
    gained = tuple(new.question for old, new in both if new.right and not old.right)
    lost = tuple(new.question for old, new in both if old.right and not new.right)
    return Contest(
        difference=mean(scores),
        better=sum(score > _SAME for score in scores),
        worse=sum(score < -_SAME for score in scores),
        p=randomisation(scores),
        loss=mean(losses),
        p_harm=randomisation(losses),
        gained=gained,
        lost=lost,
        p_right=binomial_tail(len(gained), len(gained) + len(lost)),
        p_wrong=binomial_tail(len(lost), len(gained) + len(lost)),
    )


def randomisation(differences: Sequence[float]) -> float:
    """How often random signs give a sum at least as large; 1 where nothing differs."""
    import numpy as np

    # The sizes are rounded so that sums that are equal on paper are equal here.
    values = np.round([one for one in differences if abs(one) > _SAME], 9)
    if not len(values):
        return 1.0
    seen = values.sum() - 1e-7
    if len(values) <= _EXACT:
        numbers = np.arange(2 ** len(values))[:, None]
        signs = 1 - 2 * ((numbers >> np.arange(len(values))) & 1)
        return float((signs @ np.abs(values) >= seen).mean())
    rng = np.random.default_rng(0)
    hits = done = 0
    while done < _DRAWS:
        signs = rng.integers(0, 2, (10_000, len(values)), dtype=np.int8) * 2 - 1
        hits += int((signs @ np.abs(values) >= seen).sum())
        done += len(signs)
    return (hits + 1) / (done + 1)


def _answer(item: Item, words_only: bool) -> ExamAnswer:
    said = item.said
    assert said is not None
    return ExamAnswer(
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
