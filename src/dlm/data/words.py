"""Words of a text, and which of them carry no meaning of their own."""

from __future__ import annotations

import re
from typing import Final

_WORDS = (
    "a an and are as at be by can could did do does for from had has have how in is "
    "it its of on or should that the their there these they this those to was were "
    "what when where which who whom whose why will with would you your "
)
FUNCTION_WORDS: Final = frozenset(_WORDS.split())

_WORD = re.compile(r"\w+")
_WRITTEN = re.compile(r"\w+(?:[.,:'’-]\w+)*")


def content_words(text: str) -> frozenset[str]:
    """The words that carry meaning, in lower case; all words where there are no such."""
    words = frozenset(_WORD.findall(text.lower()))
    return words - FUNCTION_WORDS or words


def dice(one: frozenset[str], other: frozenset[str]) -> float:
    """Sørensen-Dice coefficient of two sets, 0..1; 1 for two empty ones."""
    total = len(one) + len(other)
    return 2 * len(one & other) / total if total else 1.0


def meaningful(text: str) -> list[str]:
    """The words that carry meaning, in order and as they are written."""
    return [word for word in _WRITTEN.findall(text) if word.lower() not in FUNCTION_WORDS]


def one_line(text: str) -> str:
    """All runs of white space as single spaces."""
    return " ".join(text.split())
