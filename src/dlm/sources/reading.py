"""`training.sources`: the files that train beside a document, read again when they are asked for.

Each becomes pieces that know their file and line. A file that did not change since it was read in
this process is not read again.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final

from dlm.doc.notes import html_comments, read_note
from dlm.errors import DocumentError
from dlm.sources.folder import Found, LeftOut, Wanted, files_below
from dlm.sources.imported import text_of
from dlm.sources.kinds import is_code
from dlm.sources.secrets import find_secrets, refuse_secrets

if TYPE_CHECKING:
    from dlm.doc.document import Document
    from dlm.doc.schema import SourceConfig

_MARKDOWN: Final = frozenset((".md", ".markdown", ".mdown", ".mdx", ".qmd"))
_MOST: Final = 2**26  # bytes of all files of a document
_PARTS: Final = re.compile(r"\n[ \t]*\n(?=[^\s)\]}])")  # of code: blank lines between definitions
_LONG: Final = 2_400  # characters of a part, which is cut at any blank line then
_NAMED: Final = 3


@dataclass(frozen=True, slots=True)
class Piece:
    """Text of a file, whole or a part of it, and the line that it begins in.

    `file` is spelled from the document's folder. `id` hangs on the text of the file alone.
    """

    file: str
    line: int
    text: str
    id: str


@dataclass(frozen=True, slots=True)
class Sources:
    """What the files of a document hold, in one order; sentences about those left out."""

    pieces: tuple[Piece, ...] = ()
    files: int = 0
    notes: tuple[str, ...] = ()
    _found: tuple[tuple[str, Found], ...] = ()

    @property
    def state(self) -> tuple[object, ...]:
        """What tells one state of the files from another."""
        return tuple((name, found.stamp) for name, found in self._found)

    def refuse_secrets(self) -> None:
        """Raise DlmError, naming file and line, when something in them looks like a secret."""
        refuse_secrets(
            [
                (f"{name}:{line}", kind)
                for name, found in self._found
                for line, kind in _secrets(found.path, found.stamp)
            ]
        )


def read_sources(document: Document) -> Sources:
    """The files that `training.sources` names, as they are now.

    Raises DocumentError, with the place of the entry, when one is not there or not allowed.
    """
    config = document.frontmatter.training
    if not config.sources:
        return Sources()
    home = document.path.resolve().parent if document.path else Path.cwd()
    left_out = LeftOut()
    named: dict[Path, tuple[str, Found]] = {}
    for number, entry in enumerate(config.sources):
        root = _root(document, home, number, entry)
        for found in files_below(root, _wanted(entry), left_out):
            name = _name(found.path, home)
            named.setdefault(found.path.resolve(), (name, found))
    pieces: list[Piece] = []
    kept: list[tuple[str, Found]] = []
    size = 0
    for name, found in named.values():
        if size + found.size > _MOST:
            left_out.too_many.append(found.path)
        elif (made := _pieces(name, found.path, found.stamp)) is None:
            left_out.not_text.append(found.path)
        else:
            size += found.size
            kept.append((name, found))
            pieces += made
    return Sources(tuple(pieces), len(kept), tuple(_notes(left_out, home)), tuple(kept))


def _name(path: Path, home: Path) -> str:
    relative = os.path.relpath(path, home).replace(os.sep, "/")
    return relative.encode("utf-8", "replace").decode("utf-8")


def _root(document: Document, home: Path, number: int, entry: SourceConfig) -> Path:
    root = home / Path(entry.path).expanduser()
    at = document.location_of("training.sources", number)
    strict = document.frontmatter.training.sources_policy == "strict"
    if strict and not root.resolve().is_relative_to(home):
        raise DocumentError(
            f"{entry.path} lies outside the folder of the document",
            at=at,
            hint="move it below, or set sources_policy to permissive",
        )
    if not root.exists():
        raise DocumentError(
            f"there is no folder or file {entry.path}", at=at, hint="check its path"
        )
    return root


def _wanted(entry: SourceConfig) -> Wanted:
    usual = Wanted()
    return Wanted(
        entry.include,
        entry.exclude,
        entry.max_files or usual.max_files,
        entry.max_bytes_per_file or usual.max_bytes,
    )


def _text(path: Path) -> str | None:
    """The text of a file with "\\n" for newlines; None for one that holds none."""
    try:
        text = text_of(path.read_bytes())
    except (OSError, UnicodeDecodeError):
        return None
    return None if "\0" in text else text


@lru_cache(maxsize=16_384)
def _secrets(path: Path, stamp: tuple[int, int, int]) -> tuple[tuple[int, str], ...]:
    text = _text(path) or ""
    return tuple((one.line, one.kind) for one in find_secrets(text, path.name))


@lru_cache(maxsize=16_384)
def _pieces(name: str, path: Path, stamp: tuple[int, int, int]) -> tuple[Piece, ...] | None:
    """The pieces of a file; None where it holds no text. `stamp` is that of what was read."""
    text = _text(path)
    return None if text is None else tuple(pieces_of(name, text))


def pieces_of(name: str, text: str) -> Iterator[Piece]:
    """Prose as one piece, without frontmatter and comments; code as its definitions."""
    id = hashlib.sha256(f"source\n{text.strip()}".encode("utf-8", "replace")).hexdigest()[:16]
    if PurePosixPath(name).suffix.lower() in _MARKDOWN:
        text = _shown(text)
    parts = _parts(text) if is_code(name) else iter([(0, text)])
    for start, part in parts:
        if part.strip():
            lead = len(part) - len(part.lstrip("\n \t"))
            lead = part.rfind("\n", 0, lead) + 1  # what indents the first line stays
            line = text.count("\n", 0, start + lead) + 1
            yield Piece(name, line, part[lead:].rstrip(), id)


def _shown(text: str) -> str:
    """A note without its frontmatter and comments; every line stays where it is."""
    if text.startswith(("---", "+++")) and (found := read_note(text).frontmatter):
        lines = text.split("\n")
        first, last = found
        lines[first - 1 : last] = [""] * (last - first + 1)
        text = "\n".join(lines)
    pieces: list[str] = []
    at = 0
    for span in html_comments(text) if "<!--" in text else ():
        pieces.append(text[at : span.start] + "\n" * text.count("\n", span.start, span.end))
        at = span.end
    return "".join([*pieces, text[at:]])


def _parts(text: str) -> Iterator[tuple[int, str]]:
    """(offset, text) of the parts of code: where a definition begins, and in long ones anywhere."""
    starts = [0, *(match.end() for match in _PARTS.finditer(text)), len(text)]
    for start, end in pairwise(starts):
        while end - start > _LONG:
            cut = text.find("\n\n", start + _LONG // 2, start + _LONG)
            cut = cut if cut > 0 else text.find("\n", start + _LONG, end)
            if cut < 0:
                break
            yield start, text[start:cut]
            start = cut + 1
        yield start, text[start:end]


def _notes(left_out: LeftOut, home: Path) -> Iterator[str]:
    """One sentence, by the reason, about the files that do not train."""
    reasons = (
        (left_out.not_text, "not text"),
        (left_out.too_large, "larger than max_bytes_per_file"),
        (left_out.unreadable, "not to be read"),
        (left_out.too_many, "beyond max_files, or 64 MiB in all"),
    )
    told = [f"{len(paths)} {why} ({_some(paths, home)})" for paths, why in reasons if paths]
    if told:
        yield f"files of training.sources left out: {'; '.join(told)}"


def _some(paths: Sequence[Path], home: Path) -> str:
    more = ", …" if len(paths) > _NAMED else ""
    return ", ".join(_name(path, home) for path in paths[:_NAMED]) + more
