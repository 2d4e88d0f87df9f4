"""All SQL about versions, runs and the pointer. Knows rows and records, not the disk."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from dlm.errors import CorruptStore
from dlm.store import memory
from dlm.store.codec import to_json
from dlm.store.database import Database
from dlm.store.records import (
    PointerMove,
    RunRecord,
    Version,
    moment,
    now,
    version_name,
    version_number,
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
    return next(iter(database.read(Meta, "SELECT * FROM meta")), None)


def write_meta(database: Database, value: Meta) -> None:
    """Set the single row about the store."""
    database.execute(
        """INSERT OR REPLACE INTO meta
            (id, dlm_id, base_model, created_at, last_number, pending_number)
            VALUES (1, ?, ?, ?, ?, ?)""",
        value.dlm_id,
        value.base_model,
        value.created_at.isoformat(),
        value.last_number,
        value.pending_number,
    )


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
    rows = database.rows(
        "SELECT number, sha256, created_at, run_id, parent FROM versions ORDER BY number"
    )
    with database.readable_row():
        return tuple(_version(row, folder) for row in rows)


def add_version(database: Database, version: Version) -> None:
    """Insert one version; its run must be there."""
    database.execute(
        "INSERT INTO versions (number, sha256, created_at, run_id, parent) VALUES (?, ?, ?, ?, ?)",
        version.number,
        version.sha256,
        version.created_at.isoformat(),
        version.run_id,
        None if version.parent is None else version_number(version.parent),
    )


def delete_version(database: Database, number: int) -> None:
    """Forget a version and what it remembers; its run stays in the history."""
    database.execute("DELETE FROM versions WHERE number = ?", number)
    memory.sweep(database)


def current_number(database: Database) -> int | None:
    """The number of the current version."""
    rows = database.rows("SELECT number FROM current")
    with database.readable_row():
        return int(rows[0][0]) if rows else None


def move_pointer(database: Database, number: int, why: str) -> None:
    """Make `number` current and note the move."""
    before = _name(current_number(database))
    add_pointer_move(database, PointerMove(now(), before, version_name(number), why))
    database.execute("INSERT OR REPLACE INTO current VALUES (1, ?)", number)


def add_pointer_move(database: Database, move: PointerMove) -> None:
    """Note a move of the pointer that was made earlier."""
    database.execute(
        "INSERT INTO pointer_log (at, from_number, to_number, why) VALUES (?, ?, ?, ?)",
        move.at.isoformat(),
        None if move.from_version is None else version_number(move.from_version),
        version_number(move.to_version),
        move.why,
    )


def pointer_moves(database: Database) -> tuple[PointerMove, ...]:
    """Every move of the current pointer, oldest first."""
    return database.read(
        PointerMove,
        """SELECT at, name(from_number) AS from_version, name(to_number) AS to_version, why
        FROM pointer_log ORDER BY seq""",
    )


def has_run(database: Database, run_id: str) -> bool:
    """Whether a run of this id is recorded."""
    return bool(database.rows("SELECT 1 FROM runs WHERE run_id = ?", run_id))


def add_run(database: Database, run: RunRecord) -> None:
    """Insert one run."""
    data = to_json(run)
    data["config"], data["figures"] = json.dumps(data["config"]), json.dumps(data["figures"])
    columns, marks = ", ".join(data), ", ".join("?" * len(data))
    database.execute(f"INSERT INTO runs ({columns}) VALUES ({marks})", *data.values())


def runs(database: Database, limit: int | None = None) -> tuple[RunRecord, ...]:
    """The newest `limit` runs (all without one), oldest first."""
    newest = "SELECT * FROM runs ORDER BY rowid DESC LIMIT ?"
    return database.read(RunRecord, newest, -1 if limit is None else limit)[::-1]


def run(database: Database, run_id: str) -> RunRecord | None:
    """One run."""
    found = database.read(RunRecord, "SELECT * FROM runs WHERE run_id = ?", run_id)
    return found[0] if found else None


def read_all(database: Database) -> None:
    """Read every row once; raises CorruptStore where one is damaged."""
    meta(database)
    versions(database, Path())
    current_number(database)
    pointer_moves(database)
    runs(database)
    for version in versions(database, Path()):
        memory.recall(database, version.number)


def rescue(database: Database, damaged: Database) -> None:
    """Copy every row that can still be read, except what the version folders say better."""
    tables = database.rows("SELECT name FROM sqlite_master WHERE type = 'table'")
    database.execute("PRAGMA foreign_keys = OFF")  # the versions come back after the rows
    for name in (row[0] for row in tables):
        if name not in ("meta", "versions", "current"):
            with contextlib.suppress(CorruptStore), database.transaction():
                _rescue_table(database, damaged, name)
                read_all(database)
    database.execute("PRAGMA foreign_keys = ON")


def _rescue_table(database: Database, damaged: Database, name: str) -> None:
    for row in damaged.readable_rows(f"SELECT * FROM {name} ORDER BY rowid"):
        columns = ", ".join(row.keys())
        marks = ", ".join("?" * len(row))
        try:
            database.execute(f"INSERT OR IGNORE INTO {name} ({columns}) VALUES ({marks})", *row)
        except (sqlite3.DatabaseError, CorruptStore):
            continue


def _version(row: sqlite3.Row, folder: Path) -> Version:
    name = version_name(row["number"])
    created = moment(row["created_at"])
    parent = _name(row["parent"])
    return Version(
        row["number"], name, folder / name, row["sha256"], created, row["run_id"], parent
    )


def _name(number: int | None) -> str | None:
    return None if number is None else version_name(number)
