"""What a caller may ask of a training beyond the document's own frontmatter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Phase = Literal["sft", "preference", "all"]


@dataclass(frozen=True, slots=True)
class TrainOptions:
    """`fresh` starts from the base; the others override the frontmatter's value when set."""

    fresh: bool = False
    forget: bool = False  # what was removed from the document
    epochs: int | None = None
    max_steps: int | None = None
    seed: int | None = None
    brisk: bool = False  # between two saves: the fewest epochs, measured quickly
    phase: Phase = "all"
    no_mined: bool = False  # leave mined triples out
    force: bool = False  # commit a preference phase that would be refused
    candidate: bool = False  # commit without making it the current version
