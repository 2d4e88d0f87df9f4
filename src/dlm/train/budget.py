"""When to stop: train until the document is learned, not for a fixed count.

Over-training is the common failure of small documents, so the `auto` budget asks after each epoch
whether every answer is known, whether anything still improves, and what it costs in drift.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dlm.engine.model import Score
from dlm.eval.figures import Figure
from dlm.eval.scorecard import Scorecard

_WORSE = 0.1  # nats a token: what is worse by less may be so by accident


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of the `auto` budget.

    Epochs; nats per token of an answer; drift in nats; patience in epochs; the share of answers
    known before that may be lost; what may be left of a text that is to be forgotten.
    """

    min_epochs: int = 8
    max_epochs: int = 40
    answer_nll: float = 0.15
    max_drift: float = 0.5
    patience: int = 6
    prose_epochs: int = 12
    lost: float = 0.02
    remembered: float = 0.1


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


def worse_than_base(card: Scorecard) -> str | None:
    """The figures in one phrase, where an adapter is worse than its base in all that was measured.

    Losses of pairs, of prose and of general text in nats a token; None where any is as good.
    """
    found = [
        (what, now.value, base.value)
        for what, now, base in (
            ("answers", card.figure("recall", "nll"), card.figure("recall", "base_nll")),
            ("prose", card.figure("prose", "nll"), card.figure("prose", "base_nll")),
            ("general text", card.figure("drift", "texts"), Figure(0.0)),
        )
        if now.value is not None and base.value is not None
    ]
    if not found or any(now <= base + _WORSE for _, now, base in found):
        return None
    return ", ".join(f"{what} {now - base:+.2f} nats a token" for what, now, base in found)


class Budget:
    """Decides after each epoch; the sentence it returns is the reason that the report gives."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._learning = _Falling(limits.patience, margin=0.02)
        self._keeping = _Falling(limits.patience, margin=0.0)

    def verdict(self, figures: EpochFigures) -> str | None:
        """Why to stop now, or None to go on."""
        limits = self._limits
        if figures.drift is not None and figures.drift > limits.max_drift:
            return f"drift on general text passed {limits.max_drift} nats"
        if figures.epoch < limits.min_epochs:
            self._learning.stalled(figures.answer_nll or 0.0)
            return None
        if figures.remembered is not None and figures.remembered > limits.remembered:
            return None
        if self.learned(figures):
            return self._guard_verdict(figures)
        if figures.scores and self._learning.stalled(figures.answer_nll or 0.0):
            return f"the answers have not improved for {limits.patience} epochs"
        return None

    def learned(self, figures: EpochFigures) -> bool:
        """Whether every answer to learn is; prose, which has no answers, takes its epochs."""
        limits = self._limits
        if not figures.scores:
            return figures.remembered is not None or figures.epoch >= limits.prose_epochs
        worst = max(score.nll for score in figures.scores)
        return all(score.exact for score in figures.scores) and worst < limits.answer_nll

    def _guard_verdict(self, figures: EpochFigures) -> str | None:
        reason = self._learned_reason(figures)
        if not figures.guarded:
            return reason
        if figures.lost is None:
            return None
        if figures.lost <= self._limits.lost * figures.guarded:
            kept = figures.guarded - figures.lost
            return f"{reason}, and {kept} of {figures.guarded} known ones still are"
        if self._keeping.stalled(figures.lost):
            return f"{reason}, but {figures.lost} known ones were lost and did not come back"
        return None

    def _learned_reason(self, figures: EpochFigures) -> str:
        if figures.scores:
            return "every answer is learned"
        if figures.remembered is not None:
            return "what was removed is forgotten"
        return f"{figures.epoch} epochs of prose without pairs to test are enough"


class _Falling:
    """Whether a figure that ought to fall has stopped to: `patience` times in a row."""

    def __init__(self, patience: int, *, margin: float) -> None:
        self._patience = patience
        self._margin = margin
        self._best = float("inf")
        self._since_best = 0

    def stalled(self, value: float) -> bool:
        if value < self._best * (1 - self._margin):
            self._best, self._since_best = value, 0
        else:
            self._since_best += 1
        return self._since_best >= self._patience
