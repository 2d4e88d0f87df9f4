"""All SQL about what each version remembers: the lessons its successors replay, the triples it was
taught, and the sets of triples that were refused after it.

Triples are known by the digest of their words; the words stand in the document.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from dlm.data.lessons import Lesson, Role
from dlm.store.database import Database
from dlm.store.records import Remembered, version_name, version_number


@dataclass(frozen=True, slots=True)
class Taught:
    """A triple that a version knows since version `since`, which was trained on it or preferred
    its chosen answer without.

    `margin` is the mean log-probability a token of its chosen answer minus that of its rejected
    one, under the version. `slipped` says that a training of pairs has turned it around since.
    """

    lesson_id: str
    since: str
    margin: float
    slipped: bool = False


def remember(database: Database, number: int, memory: Iterable[Remembered]) -> None:
    """Note what version `number` remembers, in the order given."""
    held = list(memory)
    database.insert_all("items", map(_words, held), conflict="IGNORE")
    rows = (_row(number, place, one) for place, one in enumerate(held))
    database.insert_all("memory", rows, conflict="IGNORE")


def _words(one: Remembered) -> dict[str, Any]:
    lesson = one.lesson
    return {"item_id": lesson.id, "question": lesson.question or None, "text": lesson.text}


def _row(number: int, place: int, one: Remembered) -> dict[str, Any]:
    lesson = one.lesson
    return {
        "number": number,
        "place": place,
        "item_id": lesson.id,
        "section_id": lesson.section_id,
        "origin": lesson.origin,
        "line": lesson.line,
        "file": lesson.file,
        "since": version_number(one.since),
        "seen": version_number(one.seen),
        "removed": one.removed,
        "nll": one.nll,
        "exact": one.exact,
        "times": one.times,
    }


def recall(database: Database, number: int) -> tuple[Remembered, ...]:
    """What version `number` remembers, in document order; empty where nothing is recorded."""
    rows = database.rows(
        "SELECT * FROM memory JOIN items USING (item_id) WHERE number = ? ORDER BY place", number
    )
    with database.readable_row():
        return tuple(
            Remembered(
                Lesson(
                    row["text"],
                    row["question"] or "",
                    origin=row["origin"],
                    line=row["line"],
                    section_id=row["section_id"],
                    file=row["file"],
                    role=Role.REPLAY,
                ),
                since=version_name(row["since"]),
                seen=version_name(row["seen"]),
                removed=bool(row["removed"]),
                nll=row["nll"],
                exact=None if row["exact"] is None else bool(row["exact"]),
                times=row["times"],
            )
            for row in rows
        )


def drop(database: Database, number: int, lesson_ids: Collection[str]) -> None:
    """Forget that version `number` remembers these lessons, and texts that no version names."""
    for lesson_id in lesson_ids:
        database.execute("DELETE FROM memory WHERE number = ? AND item_id = ?", number, lesson_id)
    sweep(database)


def sweep(database: Database) -> None:
    """Delete the texts that no version remembers."""
    database.execute("DELETE FROM items WHERE item_id NOT IN (SELECT item_id FROM memory)")


def note_taught(database: Database, number: int, taught: Iterable[Taught]) -> None:
    """Note which triples version `number` knows, in a transaction of the caller's."""
    for one in taught:
        row = {"number": number, "triple_id": one.lesson_id, "since": version_number(one.since)}
        row |= {"margin": one.margin, "slipped": one.slipped}
        database.insert("taught", row, conflict="REPLACE")


def taught_to(database: Database, number: int) -> dict[str, Taught]:
    """Which triples version `number` knows, by their id."""
    found = database.read(
        Taught,
        """SELECT triple_id AS lesson_id, name(since) AS since, margin, slipped
        FROM taught WHERE number = ? ORDER BY rowid""",
        number,
    )
    return {one.lesson_id: one for one in found}


def note_refused(database: Database, number: int, work: str, reasons: Sequence[str]) -> None:
    """Note that version `number` was not to be followed by what `work` is the digest of."""
    row = {"number": number, "work": work, "reasons": list(reasons)}
    with database.transaction():
        database.insert("refused_phases", row, conflict="REPLACE")


def refused_before(database: Database, number: int, work: str) -> tuple[str, ...]:
    """Why the same work was refused after version `number` before; empty when it was not."""
    rows = database.rows(
        "SELECT reasons FROM refused_phases WHERE number = ? AND work = ?", number, work
    )
    with database.readable_row():
        return tuple(str(reason) for row in rows for reason in json.loads(row["reasons"]))
