"""Places in a text and changes to it: spans, splices, line numbers.

Knows nothing of documents; offsets count characters, lines end at "\\n" only.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import accumulate
from typing import NamedTuple

from dlm.errors import EditConflict, Location

BOM = "\ufeff"

_STRIDE = 1024


class Span(NamedTuple):
    """A half-open range of characters in a text."""

    start: int
    end: int

    def of(self, text: str) -> str:
        """The characters of `text` in this range."""
        return text[self.start : self.end]


class Splice(NamedTuple):
    """Put `text` where `span` was; an empty span inserts."""

    span: Span
    text: str


def apply_splices(text: str, splices: Iterable[Splice]) -> str:
    """Return `text` with every splice applied; all else is kept character for character.

    Insertions at one place keep the order they came in. Raises EditConflict when two overlap.
    """
    pieces: list[str] = []
    cursor = 0
    for splice in sorted(splices, key=lambda splice: splice.span):
        span = splice.span
        if span.end < span.start or span.end > len(text):
            raise EditConflict(
                "an edit lies outside the text it was planned for",
                hint="read the document again and plan the edit anew",
            )
        if span.start < cursor:
            raise EditConflict(
                "two edits touch the same lines", hint="apply one of them, then plan the other anew"
            )
        pieces += (text[cursor : span.start], splice.text)
        cursor = span.end
    return "".join((*pieces, text[cursor:]))


class LineIndex:
    """How many lines stand before every so many characters of a text, counted once."""

    __slots__ = ("_before", "_text")

    def __init__(self, text: str) -> None:
        starts = range(0, len(text) + 1, _STRIDE)
        breaks = (text.count("\n", start, start + _STRIDE) for start in starts)
        self._before = list(accumulate(breaks, initial=0))
        self._text = text

    def line(self, offset: int) -> int:
        """The line of `offset`, counted from 1."""
        stride = offset // _STRIDE
        return 1 + self._before[stride] + self._text.count("\n", stride * _STRIDE, offset)

    def location(self, offset: int, path: str | None = None) -> Location:
        """The line and column of `offset`; a byte order mark takes no column."""
        start = self._text.rfind("\n", 0, offset) + 1
        if start == 0 and self._text.startswith(BOM):
            start = 1
        return Location(path, self.line(offset), max(offset - start, 0) + 1)


@dataclass(slots=True)
class Source:
    """A text with its path; its lines are counted when a line number is first asked for."""

    text: str
    path: str | None = None
    first_line: int = 1
    _index: LineIndex | None = field(default=None, repr=False, compare=False)

    def line(self, offset: int) -> int:
        """The line of `offset`, counted from `first_line`."""
        if self._index is None:
            self._index = LineIndex(self.text)
        return self._index.line(offset) + self.first_line - 1

    def location(self, offset: int) -> Location:
        """The place of `offset`, with the path of the text."""
        line = self.line(offset)
        assert self._index is not None
        return Location(self.path, line, self._index.location(offset).column)
