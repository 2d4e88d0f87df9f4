"""All SQL about versions, runs and the pointer. Knows rows and records, not the disk."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from dlm.store import memory
from dlm.store.database import Database
from dlm.store.records import (
    PointerMove,
    RunRecord,
    Version,
    name_of,
    now,
    number_of,
    to_json,
    version_name,
)


@dataclass(frozen=True, slots=True)
class Meta:
    """What a store says of itself.

    `last_number` is the highest version number ever given out, `pending_number` the one whose
    commit has begun and not ended.
    """

    dlm_id: str
    base_model: str
    created_at: datetime
    last_number: int = 0
    pending_number: int | None = None


def meta(database: Database) -> Meta | None:
    """The single row about the store, None in a database that was just created."""
    return database.read_one(Meta, "SELECT * FROM meta")


def write_meta(database: Database, value: Meta) -> None:
    """Set the single row about the store."""
    database.insert("meta", value, conflict="REPLACE", id=1)


def reserve_number(database: Database, number: int) -> None:
    """Note that the commit of `number` begins, so that no other version ever gets it."""
    database.execute(
        "UPDATE meta SET last_number = max(last_number, ?), pending_number = ?", number, number
    )


def end_pending(database: Database) -> None:
    """Note that no commit is under way."""
    database.execute("UPDATE meta SET pending_number = NULL WHERE pending_number IS NOT NULL")


def versions(database: Database, folder: Path) -> tuple[Version, ...]:
    """Every version, oldest first; `folder` is where their folders lie."""
    found = database.read(
        Version,
        """SELECT number, name(number) AS name, '' AS path, sha256, created_at, run_id,
            name(parent) AS parent
        FROM versions ORDER BY number""",
    )
    return tuple(replace(one, path=folder / one.name) for one in found)


def add_version(database: Database, version: Version) -> None:
    """Insert one version; its run must be there."""
    row = {name: getattr(version, name) for name in ("number", "sha256", "created_at", "run_id")}
    database.insert("versions", row, parent=number_of(version.parent))


def delete_version(database: Database, number: int) -> None:
    """Forget a version and what it remembers; its run stays in the history."""
    database.execute("DELETE FROM versions WHERE number = ?", number)
    memory.sweep(database)


def current_number(database: Database) -> int | None:
    """The number of the current version."""
    number = database.value("SELECT number FROM current")
    with database.readable_row():
        return None if number is None else int(number)


def move_pointer(database: Database, number: int, why: str) -> None:
    """Make `number` current and note the move."""
    before = name_of(current_number(database))
    add_pointer_move(database, PointerMove(now(), before, version_name(number), why))
    database.execute("INSERT OR REPLACE INTO current VALUES (1, ?)", number)


def add_pointer_move(database: Database, move: PointerMove) -> None:
    """Note a move of the pointer that was made earlier."""
    before, after = number_of(move.from_version), number_of(move.to_version)
    row = {"at": move.at, "from_number": before, "to_number": after, "why": move.why}
    database.insert("pointer_log", row)


def pointer_moves(database: Database) -> tuple[PointerMove, ...]:
    """Every move of the current pointer, oldest first."""
    return database.read(
        PointerMove,
        """SELECT at, name(from_number) AS from_version, name(to_number) AS to_version, why
        FROM pointer_log ORDER BY seq""",
    )


def has_run(database: Database, run_id: str) -> bool:
    """Whether a run of this id is recorded."""
    return database.value("SELECT 1 FROM runs WHERE run_id = ?", run_id) is not None


def add_run(database: Database, run: RunRecord) -> None:
    """Insert one run."""
    database.insert("runs", to_json(run))


def runs(database: Database, limit: int | None = None) -> tuple[RunRecord, ...]:
    """The newest `limit` runs (all without one), oldest first."""
    newest = "SELECT * FROM runs ORDER BY rowid DESC LIMIT ?"
    return database.read(RunRecord, newest, -1 if limit is None else limit)[::-1]


def run(database: Database, run_id: str) -> RunRecord | None:
    """One run."""
    return database.read_one(RunRecord, "SELECT * FROM runs WHERE run_id = ?", run_id)
