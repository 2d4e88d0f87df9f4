"""Which triples of a document a version was trained on, and what becomes of that knowledge."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace

from dlm.data.lessons import Lesson, Lessons, distinct
from dlm.data.pair_rows import pair_rows
from dlm.doc.provenance import Origin
from dlm.engine.model import Model
from dlm.errors import TrainingError
from dlm.store.database import Database
from dlm.store.records import Version
from dlm.store.store import Store
from dlm.store.taught import Taught, note_taught, taught_to
from dlm.train.ground import Ground
from dlm.train.preference.scoring import score_pairs


@dataclass(frozen=True, slots=True)
class KnownTriples:
    """The triples of a document against a version; `slipped` were turned around since."""

    new: tuple[Lesson, ...]
    slipped: tuple[Lesson, ...] = ()
    unchanged: tuple[Lesson, ...] = ()

    @property
    def to_learn(self) -> tuple[Lesson, ...]:
        return (*self.new, *self.slipped)


def compare(lessons: Lessons, known: Collection[Taught], *, mined: bool) -> KnownTriples:
    """Sort the triples that are to be trained; without `mined`, those count as absent.

    Triples that are trusted with a weight of 0 are absent too.
    """
    triples = [
        one
        for one in distinct(lessons.triples)
        if one.weight > 0 and (mined or one.origin != Origin.MINED.value)
    ]
    by_id = {one.lesson_id: one for one in known}
    new = [one for one in triples if one.id not in by_id]
    old = [one for one in triples if one.id in by_id]
    return KnownTriples(
        new=tuple(new),
        slipped=tuple(one for one in old if by_id[one.id].slipped),
        unchanged=tuple(one for one in old if not by_id[one.id].slipped),
    )


def carried(
    store: Store, ground: Ground, previous: Version | None, model: Model, *, brisk: bool
) -> Callable[[Database, int], None]:
    """What writes, for a version that only pairs were trained on, the triples that it inherits.

    Unless the training was a brisk one, those in the document are scored again.
    """
    before = taught_to(store.database, previous.number) if previous else {}
    after = before if brisk or not before else before | _scored_again(ground, model, before)

    def write(database: Database, number: int) -> None:
        note_taught(database, number, after.values())

    return write


def _scored_again(ground: Ground, model: Model, known: dict[str, Taught]) -> dict[str, Taught]:
    here = tuple(one for one in distinct(ground.lessons.triples) if one.id in known)
    try:
        rows = pair_rows(
            here, ground.codec, sequence_length=ground.sequence_length, path=ground.name
        )
    except TrainingError:  # shorter rows are asked for since; the next preference phase says so
        return {}
    found = {}
    for row, score in zip(rows, score_pairs(model, rows, ground.codec.pad_id), strict=True):
        one = known[row.lesson.id]
        slipped = one.slipped or (one.margin > 0 >= score.margin)
        found[row.lesson.id] = replace(one, margin=score.margin, slipped=slipped)
    return found
