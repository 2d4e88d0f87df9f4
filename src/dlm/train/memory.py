"""What a new version remembers, for the trainings that follow it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import replace

from dlm.data.lessons import parts
from dlm.data.rows import Row
from dlm.engine.model import Score
from dlm.store.records import Remembered
from dlm.train.plan import TrainingPlan


def memory_after(
    plan: TrainingPlan, name: str, trained: Collection[Row], scores: Mapping[str, Score]
) -> list[Remembered]:
    """The lessons of the document, then those that were removed and stay known.

    `trained` are the rows that version `name` was trained on, `scores` those of the pairs under it,
    by id; a pair that was not scored keeps the score it had.
    """
    known = {one.lesson.id: one for one in (*plan.known.unchanged, *plan.known.kept)}
    replayed = {row.lesson.id for row in trained if row.replayed}
    kept = {one.lesson.id for one in plan.known.kept}
    here = parts(plan.lessons.train)
    times = Counter(lesson.id for lesson in here)
    found: list[Remembered] = []
    for lesson in (*here, *(one.lesson for one in plan.known.kept)):
        before = known.get(lesson.id)
        score = scores.get(lesson.id)
        found.append(
            Remembered(
                lesson,
                since=before.since if before else name,
                seen=before.seen if before and lesson.id not in replayed else name,
                removed=lesson.id in kept,
                nll=score.nll if score else before.nll if before else None,
                exact=score.exact if score else before.exact if before else None,
                times=times[lesson.id] or 1,
            )
        )
    return [*found, *(replace(one, removed=True) for one in plan.known.sealed)]
