"""Opening a store: to be written when the disk allows it, else to be read.

A database that is damaged is set aside and rebuilt from the adapter versions.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from dlm.errors import CorruptStore, DlmError, StoreError
from dlm.files import disk_error
from dlm.store import queries
from dlm.store.database import Database, DiskRefuses, sentences
from dlm.store.locks import try_exclusive_lock
from dlm.store.paths import StorePath
from dlm.store.repair import missing, publish, settle, sweep

_WAIT_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Opened:
    """An open database, why it cannot be written (or None), and what the owner should know.

    `settled` is False when another process held the lock, so that nothing could be put right.
    """

    database: Database
    refusal: DlmError | None
    notices: tuple[str, ...]
    settled: bool


def open_store(place: StorePath, base_model: str, checkpoint: Callable[[str], None]) -> Opened:
    """Open, create, migrate, repair and sweep one store, as far as the disk lets us."""
    refusal = _refusal(place)
    if refusal is None:
        try:
            return _open_to_write(place, base_model, checkpoint)
        except DiskRefuses as error:
            refusal = error
    return _open_to_read(place, base_model, refusal)


def _refusal(place: StorePath) -> DlmError | None:
    """Why this store cannot be written."""
    try:
        place.ensure_layout()
        os.close(os.open(place.lock, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError as error:
        return disk_error(place.root, error)
    except DlmError as error:
        return error
    return None


def _open_to_write(place: StorePath, base_model: str, checkpoint: Callable[[str], None]) -> Opened:
    # A store another process works on is opened as it is; only what cannot be opened at all waits.
    try:
        wait = 0.0 if place.database.exists() else _WAIT_SECONDS
        return _open_once(place, base_model, checkpoint, wait)
    except CorruptStore:
        return _open_once(place, base_model, checkpoint, _WAIT_SECONDS)


def _open_once(
    place: StorePath, base_model: str, checkpoint: Callable[[str], None], wait: float
) -> Opened:
    notices: list[str] = []
    with try_exclusive_lock(place.lock, purpose="open", wait=wait) as held:
        try:
            database = _open_checked(Database.open, place.database)
        except CorruptStore as damage:
            if not held:
                raise
            database = _replace_damaged(place, damage, notices)
        if held:
            with _closed_on_failure(database):
                notices += put_right(place, database, base_model, checkpoint)
    return Opened(database, None, tuple(notices), settled=held)


def put_right(
    place: StorePath, database: Database, base_model: str, checkpoint: Callable[[str], None]
) -> list[str]:
    """Repair and sweep a store whose lock is held; returns what the owner should know."""
    notices = settle(place, database, base_model)
    checkpoint("settled")
    sweep(place, database)
    checkpoint("swept")
    return notices + missing(place, database) + published(place, database, checkpoint)


def published(place: StorePath, database: Database, checkpoint: Callable[[str], None]) -> list[str]:
    """Write the derived files; a disk that refuses is a notice, since the database has it all."""
    try:
        publish(place, database, checkpoint)
    except DlmError as error:
        return [f"{error.message}; it is written when the store is next opened"]
    return []


def _open_to_read(place: StorePath, base_model: str, refusal: DlmError) -> Opened:
    notices: list[str] = []
    try:
        database = _open_checked(_read_only, place.database)
    except CorruptStore as damage:
        database = Database.in_memory(place.database)
        with _closed_on_failure(database):
            _rescue(database, place.database, writable_folder=False)
        notices.append(damage.message)
    with _closed_on_failure(database):
        notices += settle(place, database, base_model) + missing(place, database)
    return Opened(database, refusal, tuple(notices), settled=True)


def _read_only(path: Path) -> Database:
    return Database.open_read_only(path) if path.exists() else Database.in_memory(path)


def _open_checked(opener: Callable[[Path], Database], path: Path) -> Database:
    database = opener(path)
    with _closed_on_failure(database):
        queries.read_all(database)
    return database


def _replace_damaged(place: StorePath, damage: StoreError, notices: list[str]) -> Database:
    """Set the damaged file aside and start a new one with the rows that can still be read."""
    stamp = f"{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}"
    aside = place.database.with_name(f"{place.database.name}.damaged-{stamp}")
    with sentences(place.database):
        # The log goes first: left behind, it would be played into the new file.
        for suffix in ("-wal", "-shm", ""):
            with contextlib.suppress(FileNotFoundError):
                place.database.with_name(place.database.name + suffix).rename(f"{aside}{suffix}")
    database = Database.open(place.database)
    with _closed_on_failure(database):
        _rescue(database, aside, writable_folder=True)
    notices.append(f"{damage.message}; it was kept as {aside.name}")
    return database


def _rescue(database: Database, damaged: Path, *, writable_folder: bool) -> None:
    with contextlib.suppress(sqlite3.DatabaseError):
        old = Database.open_damaged(damaged, writable_folder=writable_folder)
        with contextlib.closing(old):
            queries.rescue(database, old)


@contextlib.contextmanager
def _closed_on_failure(database: Database) -> Iterator[None]:
    try:
        yield
    except BaseException:
        database.close()
        raise
