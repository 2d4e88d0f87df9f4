"""Whether a challenger is better than the champion by more than chance, question by question.

The test is the paired randomisation test of Fisher (1935, "The Design of Experiments", §21) and
Pitman (1937) on the loss of each reference: were the two models equal, each sign would be as likely
as the other. Every question has a say in it, where right and wrong change for a few only. It is
exact for up to 16 differences that are not 0 and drawn 100,000 times with a fixed seed beyond. The
exact test of McNemar (1947) on right and wrong and a paired bootstrap interval of the difference of
the overall are given beside it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from dlm.eval.exam import Paper
from dlm.eval.figures import Figure, mean

CHANCE: Final = 0.05
"""A result that chance gives as often as this, one-sided, does not count."""

FEWEST: Final = 5
"""Differences of one sign below this number can never exclude chance: 1/2^4 is above 0.05."""

_EXACT: Final = 16
_DRAWS: Final = 100_000


@dataclass(frozen=True, slots=True)
class Contest:
    """Two papers of one exam compared: `difference` of the overall, `loss` in nats a token.

    `p` is one-sided: how often chance would take away as much loss; `p_right` how often it would
    turn as many wrong answers into right ones.
    """

    difference: Figure
    loss: Figure
    p: float
    gained: tuple[str, ...]
    lost: tuple[str, ...]
    p_right: float

    @property
    def beyond_chance(self) -> bool:
        return self.p < CHANCE

    def to_json(self) -> dict[str, Any]:
        return {
            "difference": self.difference.to_json(),
            "loss": self.loss.to_json(),
            "p": self.p,
            "gained": list(self.gained),
            "lost": list(self.lost),
            "p_right": self.p_right,
        }


def contest(champion: Paper, challenger: Paper) -> Contest:
    """Compare two papers of the same questions in the same order."""
    both = list(zip(champion.answers, challenger.answers, strict=True))
    if any(old.question != new.question for old, new in both):
        raise ValueError("these are papers of two exams")
    losses = [(new.nll or 0.0) - (old.nll or 0.0) for old, new in both]
    gained = tuple(new.question for old, new in both if new.right and not old.right)
    lost = tuple(new.question for old, new in both if old.right and not new.right)
    return Contest(
        difference=mean([new.score - old.score for old, new in both]),
        loss=mean(losses),
        p=randomisation([-loss for loss in losses]),
        gained=gained,
        lost=lost,
        p_right=mcnemar(len(gained), len(lost)),
    )


def randomisation(differences: Sequence[float]) -> float:
    """How often random signs give a sum at least as large; 1 where nothing differs."""
    import numpy as np

    # The sizes are rounded so that sums that are equal on paper are equal here.
    values = np.round([one for one in differences if abs(one) > 1e-9], 9)
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


def mcnemar(gained: int, lost: int) -> float:
    """The exact one-sided p that `gained` of the questions that changed sides is chance."""
    n = gained + lost
    return sum(math.comb(n, k) for k in range(gained, n + 1)) / 2**n if n else 1.0
