"""Opening a store: to be written when the disk allows it, else to be read; and what is put right.

A database that is damaged is set aside and rebuilt from the adapter versions; what a crash left is
swept. The files other programs read, `adapter/current.txt` and `manifest.json`, say what the
database says; they are written here and decide nothing. All of it runs under the store's lock, or
on a database in memory.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from dlm.errors import CorruptStore, DlmError, StoreError
from dlm.files import disk_error, write_atomic
from dlm.store import memory, queries, upkeep, weights
from dlm.store.database import Database, DiskRefuses, sentences
from dlm.store.locks import try_exclusive_lock
from dlm.store.manifest import Manifest, load_manifest, save_manifest
from dlm.store.paths import StorePath
from dlm.store.records import moment, name_of, now, version_name, version_number
from dlm.store.staging import Found, find_version

PRUNED = "pruned-"

_WAIT_SECONDS = 2.0


class Opened(NamedTuple):
    """An open database, why it cannot be written (or None), and what the owner should know.

    `settled` is False when another process held the lock, so that nothing could be put right.
    """

    database: Database
    refusal: DlmError | None
    notices: tuple[str, ...]
    settled: bool


def opened_store(place: StorePath, base_model: str, checkpoint: Callable[[str], None]) -> Opened:
    """Open, create, migrate, repair and sweep one store, as far as the disk lets us."""
    refusal = _refusal(place)
    if refusal is None:
        try:
            return _open_to_write(place, base_model, checkpoint)
        except DiskRefuses as error:
            refusal = error
    return _open_to_read(place, base_model, refusal)


def put_right(
    place: StorePath, database: Database, base_model: str, checkpoint: Callable[[str], None]
) -> list[str]:
    """Repair and sweep a store whose lock is held; returns what the owner should know."""
    notices = _settle(place, database, base_model)
    checkpoint("settled")
    _sweep(place, database)
    checkpoint("swept")
    return notices + _missing(place, database) + published(place, database, checkpoint)


def published(place: StorePath, database: Database, checkpoint: Callable[[str], None]) -> list[str]:
    """Write the derived files; a disk that refuses is a notice, since the database has it all."""
    try:
        _publish(place, database, checkpoint)
    except DlmError as error:
        return [f"{error.message}; it is written when the store is next opened"]
    return []


def rescue(database: Database, damaged: Database) -> None:
    """Copy every row that can still be read, except what the version folders say better."""
    tables = database.rows("SELECT name FROM sqlite_master WHERE type = 'table'")
    database.execute("PRAGMA foreign_keys = OFF")  # the versions come back after the rows
    for name in (row[0] for row in tables):
        if name not in ("meta", "versions", "current"):
            with contextlib.suppress(CorruptStore), database.transaction():
                _rescue_table(database, damaged, name)
                _read_all(database)
    database.execute("PRAGMA foreign_keys = ON")


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
        notices += _settle(place, database, base_model) + _missing(place, database)
    return Opened(database, refusal, tuple(notices), settled=True)


def _read_only(path: Path) -> Database:
    return Database.open_read_only(path) if path.exists() else Database.in_memory(path)


def _open_checked(opener: Callable[[Path], Database], path: Path) -> Database:
    database = opener(path)
    with _closed_on_failure(database):
        _read_all(database)
    return database


def _read_all(database: Database) -> None:
    """Read every row once; raises CorruptStore where one is damaged."""
    queries.meta(database)
    queries.current_number(database)
    queries.pointer_moves(database)
    queries.runs(database)
    for version in queries.versions(database, Path()):
        memory.recall(database, version.number)


@contextlib.contextmanager
def _closed_on_failure(database: Database) -> Iterator[None]:
    try:
        yield
    except BaseException:
        database.close()
        raise


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
            rescue(database, old)


def _rescue_table(database: Database, damaged: Database, name: str) -> None:
    for row in damaged.readable_rows(f"SELECT * FROM {name} ORDER BY rowid"):
        columns = ", ".join(row.keys())
        marks = ", ".join("?" * len(row))
        try:
            database.execute(f"INSERT OR IGNORE INTO {name} ({columns}) VALUES ({marks})", *row)
        except (sqlite3.DatabaseError, CorruptStore):
            continue


def _settle(place: StorePath, database: Database, base_model: str) -> list[str]:
    """Make the database say what it must: who it is, every adapter there is, which is current.

    Returns a sentence for the owner about each thing that was not as it should be.
    """
    with database.transaction():
        manifest = _read_manifest(place) or Manifest(dlm_id=place.dlm_id)
        if queries.meta(database) is None:
            _introduce(place, database, manifest)
        notices = _adopt(place, database)
        _set_meta(place, database, base_model, manifest)
        # Where nothing was lost and none ever was current there are candidates at most.
        lost = notices or queries.pointer_moves(database)
        if lost and queries.current_number(database) is None:
            _choose_current(place, database, manifest)
    return notices


def _introduce(place: StorePath, database: Database, manifest: Manifest) -> None:
    """Fill a new database with what the manifest still knows of the store."""
    created = now()
    with contextlib.suppress(ValueError):
        created = moment(manifest.created_at) if manifest.created_at else created
    meta = queries.Meta(place.dlm_id, manifest.base_model, created)
    queries.write_meta(database, meta)
    if not queries.pointer_moves(database):
        for move in manifest.adapter_history:
            if version_number(move.to_version) is not None:
                queries.add_pointer_move(database, move)


def _adopt(place: StorePath, database: Database) -> list[str]:
    """Take in version folders without a row, but for the one whose commit never ended."""
    meta = queries.meta(database)
    known = {version.number for version in queries.versions(database, place.versions)}
    if meta and meta.pending_number is not None:
        known.add(meta.pending_number)
    found = [
        find_version(folder, number)
        for number, folder in _version_folders(place)
        if number not in known and next(folder.rglob("*.safetensors"), None)
    ]
    for one in found:
        if not queries.has_run(database, one.run.run_id):
            queries.add_run(database, one.run)
        queries.add_version(database, one.version)
    return [_adoption(place, found)] if found else []


def _version_folders(place: StorePath) -> list[tuple[int, Path]]:
    """The folders that are named as versions are, oldest first."""
    folders = []
    for folder in place.versions.iterdir() if place.versions.is_dir() else ():
        number = version_number(folder.name)
        if number is not None and folder.name == version_name(number) and folder.is_dir():
            folders.append((number, folder))
    return sorted(folders)


def _adoption(place: StorePath, found: list[Found]) -> str:
    names = ", ".join(one.version.name for one in found)
    sentence = f"{place.database} did not know {names}: recorded again from the adapter folders"
    if bare := ", ".join(one.version.name for one in found if not one.vouched):
        sentence += f"; how {bare} came to be is lost"
    return sentence


def _set_meta(place: StorePath, database: Database, base_model: str, manifest: Manifest) -> None:
    meta = queries.meta(database)
    if meta is None:
        return
    numbers = [version.number for version in queries.versions(database, place.versions)]
    wanted = replace(
        meta,
        dlm_id=place.dlm_id,
        base_model=base_model or meta.base_model,
        last_number=max([meta.last_number, manifest.last_number, *numbers]),
    )
    if wanted != meta:
        queries.write_meta(database, wanted)


def _choose_current(place: StorePath, database: Database, manifest: Manifest) -> None:
    """Point at what was current as far as anything still tells, else at the newest whole."""
    versions = queries.versions(database, place.versions)
    pointed = place.resolve_current_adapter()
    said = (pointed.name if pointed else None, manifest.current_version)
    whole = [one for one in versions if weights.is_whole(one.path, one.sha256)] or versions
    ranked = sorted(whole, key=lambda one: (*(one.name == name for name in said), one.number))
    if ranked:
        queries.move_pointer(database, ranked[-1].number, "rebuilt")


def _sweep(place: StorePath, database: Database) -> None:
    """Remove what crashes left: staged folders, versions without a row, half-written files.

    A run whose process died is ended; the lock that is held here says that none is under way.
    """
    upkeep.end_vanished(database)
    known = {version.name for version in queries.versions(database, place.versions)}
    with sentences(place.root):
        for entry in list(place.staging.iterdir()):
            _sweep_staged(place, entry, known)
        meta = queries.meta(database)
        if meta and meta.pending_number is not None:
            _sweep_pending(place.versions / version_name(meta.pending_number), known)
            queries.end_pending(database)
        for folder in (place.root, place.adapter):
            for file in folder.glob(".*.tmp"):
                file.unlink(missing_ok=True)


def _sweep_pending(folder: Path, known: set[str]) -> None:
    if folder.name not in known:
        shutil.rmtree(folder, ignore_errors=True)


def _sweep_staged(place: StorePath, entry: Path, known: set[str]) -> None:
    name = entry.name.removeprefix(PRUNED).partition("-")[0]
    if name in known and not (place.versions / name).exists():
        # The prune was interrupted before the row was deleted, so the version still stands.
        entry.rename(place.versions / name)
    elif entry.is_dir() and not entry.is_symlink():
        shutil.rmtree(entry, ignore_errors=True)
    else:
        entry.unlink(missing_ok=True)


def _missing(place: StorePath, database: Database) -> list[str]:
    """A sentence about each version whose folder is gone."""
    versions = queries.versions(database, place.versions)
    gone = [version.name for version in versions if not version.path.is_dir()]
    return [f"the files of {name} are gone from {place.versions}" for name in gone]


def _publish(place: StorePath, database: Database, checkpoint: Callable[[str], None]) -> None:
    """Rewrite each derived file that disagrees with the database; raises DlmError."""
    number = queries.current_number(database)
    _point(place, name_of(number))
    checkpoint("pointer file written")
    expected = _expected_manifest(place, database)
    if _read_manifest(place) != expected:
        save_manifest(place.manifest, expected)
    checkpoint("manifest written")


def _expected_manifest(place: StorePath, database: Database) -> Manifest:
    """The manifest that fits the database."""
    meta, number = queries.meta(database), queries.current_number(database)
    return Manifest(
        dlm_id=place.dlm_id,
        base_model=meta.base_model if meta else "",
        created_at=meta.created_at.isoformat() if meta else None,
        current_version=name_of(number),
        versions=tuple(v.name for v in queries.versions(database, place.versions)),
        last_number=meta.last_number if meta else 0,
        adapter_history=queries.pointer_moves(database),
    )


def _read_manifest(place: StorePath) -> Manifest | None:
    """The manifest on disk, None when it is missing or unreadable."""
    with contextlib.suppress(StoreError):
        return load_manifest(place.manifest)
    return None


def _point(place: StorePath, name: str | None) -> None:
    try:
        if name is None:
            place.current_pointer.unlink(missing_ok=True)
            return
        expected = f"{(place.versions / name).relative_to(place.root).as_posix()}\n".encode()
        found = place.current_pointer.read_bytes() if place.current_pointer.is_file() else b""
        if found != expected:
            write_atomic(place.current_pointer, expected)
    except OSError as error:
        raise disk_error(place.current_pointer, error) from error
