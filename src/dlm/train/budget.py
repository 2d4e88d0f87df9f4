"""When to stop: train until the document is learned, not for a fixed count.

Over-training is the common failure of small documents, so the `auto` budget asks after each epoch
whether every answer is known, whether anything still improves, and what it costs in drift.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dlm.engine.model import Score


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of the `auto` budget: epochs, nats per token of an answer, drift in nats, patience."""

    min_epochs: int = 8
    max_epochs: int = 40
    answer_nll: float = 0.15
    max_drift: float = 0.5
    patience: int = 6
    prose_epochs: int = 12


@dataclass(frozen=True, slots=True)
class EpochFigures:
    """What is known after an epoch: the scores of the training pairs, in document order, and the
    drift, which is not measured after every one.
    """

    epoch: int
    scores: tuple[Score, ...]
    drift: float | None = None

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


class Budget:
    """Decides after each epoch; the sentence it returns is the reason that the report gives."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._best = float("inf")
        self._since_best = 0

    def verdict(self, figures: EpochFigures) -> str | None:
        """Why to stop now, or None to go on."""
        limits = self._limits
        if figures.drift is not None and figures.drift > limits.max_drift:
            return f"drift on general text passed {limits.max_drift} nats"
        if figures.scores:
            return self._pairs_verdict(figures, figures.scores)
        return self._prose_verdict(figures)

    def _pairs_verdict(self, figures: EpochFigures, scores: Sequence[Score]) -> str | None:
        limits = self._limits
        worst = max(score.nll for score in scores)
        all_known = all(score.exact for score in scores) and worst < limits.answer_nll
        if all_known and figures.epoch >= limits.min_epochs:
            return "every answer is learned"
        mean = figures.answer_nll or 0.0
        if self._stalled(mean) and figures.epoch >= limits.min_epochs:
            return f"the answers have not improved for {limits.patience} epochs"
        return None

    def _prose_verdict(self, figures: EpochFigures) -> str | None:
        if figures.epoch >= self._limits.prose_epochs:
            return f"{figures.epoch} epochs of prose without pairs to test are enough"
        return None

    def _stalled(self, value: float) -> bool:
        if value < self._best * 0.98:
            self._best, self._since_best = value, 0
        else:
            self._since_best += 1
        return self._since_best >= self._limits.patience
