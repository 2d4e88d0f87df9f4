"""Words of a text, which of them carry no meaning of their own, and plain forms to compare by."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import Final, TypeVar

_QUESTIONS = "what when where which who whom whose why how"
_FUNCTIONS = (
    "a an and are as at be by can could did do does for from had has have in is it its of on or "
    "should that the their there these they this those to was were will with would you your"
)
_LIGHT = (
    "about also although been being because but get gets got he her hers him his i if into itself "
    "just may me might mine much must my our ours please shall she so some such theirs them then "
    "though too up us very we while yours"
)

_ANAPHORS = "it its they them their theirs he him his she her hers this these those that such one"

QUESTION_WORDS: Final = frozenset(_QUESTIONS.split())
FUNCTION_WORDS: Final = frozenset(_FUNCTIONS.split()) | QUESTION_WORDS
"""The stop words: articles, auxiliaries, prepositions, and the words that a question begins with.
Training makes cues and rewordings by them, evaluation compares answers by them."""

LIGHT_WORDS: Final = FUNCTION_WORDS | frozenset(_LIGHT.split())
"""Pronouns, conjunctions, modal verbs and adverbs too: what two texts may differ in and still say
the same. For comparing only; a question can turn on one of them."""

ANAPHORS: Final = frozenset(_ANAPHORS.split())
"""What may stand for something that was named before."""

_T = TypeVar("_T")

_WORD = re.compile(r"\w+")
_WRITTEN = re.compile(r"\w+(?:[.,:'’-]\w+)*")
_ARTICLES = re.compile(r"\b(a|an|the)\b")
_NOT_WORD = re.compile(r"[^\w\s]", re.UNICODE)


def words(text: str) -> list[str]:
    """Runs of letters, digits and underscores, in lower case and in order."""
    return _WORD.findall(text.lower())


def content_words(text: str) -> frozenset[str]:
    """The words that carry meaning, in lower case; all words where there are no such."""
    found = frozenset(words(text))
    return found - FUNCTION_WORDS or found


def meaningful(text: str) -> list[str]:
    """The words that carry meaning, in order and as they are written: "4.6", "boat-house"."""
    return [word for word in _WRITTEN.findall(text) if word.lower() not in FUNCTION_WORDS]


def one_line(text: str) -> str:
    """All runs of white space as single spaces."""
    return " ".join(text.split())


def count(number: int, noun: str, plural: str | None = None) -> str:
    """`1 pair`, `2 pairs`."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def caseless(text: str) -> str:
    """A text by which two that differ in case and white space alone are the same."""
    return one_line(text.casefold())


def normalise(text: str) -> str:
    """Lower case, no punctuation, no articles, single spaces: SQuAD's (Rajpurkar et al., 2016)."""
    text = unicodedata.normalize("NFKC", text).lower()
    return one_line(_ARTICLES.sub(" ", _NOT_WORD.sub(" ", text)))


def grams(items: Sequence[_T], size: int) -> list[tuple[_T, ...]]:
    """Every run of `size` items, in order; none where there are fewer."""
    return [tuple(items[at : at + size]) for at in range(len(items) - size + 1)]


def distinct(items: Sequence[object]) -> float:
    """Share of the items that are different ones, 0..1; 1 for none.

    Of all runs of n words of some texts it is distinct-n (Li et al., 2016).
    """
    return len(set(items)) / len(items) if items else 1.0


def dice(one: frozenset[_T], other: frozenset[_T]) -> float:
    """Sørensen-Dice coefficient of two sets, 0..1; 1 for two empty ones."""
    total = len(one) + len(other)
    return 2 * len(one & other) / total if total else 1.0
