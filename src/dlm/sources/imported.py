"""What a reader of files gives: text for the body of a document, and what is to be said of it."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from dlm.doc.notes import Note, read_note
from dlm.doc.render import escape_body, normalise
from dlm.errors import DlmError

_UTF_16: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_OPENS_COMMENT: Final = re.compile(r"(?<!\\)<!--")
_MARKDOWN: Final = (".md", ".markdown", ".mdown")
_NAMED: Final = 9


@dataclass(frozen=True, slots=True)
class Imported:
    """The body of a document, escaped where it needs to be, and sentences for the owner.

    `sections` says that the body holds sections rather than prose.
    """

    body: str
    notes: tuple[str, ...] = ()
    sections: bool = False


def read_bytes(path: Path) -> bytes:
    """The bytes of a file; raises DlmError when it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise DlmError(f"cannot read {path}: {error.strerror}") from error


def decoded(data: bytes, path: Path) -> str:
    """The text of UTF-8 or UTF-16 with "\\n" for newlines; raises DlmError for anything else."""
    try:
        return text_of(data)
    except UnicodeDecodeError as error:
        raise DlmError(
            f"{path} is not UTF-8 (byte {error.start})",
            hint="save it as UTF-8 first; of other files, --from takes PDF, DOCX, EPUB, HTML, "
            "CSV and JSONL",
        ) from error


def text_of(data: bytes) -> str:
    """The text of UTF-8 or UTF-16 with "\\n" for newlines; UnicodeDecodeError as it comes."""
    text = data.decode("utf-16" if data[:2] in _UTF_16 else "utf-8-sig")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def from_notes(path: Path, data: bytes) -> Imported:
    """The text of notes as prose, without their frontmatter and comments."""
    found = read_note(decoded(data, path), obsidian=path.suffix.lower() in _MARKDOWN)
    notes = [
        f"warning: {path}:{line}: {opening!r} is never closed; what follows it is kept"
        for line, opening in found.unclosed
    ]
    if left_out := _left_out(found):
        notes.append(f"left out of {path}, as it is no text to learn: {left_out}")
    return prose(path, found.text, notes)


def from_body(path: Path, data: bytes) -> Imported:
    """The body of a document as it is, whatever it holds."""
    from dlm.doc.parser import parse_bytes

    document = parse_bytes(data, path)
    return Imported(document.text[document.frontmatter_span.end :], sections=True)


def prose(path: Path, text: str, notes: Iterable[str] = ()) -> Imported:
    """Text as the prose of a document: what it would take for its own grammar is escaped."""
    text = normalise(text)
    if not text.strip():
        raise DlmError(f"{path} holds no text", hint="leave it out")
    escaped = escape_body(text)
    pairs = zip(text.split("\n"), escaped.split("\n"), strict=True)
    notes = list(notes)
    if changed := [line for line, written in pairs if line != written]:
        lines = "a line" if len(changed) == 1 else f"{len(changed)} lines"
        notes.append(
            f"escaped in {path}: {lines} that a document would act on, such as {changed[0]!r}"
        )
    return Imported(escaped + "\n", tuple(notes))


def plain(text: str) -> str:
    """The text of a file that knows no comments, so that none of it is taken for one."""
    return _OPENS_COMMENT.sub(r"\\<!--", text.replace("\0", ""))


def comment(text: str) -> str:
    """A line that says where the text below it is from, and does not train."""
    return f"<!-- {' '.join(text.split()).replace('--', '-')} -->\n"


def lines_named(places: Sequence[tuple[int, int]]) -> str:
    """`line 3`, or `lines 3, 7-9 and 4 more`, from first and last lines."""
    shown = [str(first) if first == last else f"{first}-{last}" for first, last in places]
    word = "line" if len(shown) == 1 and "-" not in shown[0] else "lines"
    more = f" and {len(shown) - _NAMED} more" if len(shown) > _NAMED else ""
    return f"{word} {', '.join(shown[:_NAMED])}{more}"


def _left_out(found: Note) -> str:
    parts: list[str] = []
    if found.frontmatter:
        parts.append(f"its frontmatter ({lines_named([found.frontmatter])})")
    if found.comments:
        word = "comment" if len(found.comments) == 1 else "comments"
        parts.append(f"{len(found.comments)} {word} ({lines_named(found.comments)})")
    return " and ".join(parts)
