"""Where sentences end: abbreviations, initials, numbers, quotations, ellipses and lists kept whole.

The rules follow what Punkt (Kiss and Strunk, 2006) learns, with a fixed list for English: a full
stop ends a sentence unless it belongs to an abbreviation, an initial or a number, or a small letter
follows.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from dlm.text.words import LIGHT_WORDS, one_line

# Never the last word of a sentence.
_LEADING = "mr mrs ms dr prof rev hon gen col capt lt sgt cf vs e.g i.e approx ca resp incl excl"
# The last word where a small word with a capital follows: "at 5 p.m. The shed".
_TRAILING = "st jr sr inc ltd co corp etc al u.s u.k u.n e.u a.m p.m ph.d b.c a.d mt ft min max"
# Not the last word where a number follows: "No. 4", "Fig. 2", "Jan. 5".
_COUNTED = (
    "no nos nr fig figs vol vols p pp ch sec eq ed v jan feb mar apr jun jul aug sep sept oct nov "
    "dec"
)
_LEADS: Final = frozenset(_LEADING.split())
_TRAILS: Final = frozenset(_TRAILING.split())
_COUNTS: Final = frozenset(_COUNTED.split())

_END: Final = re.compile(r"(?<![\s.!?…])[.!?…]++[\"')\]”’»*_]*+(?=\s)|[。！？]+[」』”’）]*")
_CLAUSE_END: Final = re.compile(
    r"(?<![\s.!?…:;])[.!?…:;]++[\"')\]”’»*_]*+(?=\s)|[。！？：；]+[」』”’）]*"
)
_LONGEST: Final = 24  # characters of an abbreviation, and more
_LAST_WORD: Final = re.compile(r"[^\s(\[\"'“‘]+\Z")
_NEXT_WORD: Final = re.compile(r"[\"'(\[“‘«*_]*(`?\w*)")
_INITIAL: Final = re.compile(r"[^\W\d_]\.")
_MARKER: Final = re.compile(r"\s*(?:[-*+]|(?:\d{1,3}|[A-Za-z])[.)])\s*\Z")
_ITEM_BREAK: Final = re.compile(r"\n(?=[ \t]*(?:[-*+]|\d{1,3}[.)])[ \t]+\S)")

_PARAGRAPH: Final = re.compile(r"\n[ \t]*\n")
_CODE_BLOCK: Final = re.compile(r"(?ms)^ {0,3}(`{3,}|~{3,})[^\n]*\n.*?(?:^ {0,3}\1[`~]*[ \t]*$|\Z)")
_HEADING: Final = re.compile(r"(?m)^ {0,3}#{1,6}[ \t]+(.*?)[ \t]*#*[ \t]*$")
_ITEM: Final = re.compile(r"(?m)^[ \t]*(?:[-*+]|\d{1,3}[.)])[ \t]+")


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence on one line, its paragraph, and the heading it stands under."""

    text: str
    paragraph: int
    heading: str = ""


def sentences(text: str) -> list[Sentence]:
    """The sentences of a piece of prose, in order; headings and code blocks are left out."""
    found: list[Sentence] = []
    heading = ""
    for number, paragraph in enumerate(_PARAGRAPH.split(_CODE_BLOCK.sub("\n\n", text))):
        titles = _HEADING.findall(paragraph)
        heading = titles[-1].strip() if titles else heading
        body = _HEADING.sub("", paragraph)
        found += [
            Sentence(one, number, heading)
            for item in _ITEM.split(body)
            for one in split_sentences(one_line(item))
        ]
    return found


def split_sentences(text: str) -> list[str]:
    """The sentences of `text` without the white space between them."""
    return [piece for one in pieces(text) if (piece := one.strip())]


def pieces(text: str, *, clauses: bool = False) -> Iterator[str]:
    """`text` cut where sentences end; each piece has the white space behind it, and they join to
    the text.

    An item of a list begins a piece. With `clauses` a colon and a semicolon end one too, and a
    small letter may begin one.
    """
    ends = {match.end() for match in _ITEM_BREAK.finditer(text)}
    small = clauses or text == text.lower()  # where nobody writes capitals, none is waited for
    start = 0
    for match in (_CLAUSE_END if clauses else _END).finditer(text):
        after = _past_space(text, match.end())
        if after < len(text) and _ends(text, start, match, after, small=small):
            ends.add(after)
            start = after
    for one, two in pairwise([0, *sorted(ends), len(text)]):
        if one < two:
            yield text[one:two]


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


def _ends(text: str, start: int, match: re.Match[str], after: int, *, small: bool) -> bool:
    """Whether the mark that `match` found ends the sentence that begins at `start`."""
    mark = match[0]
    if mark[0] in "。！？：；":
        return True
    following = _NEXT_WORD.match(text, after)
    word = following[1] if following else ""
    quoted = mark[-1] not in ".!?…:;"
    if word[:1].islower() and (quoted or not (small or mark[-1] in "!?")):
        return False
    if mark[0] != "." or quoted or len(mark) > 1:
        return True
    line = max(start, text.rfind("\n", start, match.start()) + 1)
    before = text[max(line, match.start() - _LONGEST) : match.start()]
    if _MARKER.fullmatch(text, line, match.end()):
        return False
    return not _abbreviates(before, word, initial=bool(_INITIAL.match(text, after)))


def _abbreviates(before: str, word: str, *, initial: bool) -> bool:
    """Whether the full stop behind `before` is one of an abbreviation or initial, before `word`,
    which may be another `initial`."""
    found = _LAST_WORD.search(before)
    last = found[0] if found else ""
    short = last.lower()
    if short in _LEADS:
        return True
    if short in _COUNTS and word[:1].isdigit():
        return True
    short_name = len(last) == 1 and last.isalpha() and last != "I"
    goes_on = initial or word.lower() not in LIGHT_WORDS
    return (short_name or short in _TRAILS) and goes_on


def _past_space(text: str, at: int) -> int:
    while at < len(text) and text[at].isspace():
        at += 1
    return at
