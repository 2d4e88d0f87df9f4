"""What a caller gives a training: what is asked of it, and who watches. The default is silent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from dlm.train.figures import EpochFigures, PairEpoch

Phase = Literal["sft", "preference", "all"]


@dataclass(frozen=True, slots=True)
class TrainOptions:
    """`fresh` starts from the base; the others override the frontmatter's value when set."""

    fresh: bool = False
    forget: bool = False  # what was removed from the document
    epochs: int | None = None
    max_steps: int | None = None
    seed: int | None = None
    quick: bool = False  # between two saves: the fewest epochs, measured quickly
    phase: Phase = "all"
    no_mined: bool = False  # leave mined triples out
    force: bool = False  # commit a preference phase that would be refused
    allow_secrets: bool = False  # train on files beside the document that hold keys or tokens
    candidate: bool = False  # commit without making it the current version


@dataclass(frozen=True, slots=True)
class StepFigures:
    """After one step: loss in nats per supervised token, throughput, estimated seconds left.

    `seconds_left` counts to the last possible step; the budget may stop earlier. `epoch_share` is
    how much of the epoch is done, 0..1.
    """

    step: int
    steps: int
    epoch: int
    loss: float
    tokens_per_second: float
    seconds_left: float
    epoch_share: float
    epoch_seconds_left: float


class Progress:
    """Override what should be shown."""

    def planned(self, summary: str, warnings: Sequence[str]) -> None:
        """The run is laid out; nothing heavy was loaded yet."""

    def stage(self, text: str) -> None:
        """Something that takes a while begins."""

    def working(self, what: str, done: int, of: int) -> None:
        """So many of something that takes a while are done; called often, at the end with all."""

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
