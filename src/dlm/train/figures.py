"""What is known after an epoch, and how a model stands towards triples, as values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from dlm.data.preferences import Balance
from dlm.engine.model import Score


@dataclass(frozen=True, slots=True)
class EpochFigures:
    """What is known after an epoch: the scores of the pairs to learn, in document order.

    Not measured after every one: the drift, and how many of `guarded` answers that were known
    before are `lost`. `remembered` is what is left of the text to forget: 1 when it is known as
    well as before, 0 when it is as likely as under the base. `held_out_nll` is the mean loss of
    the answers that are only measured.
    """

    epoch: int
    scores: tuple[Score, ...]
    drift: float | None = None
    lost: int | None = None
    guarded: int = 0
    remembered: float | None = None
    held_out_nll: float | None = None

    @property
    def learned(self) -> int:
        """Answers that greedy decoding gives word for word."""
        return sum(score.exact for score in self.scores)

    @property
    def answer_nll(self) -> float | None:
        """Mean loss over the answers, in nats per token."""
        if not self.scores:
            return None
        return sum(score.nll for score in self.scores) / len(self.scores)

    def named(self) -> dict[str, Any]:
        """The figures by the names under which they are kept."""
        return {
            "learned": self.learned,
            "pairs": len(self.scores),
            "answer_nll": self.answer_nll,
            "held_out_nll": self.held_out_nll,
            "drift": self.drift,
            "lost": self.lost,
            "remembered": self.remembered,
        }


@dataclass(frozen=True, slots=True)
class PairScore:
    """Both answers of a triple: summed log-probabilities in nats, and tokens."""

    chosen: float
    rejected: float
    chosen_tokens: int
    rejected_tokens: int

    @property
    def margin(self) -> float:
        """Mean log-probability a token, chosen minus rejected: above 0, the chosen is preferred."""
        return self.chosen / self.chosen_tokens - self.rejected / self.rejected_tokens

    def gain(self, reference: tuple[float, float]) -> float:
        """By how many nats the chosen answer gained on the rejected one since the reference."""
        return (self.chosen - reference[0]) - (self.rejected - reference[1])


@dataclass(frozen=True, slots=True)
class Standing:
    """Of `n` triples: how many are preferred as the document wants, by what mean margin.

    `chosen_nll` and `rejected_nll` are mean losses in nats a token, each triple counting alike;
    `tokens` is the mean length of the model's own answers to a sample of the prompts.
    """

    n: int
    preferred: int
    margin: float
    chosen_nll: float
    rejected_nll: float
    tokens: float | None = None

    def to_json(self) -> dict[str, Any]:
        return {
            "n": self.n,
            "preferred": self.preferred,
            "margin": self.margin,
            "chosen_nll": self.chosen_nll,
            "rejected_nll": self.rejected_nll,
            "answer_tokens": self.tokens,
        }


@dataclass(frozen=True, slots=True)
class PairEpoch:
    """The state after an epoch. `gained` triples moved the right way since before the phase.

    Not measured after every one: the drift, and how many of `guarded` answers of the document that
    were known before are `lost`.
    """

    epoch: int
    n: int
    preferred: int
    gained: int
    margin: float
    chosen_nll: float
    drift: float | None = None
    guarded: int = 0
    lost: int | None = None

    def named(self) -> dict[str, Any]:
        """The figures by the names under which they are kept."""
        return {
            "triples": self.n,
            "preferred": self.preferred,
            "gained": self.gained,
            "margin": self.margin,
            "chosen_nll": self.chosen_nll,
            "drift": self.drift,
            "lost": self.lost,
        }


@dataclass(frozen=True, slots=True)
class PairState:
    """What a phase knows so far. `reference` holds both answers' sums before it, a triple each.

    `first_sight` is the gain of each new triple, by its id, at the step that trained it first:
    what the triples before it had taught, and so an honest test of whether they agree. 0 for those
    of the first step, which tell nothing.
    """

    reference: tuple[tuple[float, float], ...]
    first_sight: Mapping[str, float]
    epochs: tuple[PairEpoch, ...] = ()


@dataclass(frozen=True, slots=True)
class PhaseFigures:
    """What a preference phase did to its `new` and `replayed` triples."""

    method: str
    new: int
    replayed: int
    before: Standing
    after: Standing
    gained: int
    seen_right: int
    seen: int
    epochs: tuple[PairEpoch, ...]
    balance: Balance

    def to_json(self) -> dict[str, Any]:
        return {
            "method": self.method,
            "new": self.new,
            "replayed": self.replayed,
            "before": self.before.to_json(),
            "after": self.after.to_json(),
            "gained": self.gained,
            "first_sight": {"right": self.seen_right, "n": self.seen},
            "balance": self.balance.to_json(),
        }


def standing(scores: Sequence[PairScore], tokens: float | None = None) -> Standing:
    """Sum up the scores of at least one triple."""
    return Standing(
        n=len(scores),
        preferred=sum(one.margin > 0 for one in scores),
        margin=fmean(one.margin for one in scores),
        chosen_nll=fmean(-one.chosen / one.chosen_tokens for one in scores),
        rejected_nll=fmean(-one.rejected / one.rejected_tokens for one in scores),
        tokens=tokens,
    )
