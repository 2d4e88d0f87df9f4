"""Bytes or text to a `Document`.

The only reader of documents: it decodes, then hands the top to `frontmatter` and the rest to
`scanner`. Whatever cannot be read raises DocumentError with its place.
"""

from __future__ import annotations

import codecs
import gc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from dlm.doc.document import Document
from dlm.doc.frontmatter import Warning_, read_frontmatter
from dlm.doc.scanner import scan_body
from dlm.doc.spans import BOM, Source, Span
from dlm.errors import DocumentError, Location

_OTHER_ENCODINGS: Final = (
    (codecs.BOM_UTF32_LE, "UTF-32"),
    (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
)


def parse_file(path: str | Path) -> Document:
    """Read the document at `path`."""
    path = Path(path)
    try:
        if path.is_dir():
            raise DocumentError(f"{path} is a folder", hint="name the .dlm file inside it")
        if path.exists() and not path.is_file():
            raise DocumentError(f"{path} is not a regular file", hint="name a .dlm file")
        data = path.read_bytes()
    except FileNotFoundError as error:
        hint = f"`dlm init {path}` writes a new one; otherwise check the name"
        raise DocumentError(f"there is no file {path}", hint=hint) from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        hint = "check the name, who owns the file and its permissions"
        raise DocumentError(f"cannot read {path}: {reason}", hint=hint) from error
    if not data:
        hint = "`dlm init` writes a new document; take another name, or remove this file first"
        raise DocumentError("the file is empty", at=Location(str(path), 1, 1), hint=hint)
    return parse_bytes(data, path)


def parse_bytes(data: bytes, path: Path | None = None) -> Document:
    """Decode UTF-8 and parse; `to_bytes` of the result is `data`."""
    for mark, name in _OTHER_ENCODINGS:
        if data.startswith(mark):
            raise DocumentError(
                f"the file is {name}, and a document is UTF-8",
                at=Location(_name(path), 1, 1),
                hint="save it as UTF-8 in your editor",
            )
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        start = data.rfind(b"\n", 0, error.start) + 1
        before = data[start : error.start].decode().removeprefix(BOM if start == 0 else "")
        line = data.count(b"\n", 0, error.start) + 1
        raise DocumentError(
            f"the byte 0x{data[error.start]:02x} is not UTF-8",
            at=Location(_name(path), line, len(before) + 1),
            hint="save the file as UTF-8 in your editor",
        ) from error
    return parse_text(text, path=path)


def parse_text(text: str, *, path: Path | None = None) -> Document:
    """Parse the text of a document; every pair and marker in it is checked."""
    source = Source(text, _name(path))
    _check_characters(source)
    header = read_frontmatter(source)
    with _collector_paused():
        scan = scan_body(source, header.span.end)
    notes = tuple(Warning_(message, source.location(at)) for at, message in scan.warnings)
    return Document(
        text=text,
        path=path,
        frontmatter=header.values,
        frontmatter_span=Span(0, scan.start),
        sections=scan.sections,
        warnings=header.warnings + notes,
        tree=header.tree,
        yaml_span=header.yaml_span,
        source=source,
        parse=parse_text,
    )


@contextmanager
def _collector_paused() -> Iterator[None]:
    # All that a scan makes stays alive; to walk it again and again would take a fifth of the time.
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _check_characters(source: Source) -> None:
    nul = source.text.find("\0")
    if nul >= 0:
        raise DocumentError(
            "the text holds a NUL character", at=source.location(nul), hint="remove it"
        )
    try:
        source.text.encode()
    except UnicodeEncodeError as error:
        raise DocumentError(
            f"the text holds U+{ord(source.text[error.start]):04X}, half of a character",
            at=source.location(error.start),
            hint="remove it",
        ) from error


def _name(path: Path | None) -> str | None:
    return None if path is None else str(path)
