"""A document: the exact text that was read, and views into it. Nothing ever prints it anew.

The only reader of documents, too: bytes are decoded, the top goes to `frontmatter`, the rest to
`scanner`. What a change of a key looks like is known to `settings`.
"""

from __future__ import annotations

import codecs
import gc
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from dlm.doc.frontmatter import Warning_, find_entry, read_frontmatter
from dlm.doc.scanner import scan_body
from dlm.doc.schema import Frontmatter
from dlm.doc.sections import Pair, Section
from dlm.doc.settings import Setting, set_key
from dlm.doc.spans import BOM, Source, Span, Splice, apply_splices
from dlm.doc.yaml_tree import Node
from dlm.errors import DocumentError, Location

__all__ = ["Document", "Warning_", "parse_bytes", "parse_file", "parse_text"]

_OTHER_ENCODINGS: Final = (
    (codecs.BOM_UTF32_LE, "UTF-32"),
    (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
)


@dataclass(frozen=True, slots=True)
class Document:
    """A `.dlm` file. `frontmatter_span` and the spans of the sections tile `text`.

    `tree` holds the keys of the frontmatter with their places, `yaml_span` the lines between the
    dashes.
    """

    text: str
    path: Path | None
    frontmatter: Frontmatter
    frontmatter_span: Span
    sections: tuple[Section, ...]
    warnings: tuple[Warning_, ...]
    tree: Node = field(repr=False, compare=False)
    yaml_span: Span = field(repr=False, compare=False)
    source: Source = field(repr=False, compare=False)

    @classmethod
    def open(cls, path: str | Path) -> Document:
        """Read the document at `path`; DocumentError when it cannot be read as one."""
        return parse_file(path)

    @property
    def newline(self) -> str:
        """The newline of the file: that of its first line."""
        first = self.text.find("\n")
        return "\r\n" if first > 0 and self.text[first - 1] == "\r" else "\n"

    @property
    def sha256(self) -> str:
        """The hex digest of the bytes of the file."""
        return hashlib.sha256(self.to_bytes()).hexdigest()

    def to_bytes(self) -> bytes:
        """The bytes of the file, which are the bytes that were read."""
        return self.text.encode()

    def location(self, offset: int) -> Location:
        """The path, line and column of a character."""
        return self.source.location(offset)

    def location_of(self, key: str, item: int | None = None) -> Location:
        """The place of the value of a dotted key, or of an item of it; the top for one not set."""
        entry = find_entry(self.tree, tuple(key.split(".")))
        node = entry.value if entry else self.tree
        if item is not None and node.items:
            node = node.items[item]
        return self.location(node.span.start)

    def pairs(self) -> Iterator[tuple[Section, Pair]]:
        """Every pair with its section, in the order of the text."""
        for section in self.sections:
            for pair in section.pairs:
                yield section, pair

    def apply(self, splices: Iterable[Splice]) -> Document:
        """The document after the splices, parsed anew.

        Raises EditConflict when two of them overlap, and DocumentError when the result is not a
        document; this one stays as it is.
        """
        return parse_text(apply_splices(self.text, splices), path=self.path)

    def set_key(self, key: str, value: Setting) -> Splice:
        """The splice that sets a key such as `training.seed` and touches nothing else.

        Raises DocumentError for a key that no document has, and for a value it cannot hold.
        """
        splice = set_key(self.source, self.tree, key, value, self.newline)
        after = self.apply([splice])
        wanted = self.tree.plain()
        _put(wanted, key.split("."), value)
        if after.tree.plain() != wanted or after.text[after.frontmatter_span.end :] != self._body:
            raise DocumentError(
                f"{key} cannot be set without rewriting the frontmatter around it",
                at=self.location(self.yaml_span.start),
                hint="change it by hand",
            )
        return splice

    @property
    def _body(self) -> str:
        return self.text[self.frontmatter_span.end :]


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


def _put(values: dict[str, Any], path: Sequence[str], value: Setting) -> None:
    """Set the value at a path of keys, making the mappings above it."""
    for key in path[:-1]:
        values[key] = values.get(key) or {}
        values = values[key]
    values[path[-1]] = list(value) if isinstance(value, list | tuple) else value
