"""The smallest things a document teaches: one pair, or one paragraph of prose.

An item is what is new or known, replayed, superseded or forgotten; its id depends on nothing but
its words, so that moving it changes nothing.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dlm.data.examples import Example

_PARAGRAPH_END = re.compile(r"\n[ \t]*\n\s*")


@dataclass(frozen=True, slots=True)
class Item:
    """An answer to a question, or a paragraph (`question` is None), and where it stood."""

    section_id: str
    origin: str
    line: int
    text: str
    question: str | None = None

    @property
    def item_id(self) -> str:
        """First 16 hex digits of a digest of the words; spacing at line ends does not matter."""
        words = [normal_lines(text) for text in (self.question, self.text) if text is not None]
        return hashlib.sha256("\0".join(words).encode("utf-8", "replace")).hexdigest()[:16]

    @property
    def first_words(self) -> str:
        """The question, or the beginning of the paragraph, on one line."""
        words = " ".join((self.question or self.text).split())
        return words if len(words) <= 72 else words[:71].rstrip() + "…"


def items(examples: Iterable[Example]) -> tuple[Item, ...]:
    """Every pair and every paragraph, in document order."""
    found: list[Item] = []
    for example in examples:
        if example.question is None:
            found += _paragraphs(example)
        else:
            found.append(
                Item(
                    example.section_id,
                    example.origin,
                    example.line,
                    example.text,
                    example.question,
                )
            )
    return tuple(found)


def normal_lines(text: str) -> str:
    """`text` without outer blanks and without spaces at line ends."""
    return "\n".join(line.rstrip() for line in text.strip().split("\n"))


def _paragraphs(example: Example) -> Iterable[Item]:
    start, line = 0, example.line
    for end, begin in [*_ends(example.text), (len(example.text), len(example.text))]:
        text = example.text[start:end]
        if text.strip():
            yield Item(example.section_id, example.origin, line, text)
        line += example.text.count("\n", start, begin)
        start = begin


def _ends(text: str) -> Iterable[tuple[int, int]]:
    return ((match.start(), match.end()) for match in _PARAGRAPH_END.finditer(text))
