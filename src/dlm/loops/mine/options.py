"""What the owner may choose about mining."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class RejectFrom(StrEnum):
    """Which model the rejected answer comes from: the current version, the base, the oldest one."""

    SELF = "self"
    BASE = "base"
    FIRST = "first"


@dataclass(frozen=True, slots=True)
class MineOptions:
    """`samples` are drawn of each model for each prompt.

    `threshold` is the margin, in the judge's own unit, by which the chosen answer must lead; None
    leaves it to the judge. `authored` lets the answer of the document be a chosen one too.
    `timeout` is for a judge that is a program, in seconds a candidate.
    """

    samples: int = 4
    judge: str = "sway"
    threshold: float | None = None
    max_pairs: int | None = None
    temperature: float = 0.8
    top_p: float = 0.95
    seed: int = 0
    reject_from: RejectFrom = RejectFrom.SELF
    authored: bool = False
    max_new_tokens: int = 160
    timeout: float | None = None
