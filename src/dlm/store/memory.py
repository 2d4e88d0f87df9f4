"""All SQL about what each version remembers: the items its successors replay."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from dlm.data.items import Item
from dlm.errors import CorruptStore
from dlm.store.database import Database
from dlm.store.records import Remembered, version_name, version_number


def remember(database: Database, number: int, items: Iterable[Remembered]) -> None:
    """Note what version `number` remembers, in the order given."""
    for place, one in enumerate(items):
        item = one.item
        database.execute(
            "INSERT OR IGNORE INTO items (item_id, question, text) VALUES (?, ?, ?)",
            item.item_id,
            _clean(item.question),
            _clean(item.text),
        )
        database.execute(
            """INSERT OR IGNORE INTO memory (number, place, item_id, section_id, origin, line,
                since, seen, removed, nll, exact, times)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)""",
            number,
            place,
            item.item_id,
            item.section_id,
            item.origin,
            item.line,
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
                Item(row["section_id"], row["origin"], row["line"], row["text"], row["question"]),
                since=version_name(row["since"]),
                seen=version_name(row["seen"]),
                removed=bool(row["removed"]),
                nll=row["nll"],
                exact=None if row["exact"] is None else bool(row["exact"]),
                times=row["times"],
            )
            for row in rows
        )
    except (ValueError, TypeError) as error:
        raise CorruptStore(f"{database.path} holds a row that is damaged: {error}") from error


def drop(database: Database, number: int, item_ids: Collection[str]) -> None:
    """Forget that version `number` remembers these items, and texts that no version names."""
    for item_id in item_ids:
        database.execute("DELETE FROM memory WHERE number = ? AND item_id = ?", number, item_id)
    sweep(database)


def sweep(database: Database) -> None:
    """Delete the texts that no version remembers."""
    database.execute("DELETE FROM items WHERE item_id NOT IN (SELECT item_id FROM memory)")


def _clean(text: str | None) -> str | None:
    # SQLite holds no lone surrogates.
    return None if text is None else text.encode("utf-8", "replace").decode("utf-8")
