"""Which of some new pairs are kept as exam, so that the next run measures and does not recite."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace

from dlm.data.contamination import findings
from dlm.data.examples import Teaching
from dlm.loops.asked import example, normal
from dlm.loops.reports.values import Recovered


def seal(new: Sequence[Recovered], fraction: float, lessons: Teaching) -> frozenset[str]:
    """The questions, as `normal` gives them, that are to be sealed: those of the smallest hashes.

    One that nearly repeats what the document trains, or another new one, is never sealed: whichever
    of the two trains would tell the answer.
    """
    if fraction <= 0 or not new:
        return frozenset()
    fits = _alone(new, lessons)
    wanted = max(round(fraction * len(new)), 1 if len(new) > 1 else 0)
    ranked = sorted(fits, key=lambda one: hashlib.sha256(normal(one.prompt).encode()).digest())
    return frozenset(normal(one.prompt) for one in ranked[:wanted])


def _alone(new: Sequence[Recovered], lessons: Teaching) -> list[Recovered]:
    """Those that repeat nothing: neither what the document trains, nor each other."""
    asked = [replace(example(one), line=number) for number, one in enumerate(new)]
    near = {one.sealed_line for one in findings(lessons.train, asked)}
    for one in findings(asked, asked):
        if one.line != one.sealed_line:
            near |= {one.line, one.sealed_line}
    return [one for number, one in enumerate(new) if number not in near]
