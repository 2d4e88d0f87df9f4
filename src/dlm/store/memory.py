"""All SQL about what each version remembers: the lessons its successors replay."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from dlm.data.lessons import Lesson, Role
from dlm.errors import CorruptStore
from dlm.store.database import Database
from dlm.store.records import Remembered, version_name, version_number


def remember(database: Database, number: int, memory: Iterable[Remembered]) -> None:
    """Note what version `number` remembers, in the order given."""
    for place, one in enumerate(memory):
        lesson = one.lesson
        database.execute(
            "INSERT OR IGNORE INTO items (item_id, question, text) VALUES (?, ?, ?)",
            lesson.id,
            _clean(lesson.question) or None,
            _clean(lesson.text),
        )
        database.execute(
            """INSERT OR IGNORE INTO memory (number, place, item_id, section_id, origin, line,
                since, seen, removed, nll, exact, times)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)""",
            number,
            place,
            lesson.id,
            lesson.section_id,
            lesson.origin,
            lesson.line,
            version_number(one.since),
            version_number(one.seen),
            one.removed,
            one.nll,
            one.exact,
            one.times,
        )


def recall(database: Database, number: int) -> tuple[Remembered, ...]:
    """What version `number` remembers, in document order; empty where nothing is recorded."""
    rows = database.rows(
        "SELECT * FROM memory JOIN items USING (item_id) WHERE number = ? ORDER BY place", number
    )
    try:
        return tuple(
            Remembered(
                Lesson(
                    row["text"],
                    row["question"] or "",
                    origin=row["origin"],
                    line=row["line"],
                    section_id=row["section_id"],
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
    except (ValueError, TypeError, AttributeError) as error:
        raise CorruptStore(f"{database.path} holds a row that is damaged: {error}") from error


def drop(database: Database, number: int, lesson_ids: Collection[str]) -> None:
    """Forget that version `number` remembers these lessons, and texts that no version names."""
    for lesson_id in lesson_ids:
        database.execute("DELETE FROM memory WHERE number = ? AND item_id = ?", number, lesson_id)
    sweep(database)


def sweep(database: Database) -> None:
    """Delete the texts that no version remembers."""
    database.execute("DELETE FROM items WHERE item_id NOT IN (SELECT item_id FROM memory)")


def _clean(text: str) -> str:
    # SQLite holds no lone surrogates.
    return text.encode("utf-8", "replace").decode("utf-8")
