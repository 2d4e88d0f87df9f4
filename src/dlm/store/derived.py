"""The two files other programs read, `adapter/current.txt` and `manifest.json`.

They say what the database says; nothing here decides anything.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from dlm.errors import StoreError
from dlm.files import disk_error, write_atomic
from dlm.store import queries
from dlm.store.database import Database
from dlm.store.manifest import Manifest, load_manifest, save_manifest
from dlm.store.paths import StorePath
from dlm.store.records import version_name


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
