"""How a version comes into a store: staged, checked, renamed, recorded, then made current."""

from __future__ import annotations

import errno
import json
import os
import secrets
import shutil
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from dlm.errors import DlmError, StoreError
from dlm.files import disk_error, fsync_directory, fsync_tree, write_atomic
from dlm.store import memory, queries, weights
from dlm.store.database import Database, is_full, sentences
from dlm.store.paths import StorePath
from dlm.store.records import (
    Remembered,
    RunRecord,
    Version,
    from_json,
    moment,
    name_of,
    now,
    to_json,
    version_name,
    version_number,
)

RUN_FILE = "training_run.json"
"""In a version folder: its run and the digests of the files beside it, which a lost database is
rebuilt from. It holds no text of the document, since an adapter folder may be handed on."""


class Found(NamedTuple):
    """A version as its folder tells it. `vouched` is False when its own record was unreadable."""

    version: Version
    run: RunRecord
    vouched: bool


class Staging:
    """A folder to write an adapter into. It becomes a version by `commit`, or it vanishes."""

    def __init__(
        self,
        place: StorePath,
        database: Database,
        *,
        publish: Callable[[], None],
        checkpoint: Callable[[str], None],
        after: Version | None = None,
    ) -> None:
        self._place = place
        self._database = database
        self._publish = publish
        self._checkpoint = checkpoint
        self._committed = False
        self._before = after.number if after else queries.current_number(database)
        self.number = _next_number(place, database)
        self.name = version_name(self.number)
        self.path = place.staging / secrets.token_hex(8)
        with sentences(self.path):
            self.path.mkdir(mode=0o700)

    def commit(
        self,
        run: RunRecord,
        remembered: Iterable[Remembered],
        *,
        also: Callable[[Database], object] | None = None,
        current: bool = True,
    ) -> Version:
        """Make the folder a version, durably, with its run and what it remembers.

        It becomes the current one, unless it is to stay a candidate (`current` false). `also` may
        write more rows in the same transaction. Raises StoreError when the weights are not finite
        or the disk refuses; the version that was current then stays so.
        """
        if self._committed or queries.has_run(self._database, run.run_id):
            raise StoreError(f"run {run.run_id} is already recorded in this store")
        with sentences(self.path):
            weights.check_finite(self.path)
            self._checkpoint("scanned")
            version = self._seal(run, now())
        try:
            self._move_in(version)
            self._record(version, run, remembered, also, current)
        except BaseException:
            self._move_back(version)
            raise
        self._committed = True
        self._checkpoint("committed")
        self._publish()
        return version

    def refused(self, error: Exception) -> Exception:
        """What to raise when writing into the folder failed: a sentence if the disk is full."""
        if isinstance(error, DlmError) or not is_full(self._place.staging):
            return error
        return disk_error(self.path, OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))

    def discard(self) -> None:
        """Remove the folder unless it became a version."""
        shutil.rmtree(self.path, ignore_errors=True)

    def _seal(self, run: RunRecord, at: datetime) -> Version:
        """Write the run file, take the digest, and flush everything to the disk."""
        parent = None if run.mode == "fresh" else name_of(self._before)
        digest = write_run_file(self.path, self.name, parent, at, run)
        self._checkpoint("sealed")
        fsync_tree(self.path)
        self._checkpoint("flushed")
        folder = self._place.versions / self.name
        return Version(self.number, self.name, folder, digest, at, run.run_id, parent)

    def _move_in(self, version: Version) -> None:
        # Reserved before the rename: the folder of a pending number that has no row is the trace
        # of a crash and is swept; any other folder without a row is somebody's adapter.
        queries.reserve_number(self._database, self.number)
        self._checkpoint("reserved")
        with sentences(version.path):
            self.path.rename(version.path)
            fsync_directory(self._place.versions)
            fsync_directory(self._place.staging)
        self._checkpoint("renamed")

    def _record(
        self,
        version: Version,
        run: RunRecord,
        remembered: Iterable[Remembered],
        also: Callable[[Database], object] | None,
        current: bool,
    ) -> None:
        with self._database.transaction():
            queries.add_run(self._database, run)
            queries.add_version(self._database, version)
            memory.remember(self._database, version.number, remembered)
            if also is not None:
                also(self._database)
            if current:
                queries.move_pointer(self._database, version.number, "commit")
            queries.end_pending(self._database)
            self._checkpoint("recorded")

    def _move_back(self, version: Version) -> None:
        """Undo the rename, unless the transaction was through when it was interrupted."""
        known = queries.versions(self._database, self._place.versions)
        if version.number in (one.number for one in known):
            self._committed = True
        elif version.path.is_dir():
            version.path.rename(self.path)


def write_run_file(
    folder: Path, name: str, parent: str | None, at: datetime, run: RunRecord
) -> str:
    """Write the record into a staged folder and return the digest of the whole folder.

    What the trainer put into the file under other keys stays.
    """
    digests = weights.file_digests(folder)
    digests.pop(RUN_FILE, None)
    data = _read(folder) | {
        "version": name,
        "parent": parent,
        "created_at": at.isoformat(),
        "run": to_json(run),
        "files": digests,
    }
    write_atomic(folder / RUN_FILE, (json.dumps(data, indent=2, default=str) + "\n").encode())
    return weights.folder_digest(digests | _own_digest(folder))


def find_version(folder: Path, number: int) -> Found:
    """Read a version back from its folder; one whose files changed gets a digest they fail."""
    data = _read(folder)
    name = version_name(number)
    try:
        run = from_json(RunRecord, data["run"])
        created, parent, digests = moment(data["created_at"]), data["parent"], dict(data["files"])
        if parent is not None and version_number(parent) is None:
            raise ValueError("the parent is no version")
        digest = weights.folder_digest(digests | _own_digest(folder))
    except (ValueError, TypeError, KeyError, AttributeError):
        run, created, parent = _unknown_run(folder, name), _changed_at(folder), None
        digest = weights.folder_digest(weights.file_digests(folder))
        return Found(Version(number, name, folder, digest, created, run.run_id, parent), run, False)
    return Found(Version(number, name, folder, digest, created, run.run_id, parent), run, True)


def _next_number(place: StorePath, database: Database) -> int:
    meta = queries.meta(database)
    taken = [version_number(folder.name) or 0 for folder in _folders(place)]
    return max([meta.last_number if meta else 0, *taken]) + 1


def _folders(place: StorePath) -> list[Path]:
    with sentences(place.versions):
        return [path for path in place.versions.iterdir() if path.is_dir()]


def _read(folder: Path) -> dict[str, Any]:
    try:
        data = json.loads((folder / RUN_FILE).read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return data if isinstance(data, dict) else {}


def _own_digest(folder: Path) -> dict[str, str]:
    return {RUN_FILE: weights.file_digest(folder / RUN_FILE)}


def _unknown_run(folder: Path, name: str) -> RunRecord:
    at = _changed_at(folder)
    return RunRecord(f"unknown-{name}", at, at, "", "", "", "", "fresh", stop_reason="unknown")


def _changed_at(folder: Path) -> datetime:
    return datetime.fromtimestamp(int(folder.stat().st_mtime), UTC)
