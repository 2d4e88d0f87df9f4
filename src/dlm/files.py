"""The one way bytes reach the disk: whole, durable, or not at all.

Knows nothing of documents or stores.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import time
from collections.abc import Callable
from pathlib import Path

from dlm.errors import DlmError


def write_atomic(
    path: Path,
    data: bytes,
    *,
    mode: int | None = None,
    last_check: Callable[[], None] = lambda: None,
) -> None:
    """Replace `path` by `data` so that a reader, or a crash, sees the old bytes or the new ones.

    Follows a symbolic link to its target and keeps the permission bits of a file that exists;
    `mode` sets those of a new one. `last_check` is called when all is on the disk and only the
    replacement is left; what it raises stops the write. Raises DlmError, naming the path, when the
    disk refuses.
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
        temporary.replace(target)
        fsync_directory(target.parent)
    except OSError as error:
        raise disk_error(path, error) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def sweep_leftovers(path: Path, *, older_than: float) -> None:
    """Remove what writes of `path` left beside it that were killed `older_than` seconds ago."""
    target = path.resolve()
    name = re.compile(rf"\.{re.escape(target.name)}\.[0-9a-f]{{8}}\.tmp")
    with contextlib.suppress(OSError):
        for entry in target.parent.iterdir():
            if name.fullmatch(entry.name) and entry.stat().st_mtime < time.time() - older_than:
                entry.unlink()


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
