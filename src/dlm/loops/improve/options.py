"""What the owner may choose about improving, how long it may take, and what it tells."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Final, Self

from dlm.doc.document import Document
from dlm.errors import DlmError
from dlm.loops.synth import Strategy
from dlm.store.improving import Round
from dlm.train.options import Progress, Relay, StepFigures

MIXED: Final = "mixed"
STRATEGIES: Final = (*(each.value for each in Strategy), MIXED)
_CYCLE: Final = (Strategy.EXTRACTION, Strategy.BACKTRANSLATE, Strategy.BOTH)
_HOW: Final = (
    "amber", "bold", "brisk", "calm", "candid", "clever", "cosy", "deft", "eager", "early",
    "fair", "fond", "frank", "gentle", "glad", "hardy", "keen", "kind", "lively", "lucid",
    "mellow", "merry", "modest", "nimble", "patient", "plain", "quiet", "ready", "sage", "steady",
    "sunny", "tidy",
)  # fmt: skip
_WHO: Final = (
    "badger", "beaver", "bittern", "crane", "curlew", "dipper", "dormouse", "falcon", "finch",
    "hare", "heron", "hoopoe", "ibis", "jackdaw", "kestrel", "lapwing", "linnet", "lynx", "marten",
    "otter", "owl", "plover", "puffin", "raven", "robin", "seal", "stoat", "swift", "tern",
    "thrush", "vole", "wren",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class ImproveOptions:
    """On the command line, or under `improve:` in the document.

    `teacher` None is whoever serves; `seed` None is that of the training.
    """

    rounds: int = 2
    strategy: str = Strategy.EXTRACTION.value
    teacher: str | None = None
    judge: str = "sway"
    improvement_threshold: float = 0.05
    min_steps: int = 0
    benchmark_samples: int = 500
    real_share: float = 0.35
    keep_last_n: int = 3
    with_preferences: bool = False
    max_minutes: float | None = None
    refresh_per_round: int = 1
    seed: int | None = None
    max_steps: int | None = None
    allow_secrets: bool = False

    def strategy_of(self, number: int) -> Strategy:
        """That of the `number`-th round of a run, from 1: `mixed` goes on to another each time."""
        if self.strategy != MIXED:
            return Strategy(self.strategy)
        return _CYCLE[(number - 1) % len(_CYCLE)]

    @classmethod
    def of(cls, document: Document, **given: Any) -> Self:
        """What the document says, and for this run what was `given` and is not None."""
        settings = document.frontmatter.improve.model_dump()
        if settings["real_share"] is None:
            settings["real_share"] = document.frontmatter.training.real_share
        return cls(**settings | {key: value for key, value in given.items() if value is not None})

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """The inverse of `to_json`; keys of another version of dlm are left out."""
        known = {each.name for each in fields(cls)}
        return cls(**{key: value for key, value in data.items() if key in known})


def round_name(dlm_id: str, ordinal: int) -> str:
    """A name for the n-th round of a document that can be kept in mind, always the same.

    `brisk-heron-01`; the number tells all apart.
    """
    rng = random.Random(f"{dlm_id}:{ordinal}")
    return f"{rng.choice(_HOW)}-{rng.choice(_WHO)}-{ordinal:02d}"


def is_external(teacher: str) -> bool:
    """Whether a teacher is none of our own versions, nor our base."""
    return teacher != "base" and not teacher.startswith("self")


class ImproveProgress:
    """What a run tells whoever watches; override what should be shown. `training` is told of its
    trainings.
    """

    def __init__(self, training: Progress | None = None) -> None:
        self.training = training or Progress()

    def round(self, name: str, number: int, of: int, teacher: str, strategy: str) -> None:
        """A round begins, or goes on."""

    def step(self, text: str) -> None:
        """A step of the round begins."""

    def told(self, title: str, text: str) -> None:
        """What came of a step."""

    def working(self, what: str, done: int, of: int) -> None:
        """So many of something that takes a while are done; called often, at the end with all."""

    def ended(self, one: Round) -> None:
        """A round is over."""

    def note(self, text: str) -> None:
        """Something the owner should know."""


class TimeIsUp(DlmError):
    """The minutes that the owner gave are over; all that was done is kept."""


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


class Bounded(Relay):
    """Hands everything on, and interrupts the training, as Ctrl-C does, when the time is over."""

    def __init__(self, inner: Progress, clock: Clock) -> None:
        super().__init__(inner)
        self._clock, self._told = clock, False

    def step(self, figures: StepFigures) -> None:
        self.inner.step(figures)
        if self._clock.over and not self._told:
            self._told = True
            signal.raise_signal(signal.SIGINT)

    def stopping(self) -> None:
        if not self._told:
            self.inner.stopping()
