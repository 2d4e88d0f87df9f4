"""A text as sentences: headings and code blocks left out, abbreviations and code kept whole."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from dlm.data.words import one_line

_PARAGRAPH: Final = re.compile(r"\n[ \t]*\n")
_CODE_BLOCK: Final = re.compile(r"(?ms)^ {0,3}(`{3,}|~{3,})[^\n]*\n.*?(?:^ {0,3}\1[`~]*[ \t]*$|\Z)")
_HEADING: Final = re.compile(r"(?m)^ {0,3}#{1,6}[ \t]+(.*?)[ \t]*#*[ \t]*$")
_ITEM: Final = re.compile(r"(?m)^[ \t]*(?:[-*+]|\d{1,3}[.)])[ \t]+")
_ABBREVIATION: Final = re.compile(
    r"\b(?:Mr|Mrs|Ms|Dr|St|Prof|vs|etc|e\.g|i\.e|cf|No|Fig|approx|Jr|Sr|U\.S|U\.K|a\.m|p\.m|[A-Z])\.$"
)
_END: Final = re.compile(r"[.!?…][\"')\]”’]*\s+(?=[\"'(\[`“‘]?[A-Z0-9`])")


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence on one line, its paragraph, and the heading it stands under."""

    text: str
    paragraph: int
    heading: str = ""


def sentences(text: str) -> list[Sentence]:
    """The sentences of a piece of prose, in order."""
    found: list[Sentence] = []
    heading = ""
    for number, paragraph in enumerate(_PARAGRAPH.split(_CODE_BLOCK.sub("\n\n", text))):
        titles = _HEADING.findall(paragraph)
        heading = titles[-1].strip() if titles else heading
        body = _HEADING.sub("", paragraph)
        for item in _ITEM.split(body):
            found += [Sentence(one, number, heading) for one in _split(one_line(item))]
    return found


def split_at_headings(text: str) -> list[str]:
    """The text cut before each heading that is no line of a code block; the pieces join to it."""
    blocks = [match.span() for match in _CODE_BLOCK.finditer(text)]
    cuts = [
        match.start()
        for match in _HEADING.finditer(text)
        if not any(start <= match.start() < end for start, end in blocks)
    ]
    places = [0, *[cut for cut in cuts if cut], len(text)]
    return [text[one:two] for one, two in pairwise(places)]


def _split(text: str) -> Iterator[str]:
    start = 0
    for match in _END.finditer(text):
        piece = text[start : match.end()].strip()
        if _ABBREVIATION.search(piece):
            continue
        if piece:
            yield piece
        start = match.end()
    if text[start:].strip():
        yield text[start:].strip()
