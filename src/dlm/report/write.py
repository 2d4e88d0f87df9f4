"""Where the page goes: a file that is new, or that was such a page before."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from dlm.errors import DlmError
from dlm.files import disk_error, write_atomic
from dlm.report.page import GENERATOR

_BEGINNING: Final = 1_000  # bytes in which a page says who made it
_MARK: Final = f'<meta name="generator" content="{GENERATOR}">'.encode()


def default_path(document: Path) -> Path:
    """`notes.report.html` beside `notes.dlm`."""
    return document.with_name(f"{document.stem}.report.html")


def write(page: str, path: Path) -> None:
    """Write the page whole or not at all; raises DlmError where something else lies there."""
    _check(path)
    write_atomic(path, page.encode("utf-8", "replace"))


def _check(path: Path) -> None:
    if path.is_dir():
        raise DlmError(f"{path} is a folder", hint="name a file in it, such as report.html")
    if not path.parent.is_dir():
        raise DlmError(f"there is no folder {path.parent}", hint="make it first")
    if path.exists() and not _is_report(path):
        raise DlmError(
            f"{path} is there already and is no report of dlm; nothing was written",
            hint="name another file with -o, or move that one away",
        )


def _is_report(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return _MARK in file.read(_BEGINNING)
    except OSError as error:
        raise disk_error(path, error) from error
