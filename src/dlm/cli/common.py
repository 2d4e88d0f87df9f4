"""What several commands share: finding and reading the document, printing.

Text that others wrote is shown so that nothing in it can act on the terminal.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final, TextIO

from dlm.errors import UsageError

if TYPE_CHECKING:
    from dlm.doc.document import Document
    from dlm.store.store import Store


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
    """One JSON document on standard output; halves of characters, which none can hold, replaced."""
    text = json.dumps(value, indent=2, ensure_ascii=False, default=str)
    print(text.encode("utf-8", "replace").decode("utf-8"))


def note(text: str) -> None:
    """A diagnostic, on standard error."""
    print(text, file=sys.stderr, flush=True)


def print_table(rows: Mapping[str, str]) -> None:
    """Aligned `name  value` lines on standard output."""
    width = max(len(name) for name in rows)
    for name, value in rows.items():
        print(f"  {name:<{width}}  {value}")


class LiveLine:
    """A line on a terminal that is written over; nothing where `stream` is none."""

    def __init__(self, stream: TextIO) -> None:
        self._stream, self.live = stream, stream.isatty()

    def show(self, text: str) -> None:
        """Put the text in the place of what the line said before."""
        if self.live:
            self._stream.write(f"\r\x1b[K{text}")
            self._stream.flush()


def _looks_like_document(path: str) -> bool:
    return path.endswith(".dlm") or Path(path).exists()


# Everything that moves the cursor, reorders a line or is no character at all.
_ACTS: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)
_COLOURS: Final = {"+": "\x1b[32m", "-": "\x1b[31m", "@": "\x1b[36m"}
_PLAIN: Final = "\x1b[0m"


def shown(text: str) -> str:
    """The text with what would act on a terminal written out, as in `\\x1b`."""
    return _ACTS.sub(_written_out, text.replace("\r\n", "\n"))


def one_line(text: str, width: int = 72) -> str:
    """The text on one line of at most `width` characters."""
    line = shown(" ".join(text.split()))
    return line if len(line) <= width else f"{line[: width - 1]}…"


def print_diff(diff: str) -> None:
    """A diff on standard output: coloured and made safe on a terminal, otherwise as it is."""
    if not sys.stdout.isatty():
        sys.stdout.write(diff)
        return
    for line in shown(diff).split("\n")[:-1]:
        colour = "" if line.startswith(("+++", "---")) else _COLOURS.get(line[:1], "")
        print(painted(line, colour))


def painted(line: str, colour: str) -> str:
    """The line in a colour, unless NO_COLOR asks for none."""
    if not colour or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return line
    return f"{colour}{line}{_PLAIN}"


def green(line: str) -> str:
    return painted(line, _COLOURS["+"])


def require_terminal(what: str, hint: str) -> None:
    """Refuse what asks questions when there is nobody to answer."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError(f"{what} asks questions, and this is not a terminal", hint=hint)


def _written_out(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


@contextlib.contextmanager
def document_store(document: Document) -> Iterator[Store]:
    """The store of a document, made where there is none; what it has to say is noted."""
    from dlm.store.store import open_store

    with open_store(document) as store:
        for text in store.notices:
            note(f"note: {text}")
        yield store


@contextlib.contextmanager
def trained_store(document: Document) -> Iterator[Store | None]:
    """The store of a document that has one; reading it does not make it."""
    from dlm.store.paths import for_dlm

    if for_dlm(document.frontmatter.dlm_id).is_used:
        with document_store(document) as store:
            yield store
    else:
        yield None
