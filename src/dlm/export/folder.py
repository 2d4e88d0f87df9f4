"""The folder of an export: written beside its place, then put there whole; and its manifest.

A folder that holds anything but an earlier export is never touched.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from dlm.errors import DlmError
from dlm.files import disk_error, exchange, fsync_directory, fsync_tree, sweep_folders

MANIFEST: Final = "manifest.json"
_MADE_BY: Final = "dlm export"


def check_free(out: Path) -> None:
    """Raise DlmError unless `out` is a new or empty folder, or an earlier export."""
    try:
        if not out.exists() or (out.is_dir() and not any(out.iterdir())):
            return
    except OSError as error:
        raise disk_error(out, error) from error
    if not out.is_dir():
        raise DlmError(f"{out} is a file", hint="name a folder with --out")
    if read_manifest(out) is None:
        raise DlmError(
            f"{out} is there already and is no export of dlm; nothing was written",
            hint="name another folder with --out, or move that one away",
        )


def read_manifest(folder: Path) -> dict[str, Any] | None:
    """The manifest of an export; None when `folder` is none."""
    try:
        value = json.loads((folder / MANIFEST).read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) and value.get("made_by") == _MADE_BY else None


def write_manifest(folder: Path, facts: Mapping[str, Any]) -> None:
    """Say in `folder` what it holds; OSError as it comes."""
    text = json.dumps({"made_by": _MADE_BY, **facts}, indent=2, ensure_ascii=False, default=str)
    (folder / MANIFEST).write_text(f"{text}\n", encoding="utf-8", newline="")


@contextlib.contextmanager
def new_folder(out: Path) -> Iterator[Path]:
    """A folder beside `out` that takes its place when the block ends, and vanishes when it fails.

    An earlier export is replaced as a whole. Raises DlmError when the disk refuses.
    """
    check_free(out)
    target = out.resolve()
    work = target.parent / f".{target.name}.{secrets.token_hex(4)}.tmp"
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        sweep_folders(target.parent, target.name)
        work.mkdir()
        yield work
        fsync_tree(work)
        check_free(out)
        _put(work, target)
    except OSError as error:
        raise disk_error(out, error) from error
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _put(work: Path, target: Path) -> None:
    if not target.exists():
        work.rename(target)
    elif not exchange(work, target):
        aside = work.with_name(f".{target.name}.{secrets.token_hex(4)}.tmp")
        target.rename(aside)
        work.rename(target)
        shutil.rmtree(aside, ignore_errors=True)
    fsync_directory(target.parent)
