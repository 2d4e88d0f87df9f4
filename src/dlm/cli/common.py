"""What several commands share: finding the document, reading it, saying things."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from dlm.errors import UsageError

if TYPE_CHECKING:
    from dlm.doc.document import Document


def find_document(path: str | None) -> Path:
    """The document that is meant: `path`, or the only .dlm file of the current folder."""
    if path is not None:
        return Path(path)
    found = sorted(Path.cwd().glob("*.dlm"))
    if len(found) == 1:
        return Path(found[0].name)
    if not found:
        raise UsageError(
            "there is no .dlm file in this folder",
            hint="name the document, or create one with `dlm init notes.dlm`",
        )
    names = ", ".join(item.name for item in found[:5])
    raise UsageError(f"this folder holds several documents: {names}", hint="name the one you mean")


def read_document(path: str | None) -> Document:
    """Parse the document that is meant, and print its warnings to standard error."""
    from dlm.doc.parser import parse_file

    document = parse_file(find_document(path))
    for warning in document.warnings:
        note(f"warning: {warning}")
    return document


def split_path(path: str | None, rest: str | None) -> tuple[str | None, str | None]:
    """`command X` may mean the document X or, beside a single document, the other argument."""
    if path is not None and rest is None and not _looks_like_document(path):
        return None, path
    return path, rest


def print_json(value: object) -> None:
    """One JSON document on standard output."""
    print(json.dumps(value, indent=2, ensure_ascii=False, default=str))


def note(text: str) -> None:
    """A diagnostic, on standard error."""
    print(text, file=sys.stderr, flush=True)


def print_table(rows: Mapping[str, str]) -> None:
    """Aligned `name  value` lines on standard output."""
    width = max(len(name) for name in rows)
    for name, value in rows.items():
        print(f"  {name:<{width}}  {value}")


def count(number: int, noun: str, plural: str | None = None) -> str:
    """`1 pair`, `2 pairs`."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def _looks_like_document(path: str) -> bool:
    return path.endswith(".dlm") or Path(path).exists()
