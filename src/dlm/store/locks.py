"""Locks the operating system releases when their holder dies, with a note of who holds them.

Knows paths only; the store and the documents decide what a lock means.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dlm.errors import LockHeld
from dlm.files import disk_error, home

OPEN_FILES_PIN_FOLDERS = os.name == "nt"
"""Whether a folder cannot be moved while a file in it is open."""

_POLL_SECONDS = 0.05
_BUSY = (errno.EAGAIN, errno.EACCES, errno.EDEADLK)


@contextlib.contextmanager
def exclusive_lock(path: Path, *, what: str, purpose: str, wait: float) -> Iterator[None]:
    """Hold the lock file `path` alone; after `wait` seconds raises LockHeld, naming the holder."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise disk_error(path, error) from error
    try:
        if not _acquired(descriptor, wait):
            raise _held(path, what)
        _sign(descriptor, purpose)
        try:
            yield
        finally:
            with contextlib.suppress(OSError):
                os.ftruncate(descriptor, 0)
            _unlock(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def try_exclusive_lock(path: Path, *, purpose: str, wait: float = 0.0) -> Iterator[bool]:
    """Hold the lock file `path` alone if nobody else does within `wait` seconds; say whether."""
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(exclusive_lock(path, what=path.name, purpose=purpose, wait=wait))
            held = True
        except LockHeld:
            held = False
        yield held


@contextlib.contextmanager
def document_lock(path: Path, wait: float = 2.0, *, purpose: str = "edit") -> Iterator[None]:
    """Hold a document alone while it is edited; the lock file lies in `home()/locks`."""
    folder = home() / "locks"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        name = hashlib.sha256(os.fsencode(path.resolve())).hexdigest()
    except OSError as error:
        raise disk_error(folder, error) from error
    with exclusive_lock(folder / name, what=path.name, purpose=purpose, wait=wait):
        yield


@contextlib.contextmanager
def shared_use(path: Path) -> Iterator[None]:
    """Mark the file `path` as in use, beside any number of others; OSError when it is gone."""
    with path.open("rb") as file:
        _share(file.fileno())
        yield


@contextlib.contextmanager
def sole_use(path: Path) -> Iterator[bool]:
    """Whether nobody has `path` in `shared_use`; if so nobody can begin until the block ends.

    Always True where open files pin their folder: there moving a folder in use fails by itself.
    """
    if OPEN_FILES_PIN_FOLDERS:
        yield True
        return
    try:
        descriptor = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        yield True
        return
    try:
        yield _acquired(descriptor, wait=0.0)
    finally:
        os.close(descriptor)


def _acquired(descriptor: int, wait: float) -> bool:
    deadline = time.monotonic() + wait
    while True:
        try:
            _lock(descriptor)
        except OSError as error:
            if error.errno not in _BUSY:
                raise
        else:
            return True
        if time.monotonic() >= deadline:
            return False
        time.sleep(_POLL_SECONDS)


def _sign(descriptor: int, purpose: str) -> None:
    """Say who holds the lock. In place: a new file would not be the one that is locked."""
    since = datetime.now(UTC).isoformat(timespec="seconds")
    body = json.dumps({"pid": os.getpid(), "since": since, "purpose": purpose}).encode()
    # The lock holds without its note, so a full disk must not stop the work here.
    with contextlib.suppress(OSError):
        os.ftruncate(descriptor, 0)
        os.lseek(descriptor, 0, os.SEEK_SET)
        os.write(descriptor, body)


def _held(path: Path, what: str) -> LockHeld:
    try:
        note: Any = json.loads(path.read_bytes())
        since = datetime.fromisoformat(note["since"]).astimezone()
        who = f"process {int(note['pid'])} ({note['purpose']}) since {since:%Y-%m-%d %H:%M:%S}"
        stop = f"end process {int(note['pid'])}"
    except (OSError, ValueError, TypeError, KeyError):
        who, stop = "another process", "end that process"
    return LockHeld(
        f"{what} is in use by {who}",
        hint=f"wait until it is done and run the command again; if it hangs, {stop}",
    )


if sys.platform == "win32":
    import msvcrt

    # A locked byte cannot be read by others, so the byte lies far behind the note.
    _BYTE = 1 << 30

    def _lock(descriptor: int) -> None:
        os.lseek(descriptor, _BYTE, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)

    def _unlock(descriptor: int) -> None:
        os.lseek(descriptor, _BYTE, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)

    def _share(descriptor: int) -> None:
        """Nothing to do: the open file pins its folder."""

else:
    import fcntl

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def _unlock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_UN)

    def _share(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_SH)
