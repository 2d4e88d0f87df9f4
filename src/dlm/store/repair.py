"""What an open puts right: a database that is gone or behind, and the traces of a crash.

The files other programs read, `adapter/current.txt` and `manifest.json`, say what the database
says; they are written here and decide nothing. Everything here runs under the store's lock, or on
a database in memory.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from dlm.errors import StoreError
from dlm.files import disk_error, write_atomic
from dlm.store import metrics, queries, weights
from dlm.store.database import Database, sentences
from dlm.store.manifest import Manifest, load_manifest, save_manifest
from dlm.store.paths import StorePath
from dlm.store.records import moment, now, version_name, version_number
from dlm.store.staging import Found, find_version

PRUNED = "pruned-"


def settle(place: StorePath, database: Database, base_model: str) -> list[str]:
    """Make the database say what it must: who it is, every adapter there is, which is current.

    Returns a sentence for the owner about each thing that was not as it should be.
    """
    with database.transaction():
        manifest = read_manifest(place) or Manifest(dlm_id=place.dlm_id)
        if queries.meta(database) is None:
            _introduce(place, database, manifest)
        notices = _adopt(place, database)
        _set_meta(place, database, base_model, manifest)
        if queries.current_number(database) is None:
            _choose_current(place, database, manifest)
    return notices


def sweep(place: StorePath, database: Database) -> None:
    """Remove what crashes left: staged folders, versions without a row, half-written files.

    A run whose process died is ended; the lock that is held here says that none is under way.
    """
    metrics.end_vanished(database)
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


def missing(place: StorePath, database: Database) -> list[str]:
    """A sentence about each version whose folder is gone."""
    versions = queries.versions(database, place.versions)
    gone = [version.name for version in versions if not version.path.is_dir()]
    return [f"the files of {name} are gone from {place.versions}" for name in gone]


def publish(place: StorePath, database: Database, checkpoint: Callable[[str], None]) -> None:
    """Rewrite each derived file that disagrees with the database; raises DlmError."""
    number = queries.current_number(database)
    _point(place, None if number is None else version_name(number))
    checkpoint("pointer file written")
    expected = expected_manifest(place, database)
    if read_manifest(place) != expected:
        save_manifest(place.manifest, expected)
    checkpoint("manifest written")


def expected_manifest(place: StorePath, database: Database) -> Manifest:
    """The manifest that fits the database."""
    meta, number = queries.meta(database), queries.current_number(database)
    return Manifest(
        dlm_id=place.dlm_id,
        base_model=meta.base_model if meta else "",
        created_at=meta.created_at.isoformat() if meta else None,
        current_version=None if number is None else version_name(number),
        versions=tuple(v.name for v in queries.versions(database, place.versions)),
        last_number=meta.last_number if meta else 0,
        adapter_history=queries.pointer_moves(database),
    )


def read_manifest(place: StorePath) -> Manifest | None:
    """The manifest on disk, None when it is missing or unreadable."""
    with contextlib.suppress(StoreError):
        return load_manifest(place.manifest)
    return None


def version_folders(place: StorePath) -> list[tuple[int, Path]]:
    """The folders that are named as versions are, oldest first."""
    folders = []
    for folder in place.versions.iterdir() if place.versions.is_dir() else ():
        number = version_number(folder.name)
        if number is not None and folder.name == version_name(number) and folder.is_dir():
            folders.append((number, folder))
    return sorted(folders)


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
        for number, folder in version_folders(place)
        if number not in known and next(folder.rglob("*.safetensors"), None)
    ]
    for one in found:
        if not queries.has_run(database, one.run.run_id):
            queries.add_run(database, one.run)
        queries.add_version(database, one.version)
    return [_adoption(place, found)] if found else []


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
