"""What the owner may choose about mining, the candidates on their way, and how many got how far."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from dlm.data.lessons import Lesson
from dlm.loops.proposals import Funnel

AUTHORED = "authored"


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


class Drop(StrEnum):
    """Where the way of a candidate ended, before it was compared."""

    WHOLE = "whole"
    DISTINCT = "distinct"
    JUDGED = "judged"


@dataclass(frozen=True, slots=True)
class Candidate:
    """An answer of the model `source`, which said it `times` times.

    `better` and `worse` say what it may become: a chosen or a rejected answer; `why` is what the
    judge said about it.
    """

    text: str
    source: str
    better: bool
    worse: bool
    times: int = 1
    score: float = math.nan
    why: str = ""
    dropped: Drop | None = None
    reason: str = ""

    def drop(self, stage: Drop, reason: str) -> Candidate:
        return replace(self, dropped=stage, reason=reason)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON, for `--explain --json`."""
        return {
            "text": self.text,
            "from": self.source,
            "times": self.times,
            "score": round(self.score, 4) if math.isfinite(self.score) else None,
            "why": self.why,
            "dropped": self.dropped.value if self.dropped else None,
            "reason": self.reason,
        }


@dataclass(frozen=True, slots=True)
class Contrast:
    """Two answers of which one is clearly better, by `margin`; their scores are those of both."""

    chosen: Candidate
    rejected: Candidate

    @property
    def margin(self) -> float:
        return self.chosen.score - self.rejected.score


@dataclass(frozen=True, slots=True)
class Mined:
    """One prompt with all its candidates; `contrast` is what came of them, or `reason` why none.

    `anchor` is the score of the answer that the document gives, `kept` whether the contrast is
    among those that were asked for.
    """

    lesson: Lesson
    candidates: tuple[Candidate, ...] = ()
    anchor: float = math.nan
    contrast: Contrast | None = None
    kept: bool = True
    reason: str = ""

    @property
    def prompt(self) -> str:
        return self.lesson.question

    @property
    def answer(self) -> str:
        return self.lesson.text

    @property
    def left(self) -> tuple[Candidate, ...]:
        """The candidates that were not dropped."""
        return tuple(one for one in self.candidates if one.dropped is None)

    def without_contrast(self, reason: str) -> Mined:
        return replace(self, contrast=None, reason=reason)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON, for `--explain --json`."""
        found = self.contrast
        return {
            "prompt": self.prompt,
            "section_id": self.lesson.section_id,
            "authored": self.answer,
            "authored_score": round(self.anchor, 4) if math.isfinite(self.anchor) else None,
            "chosen": found.chosen.text if found else None,
            "rejected": found.rejected.text if found else None,
            "margin": round(found.margin, 4) if found else None,
            "kept": found is not None and self.kept,
            "reason": self.reason,
            "candidates": [one.to_json() for one in self.candidates],
        }


def funnel_of(mined: Sequence[Mined]) -> Funnel:
    """How many prompts were asked, how many answers came, and how many were left at each step.

    An answer given several times is several candidates, and one distinct one.
    """
    found = [one for each in mined for one in each.candidates]
    fallen = {stage: [one for one in found if one.dropped is stage] for stage in Drop}
    alive = [one for one in found if one.dropped is None]
    total = sum(one.times for one in found)
    cleared = [each for each in mined if each.contrast]
    return Funnel(
        prompts=len(mined),
        candidates=total,
        whole=total - sum(one.times for one in fallen[Drop.WHOLE]),
        distinct=len(alive) + len(fallen[Drop.JUDGED]),
        judged=sum(math.isfinite(one.score) for one in alive),
        cleared=len(cleared),
        kept=sum(each.kept for each in cleared),
    )
