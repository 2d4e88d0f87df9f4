"""What changes in the course of a training: the learning rate, and the shares of the streams."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

_DECAY: Final = 0.35  # of the budget at its end
_FLOOR: Final = 0.05
_WARM_STEPS: Final = 20
_WARM_SHARE: Final = 0.02

# Conversations and echoes are there from the first step: copying is learned early or late.
_SHARES: Final = {
    "plain": ((0.0, 0.70), (0.5, 0.60), (1.0, 0.46)),
    "chat": ((0.0, 0.22), (0.5, 0.37), (1.0, 0.52)),
    "echo": ((0.0, 0.08), (0.5, 0.03), (1.0, 0.02)),
}


@dataclass(slots=True)
class Budget:
    """How long a training goes on: `tokens` or `minutes`, one of them None.

    A budget of tokens makes a run repeatable, one of minutes makes it end in time. `spent` is the
    seconds of the runs before this one.
    """

    tokens: int | None
    minutes: float | None
    spent: float = 0.0
    _began: float = field(default_factory=time.monotonic)

    def progress(self, tokens: int) -> float:
        """0 at the start, 1 when the budget is used up."""
        if self.tokens is not None:
            return tokens / self.tokens
        return self.seconds() / (60 * (self.minutes or 0.0))

    def seconds(self) -> float:
        return self.spent + time.monotonic() - self._began


def rate(progress: float, step: int) -> float:
    """Share of the full learning rate: a short rise, then level, then a straight fall."""
    rise = min(1.0, (step + 1) / _WARM_STEPS, 0.05 + progress / _WARM_SHARE)
    fall = min(1.0, _FLOOR + (1 - _FLOOR) * max(0.0, 1 - progress) / _DECAY)
    return min(rise, fall)


def shares(progress: float) -> dict[str, float]:
    """Share of the tokens that each stream should have now."""
    return {name: _between(points, progress) for name, points in _SHARES.items()}


def _between(points: tuple[tuple[float, float], ...], place: float) -> float:
    for (x1, y1), (x2, y2) in pairwise(points):
        if place <= x2:
            return y1 + (y2 - y1) * (max(place, x1) - x1) / (x2 - x1)
    return points[-1][1]
