"""All SQL about preference triples: which a version was trained on, and which sets it refused.

Knows triples by the digest of their words; the words stand in the document.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from dlm.errors import CorruptStore
from dlm.store.database import Database
from dlm.store.records import version_name, version_number


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


def note_taught(database: Database, number: int, taught: Iterable[Taught]) -> None:
    """Note what version `number` knows, in a transaction of the caller's."""
    for one in taught:
        database.execute(
            "INSERT OR REPLACE INTO taught (number, triple_id, since, margin, slipped) "
            "VALUES (?, ?, ?, ?, ?)",
            number,
            one.lesson_id,
            version_number(one.since),
            one.margin,
            one.slipped,
        )


def taught_to(database: Database, number: int) -> dict[str, Taught]:
    """What version `number` knows, by the id of the triple."""
    rows = database.rows("SELECT * FROM taught WHERE number = ? ORDER BY rowid", number)
    try:
        return {
            row["triple_id"]: Taught(
                row["triple_id"], version_name(row["since"]), row["margin"], bool(row["slipped"])
            )
            for row in rows
        }
    except (ValueError, TypeError) as error:
        raise CorruptStore(f"{database.path} holds a row that is damaged: {error}") from error


def note_refused(database: Database, number: int, work: str, reasons: Sequence[str]) -> None:
    """Note that version `number` was not to be followed by what `work` is the digest of."""
    with database.transaction():
        database.execute(
            "INSERT OR REPLACE INTO refused_phases (number, work, reasons) VALUES (?, ?, ?)",
            number,
            work,
            json.dumps(list(reasons)),
        )


def refused_before(database: Database, number: int, work: str) -> tuple[str, ...]:
    """Why the same work was refused after version `number` before; empty when it was not."""
    rows = database.rows(
        "SELECT reasons FROM refused_phases WHERE number = ? AND work = ?", number, work
    )
    try:
        return tuple(str(reason) for row in rows for reason in json.loads(row["reasons"]))
    except (ValueError, TypeError) as error:
        raise CorruptStore(f"{database.path} holds a row that is damaged: {error}") from error
