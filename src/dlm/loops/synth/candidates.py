"""A candidate pair on its way through the filters, and the count of how many got how far."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final

from dlm.loops.synth.options import Strategy
from dlm.loops.synth.passages import Source

_NONE: Final[Mapping[str, float]] = MappingProxyType({})


class Stage(StrEnum):
    """The filters, in their order. A candidate that was dropped names the one that dropped it."""

    PARSED = "parsed"
    DEDUP = "dedup"
    GROUNDED = "grounded"
    JUDGED = "judged"
    THRESHOLD = "threshold"
    ACCEPTED = "accepted"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A pair that a teacher proposed: in `votes` of the `tries` it had at one fact, 0 if unknown.

    `sentence` is the one of the source that supports it, `scores` are what the filters measured,
    and `dropped` with `reason` say where its way ended.
    """

    question: str
    answer: str
    source: Source
    strategy: Strategy
    votes: int = 1
    tries: int = 0
    sentence: str = ""
    scores: Mapping[str, float] = field(default_factory=lambda: _NONE, hash=False)
    dropped: Stage | None = None
    reason: str = ""

    def drop(self, stage: Stage, reason: str) -> Candidate:
        return replace(self, dropped=stage, reason=reason)

    def scored(self, **scores: float) -> Candidate:
        return replace(self, scores={**self.scores, **scores})

    def to_json(self) -> dict[str, Any]:
        """Plain JSON, for `--explain --json` and for the staged plan."""
        return {
            "question": self.question,
            "answer": self.answer,
            "section_id": self.source.id,
            "strategy": self.strategy.value,
            "votes": self.votes,
            "sentence": self.sentence,
            "scores": {name: round(score, 4) for name, score in self.scores.items()},
            "dropped": self.dropped.value if self.dropped else None,
            "reason": self.reason,
        }


@dataclass(frozen=True, slots=True)
class Funnel:
    """How many candidates were generated, and how many were left after each stage."""

    generated: int
    left: Mapping[Stage, int]

    @classmethod
    def of(cls, candidates: Iterable[Candidate], unparsed: int) -> Funnel:
        """Count candidates; a pair proposed several times is several of those generated."""
        dropped: Counter[Stage] = Counter()
        total = repeats = 0
        for candidate in candidates:
            total += 1
            repeats += candidate.votes - 1
            if candidate.dropped:
                dropped[candidate.dropped] += 1
        dropped[Stage.DEDUP] += repeats
        left: dict[Stage, int] = {}
        remaining = total + repeats
        for stage in Stage:
            remaining -= dropped[stage]
            left[stage] = remaining
        return cls(total + repeats + unparsed, left)

    def __str__(self) -> str:
        """`generated 96 → parsed 90 → dedup 41 → … → accepted 12`."""
        parts = [f"generated {self.generated}"]
        parts += [f"{stage.value} {count}" for stage, count in self.left.items()]
        return " → ".join(parts)

    def to_json(self) -> dict[str, int]:
        return {"generated": self.generated} | {s.value: n for s, n in self.left.items()}
