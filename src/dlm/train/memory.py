"""What a new version remembers, for the trainings that follow it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import replace

from dlm.data.items import Item, items
from dlm.data.rows import Part, Row
from dlm.engine.model import Score
from dlm.store.records import Remembered
from dlm.train.plan import TrainingPlan

Place = tuple[str, int]  # section id and line


def place_of(one: Row | Item) -> Place:
    """Where a pair stands: enough to tell one of a document from another."""
    return one.section_id, one.line


def memory_after(
    plan: TrainingPlan, name: str, trained: Collection[Row], scores: Mapping[Place, Score]
) -> list[Remembered]:
    """The items of the document, then those that were removed and stay known.

    `trained` are the rows that version `name` was trained on, `scores` those of the pairs under it.
    """
    known = {one.item.item_id: one for one in (*plan.known.unchanged, *plan.known.kept)}
    replayed = {place_of(row) for row in trained if row.part is Part.REPLAYED}
    kept = {one.item.item_id for one in plan.known.kept}
    here = items(plan.teaching.train)
    times = Counter(item.item_id for item in here)
    found: list[Remembered] = []
    for item in (*here, *(one.item for one in plan.known.kept)):
        before = known.get(item.item_id)
        score = scores.get(place_of(item)) if item.question is not None else None
        found.append(
            Remembered(
                item,
                since=before.since if before else name,
                seen=before.seen if before and place_of(item) not in replayed else name,
                removed=item.item_id in kept,
                nll=score.nll if score else None,
                exact=score.exact if score else None,
                times=times[item.item_id] or 1,
            )
        )
    return [*found, *(replace(one, removed=True) for one in plan.known.sealed)]
