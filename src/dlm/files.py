"""Where dlm keeps its files, and the one way bytes reach the disk: whole, durable, or not at all.

Knows nothing of documents or stores.
"""

from __future__ import annotations

import contextlib
import errno
import glob
import os
import re
import secrets
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from dlm.errors import DlmError, EditConflict

_UNFINISHED = 3600.0  # seconds
_HERE = -100  # AT_FDCWD
_EXCHANGE = 2  # RENAME_EXCHANGE of Linux, RENAME_SWAP of macOS


def home() -> Path:
    """The folder of everything dlm keeps: `$DLM_HOME`, else `~/.dlm`; read at each call."""
    return Path(os.environ.get("DLM_HOME") or "~/.dlm").expanduser().absolute()


def write_atomic(
    path: Path,
    data: bytes,
    *,
    mode: int | None = None,
    last_check: Callable[[], None] = lambda: None,
    expected: bytes | None = None,
) -> None:
    """Replace `path` by `data` so that a reader, or a crash, sees the old bytes or the new ones.

    Follows a symbolic link to its target and keeps the permission bits of a file that exists;
    `mode` sets those of a new one. `last_check` is called when all is on the disk and only the
    replacement is left; what it raises stops the write. With `expected`, a file that holds anything
    else at the very moment of the replacement is left as it is, and EditConflict raised. Raises
    DlmError, naming the path, when the disk refuses.
    """
    target = path.resolve()
    temporary = target.parent / f".{target.name}.{secrets.token_hex(4)}.tmp"
    try:
        keep = _permissions(target, mode)
        with temporary.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if keep is not None:
            temporary.chmod(keep)
        last_check()
        if expected is None:
            temporary.replace(target)
        else:
            _replace_expected(temporary, target, expected)
        fsync_directory(target.parent)
    except OSError as error:
        raise disk_error(path, error) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A file beside `path` to be written, which takes its place, durably, when the block ends.

    Where the block fails nothing is left. Raises DlmError when the disk refuses.
    """
    target = path.resolve()
    temporary = target.parent / f".{target.name}.{secrets.token_hex(4)}.tmp"
    try:
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(target)
        fsync_directory(target.parent)
    except OSError as error:
        raise disk_error(path, error) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def write_new(path: Path, data: bytes) -> None:
    """Write a file that is not there yet, whole or not at all.

    Raises EditConflict where there is one, DlmError when the disk refuses.
    """
    temporary = path.parent / f".{path.name}.{secrets.token_hex(4)}.tmp"
    try:
        with temporary.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        try:
            path.hardlink_to(temporary)
        except FileExistsError:
            raise EditConflict(f"{path} is there already; it was left as it is") from None
        except OSError:
            # A file system without links: the name is taken first, then filled in one step.
            with path.open("xb"):
                temporary.replace(path)
        fsync_directory(path.parent)
    except FileExistsError:
        raise EditConflict(f"{path} is there already; it was left as it is") from None
    except OSError as error:
        raise disk_error(path, error) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def _replace_expected(temporary: Path, target: Path, expected: bytes) -> None:
    """Replace `target`, and take that back when another save came between the look and the leap.

    Where the system cannot exchange two files, the look alone must do.
    """
    if _holds(target, expected):
        written = temporary.read_bytes()
        if not exchange(temporary, target):
            temporary.replace(target)
            return
        if _holds(temporary, expected):
            return
        # Somebody's save is in our hands: back with it, and with what was saved after it.
        while not _holds(temporary, written) and exchange(temporary, target):
            pass
    raise EditConflict(
        f"{target} was changed meanwhile; nothing was written", hint="run the command again"
    )


def _holds(path: Path, data: bytes) -> bool:
    try:
        return path.read_bytes() == data
    except FileNotFoundError:
        return False


def exchange(one: Path, other: Path) -> bool:
    """Let two files change their names in one step; False where the system knows no such step."""
    if sys.platform not in ("linux", "darwin"):
        return False
    import ctypes  # seldom needed, and slow to load

    library = ctypes.CDLL(None, use_errno=True)
    first, second = os.fsencode(one), os.fsencode(other)
    try:
        if sys.platform == "linux":
            failed = library.renameat2(_HERE, first, _HERE, second, _EXCHANGE)
        else:
            failed = library.renamex_np(first, second, _EXCHANGE)
    except AttributeError:
        return False
    if not failed:
        return True
    number = ctypes.get_errno()
    if number in (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP):
        return False
    raise OSError(number, os.strerror(number), str(other))


def sweep_leftovers(path: Path, *, older_than: float) -> None:
    """Remove what writes of `path` left beside it that were killed `older_than` seconds ago."""
    target = path.resolve()
    name = re.compile(rf"\.{re.escape(target.name)}\.[0-9a-f]{{8}}\.tmp")
    with contextlib.suppress(OSError):
        for entry in target.parent.iterdir():
            if name.fullmatch(entry.name) and entry.stat().st_mtime < time.time() - older_than:
                entry.unlink()


def sweep_folders(parent: Path, name: str) -> None:
    """Remove the unfinished folders of `name`: after an hour they belong to no running process."""
    for left in parent.glob(f".{glob.escape(name)}.*.tmp"):
        with contextlib.suppress(OSError):
            if left.stat().st_mtime < time.time() - _UNFINISHED:
                shutil.rmtree(left, ignore_errors=True)


def fsync_tree(folder: Path) -> None:
    """Flush every file below `folder`, then the folders, to the disk."""
    for root, _, names in os.walk(folder, topdown=False):
        for name in names:
            descriptor = os.open(Path(root) / name, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        fsync_directory(Path(root))


def fsync_directory(folder: Path) -> None:
    """Flush a directory entry; a no-op where the platform cannot open directories."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)


def disk_error(path: Path, error: OSError) -> DlmError:
    """The sentence for a disk that refuses: full, read-only, not permitted, or anything else."""
    reason = error.strerror or str(error)
    hints = {
        errno.ENOSPC: "free some space and run the command again; nothing was changed",
        errno.EDQUOT: "free some of your quota and run the command again; nothing was changed",
        errno.EROFS: "the file system is read-only; set DLM_HOME to a folder that can be written",
        errno.EACCES: "check who owns the folder and its permissions",
        errno.ENOENT: "create the folder, or set DLM_HOME to one that can be written",
        errno.EPERM: "check who owns the folder and its permissions",
    }
    return DlmError(f"cannot write {path}: {reason}", hint=hints.get(error.errno or 0))


def _permissions(target: Path, mode: int | None) -> int | None:
    try:
        return target.stat().st_mode & 0o7777
    except FileNotFoundError:
        return mode
