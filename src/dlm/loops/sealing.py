"""Which of some new pairs are kept as exam, so that the next run measures and does not recite."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from dlm.data.contamination import findings
from dlm.data.examples import Example, Teaching
from dlm.loops.asked import example, normal
from dlm.loops.reports.values import Recovered


def seal(new: Sequence[Recovered], fraction: float, lessons: Teaching) -> frozenset[str]:
    """The questions, as `normal` gives them, that are to be sealed: those of the smallest hashes.

    A pair that nearly repeats what the document trains, or what stays in training here, is never
    sealed: it would measure nothing.
    """
    if fraction <= 0 or not new:
        return frozenset()
    wanted = max(1, round(fraction * len(new))) if len(new) > 1 or fraction >= 1 else 0
    ranked = sorted(new, key=lambda one: hashlib.sha256(normal(one.prompt).encode()).digest())
    chosen: list[Recovered] = []
    trained = list(lessons.train)
    left = list(ranked)
    while left and len(chosen) < wanted:
        one = left.pop(0)
        if findings(trained, [example(one)]):
            trained.append(example(one))
        else:
            chosen.append(one)
    trained += [example(one) for one in left]
    return frozenset(normal(one.prompt) for one in _uncontaminated(chosen, trained))


def _uncontaminated(chosen: list[Recovered], trained: list[Example]) -> list[Recovered]:
    """Those that nothing trained repeats; each that goes is trained itself, so look again."""
    while True:
        near = [one for one in chosen if findings(trained, [example(one)])]
        if not near:
            return chosen
        chosen = [one for one in chosen if one not in near]
        trained += [example(one) for one in near]
