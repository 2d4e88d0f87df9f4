"""What a running training tells whoever is watching. The default watcher is silent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dlm.train.budget import EpochFigures
from dlm.train.preference.figures import PairEpoch


@dataclass(frozen=True, slots=True)
class StepFigures:
    """After one step: loss in nats per supervised token, throughput, estimated seconds left.

    `seconds_left` counts to the last possible step; the budget may stop earlier.
    """

    step: int
    steps: int
    epoch: int
    loss: float
    tokens_per_second: float
    seconds_left: float


class Progress:
    """Override what should be shown."""

    def planned(self, summary: str, warnings: Sequence[str]) -> None:
        """The run is laid out; nothing heavy was loaded yet."""

    def stage(self, text: str) -> None:
        """Something that takes a while begins."""

    def step(self, figures: StepFigures) -> None:
        """An optimiser step is done."""

    def epoch(self, figures: EpochFigures) -> None:
        """An epoch is done and the budget has looked at it."""

    def preference(self, figures: PairEpoch) -> None:
        """An epoch of a preference phase is done."""

    def note(self, text: str) -> None:
        """Something the owner should know, in one line."""

    def stopping(self) -> None:
        """The owner asked for a stop; called inside a signal handler."""

    def done(self) -> None:
        """No more steps follow."""


class Relay(Progress):
    """Hands everything on to `inner`; override what is to be looked at on the way."""

    def __init__(self, inner: Progress) -> None:
        self.inner = inner
        for name, method in vars(Progress).items():
            if not name.startswith("_") and getattr(type(self), name) is method:
                setattr(self, name, getattr(inner, name))
