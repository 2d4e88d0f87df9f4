"""What a run of `dlm improve` tells whoever is watching. The default watcher is silent."""

from __future__ import annotations

import signal
import time
from collections.abc import Sequence
from typing import Any

from dlm.errors import DlmError
from dlm.store.rounds import Round
from dlm.train.budget import EpochFigures
from dlm.train.progress import Progress, StepFigures


class TimeIsUp(DlmError):
    """The minutes that the owner gave are over; all that was done is kept."""


class Watch:
    """Override what should be shown. `training` watches the trainings."""

    def __init__(self, training: Progress | None = None) -> None:
        self.training = training or Progress()

    def round(self, name: str, number: int, of: int, teacher: str, strategy: str) -> None:
        """A round begins, or goes on."""

    def step(self, text: str) -> None:
        """A step of the round begins."""

    def told(self, title: str, text: str) -> None:
        """What came of a step."""

    def asking(self, what: str, done: int, of: int) -> None:
        """How far the asking of the teacher is."""

    def ended(self, one: Round) -> None:
        """A round is over."""

    def note(self, text: str) -> None:
        """Something the owner should know."""


class Clock:
    """How long the run may still take; no bound without `minutes`."""

    def __init__(self, minutes: float | None) -> None:
        self._minutes = minutes
        self._end = None if minutes is None else time.monotonic() + 60 * minutes

    @property
    def over(self) -> bool:
        return self._end is not None and time.monotonic() >= self._end

    def check(self) -> None:
        """Raise TimeIsUp when the time is over."""
        if self.over:
            raise TimeIsUp(f"the {self._minutes:g} minutes are over")


class Bounded(Progress):
    """Hands everything on, and interrupts the training, as Ctrl-C does, when the time is over."""

    def __init__(self, inner: Progress, clock: Clock) -> None:
        self._inner, self._clock = inner, clock
        self._told = False

    def planned(self, summary: str, warnings: Sequence[str]) -> None:
        self._inner.planned(summary, warnings)

    def stage(self, text: str) -> None:
        self._inner.stage(text)

    def step(self, figures: StepFigures) -> None:
        self._inner.step(figures)
        if self._clock.over and not self._told:
            self._told = True
            signal.raise_signal(signal.SIGINT)

    def epoch(self, figures: EpochFigures) -> None:
        self._inner.epoch(figures)

    def note(self, text: str) -> None:
        self._inner.note(text)

    def stopping(self) -> None:
        if not self._told:
            self._inner.stopping()

    def done(self) -> None:
        self._inner.done()


def plain(value: float | None) -> str:
    """A score for people."""
    return "-" if value is None else f"{value:.3f}"


def brief(figures: dict[str, Any], name: str = "overall") -> str:
    """`0.412 (n = 20, 90 % between 0.350 and 0.470)`."""
    one = figures[name]
    between = (
        f", 90 % between {one['low']:.3f} and {one['high']:.3f}" if one["low"] is not None else ""
    )
    return f"{plain(one['value'])} (n = {one['n']}{between})"
