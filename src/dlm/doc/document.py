"""A document: the exact text that was read, and views into it. Nothing ever prints it anew.

How text becomes a document is known to `parser`, which hands itself over; what a change of a key
looks like, to `settings`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dlm.doc.frontmatter import Warning_, find_entry
from dlm.doc.schema import Frontmatter
from dlm.doc.sections import Pair, Section
from dlm.doc.settings import Setting, set_key
from dlm.doc.spans import Source, Span, Splice, apply_splices
from dlm.doc.yaml_tree import Node
from dlm.errors import DocumentError, Location

__all__ = ["Document", "Warning_"]


@dataclass(frozen=True, slots=True)
class Document:
    """A `.dlm` file. `frontmatter_span` and the spans of the sections tile `text`.

    `tree` holds the keys of the frontmatter with their places, `yaml_span` the lines between the
    dashes, and `parse` reads a text as this one was read.
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
    parse: Callable[..., Document] = field(repr=False, compare=False)

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
        return self.parse(apply_splices(self.text, splices), path=self.path)

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


def _put(values: dict[str, Any], path: Sequence[str], value: Setting) -> None:
    """Set the value at a path of keys, making the mappings above it."""
    for key in path[:-1]:
        values[key] = values.get(key) or {}
        values = values[key]
    values[path[-1]] = list(value) if isinstance(value, list | tuple) else value
