"""What the owner may choose about improving, on the command line or under `improve:`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Final, Self

from dlm.doc.document import Document
from dlm.loops.synth.options import Strategy

MIXED: Final = "mixed"
STRATEGIES: Final = (*(each.value for each in Strategy), MIXED)
_CYCLE: Final = (Strategy.EXTRACTION, Strategy.BACKTRANSLATE, Strategy.BOTH)


@dataclass(frozen=True, slots=True)
class ImproveOptions:
    """`teacher` None is whoever serves; `seed` None is that of the training."""

    rounds: int = 2
    strategy: str = Strategy.EXTRACTION.value
    teacher: str | None = None
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
