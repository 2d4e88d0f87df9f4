"""Whether one text repeats another: near-duplicate questions, and runs of words in common.

The rules are lexical. English function words and endings are known; other languages lose only
some recall. Documents and training are not known here.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence, Set
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, TypeVar

from dlm.text.terms import NUMBER_WORDS, stem
from dlm.text.words import LIGHT_WORDS, QUESTION_WORDS, dice, distinct, grams

TRIGRAM_DICE = 0.85
_LEAST_DICE = 0.2  # below it nothing else is looked at
_QUESTION_OVERLAP = 0.5  # Jaccard of the content words
_ANSWER_OVERLAP = 0.6  # of the shorter answer
EXCHANGED_OVERLAP = 0.75

_IGNORED: Final = LIGHT_WORDS | {"any", "many", "tell"}
_NUMBERS: Final = frozenset(stem(word) for word in NUMBER_WORDS)
_T = TypeVar("_T")
_WORD = re.compile(r"\d+(?:[.,]\d+)*\w*|\w+")
_NOT = re.compile(r"n't\b")
_CONTRACTED = re.compile(r"'(?:s|re|ll|d|m|ve)\b")
_OPENING = re.compile(
    r"^(?:(?:q|question|hi|hello|so|and|ok|okay|please|kindly|excuse me|quick question|exactly|"
    r"(?:can|could|would|will) you(?: please| kindly)?|do you know|tell me|say|"
    r"i (?:want|need|would like|d like) to know|i wonder|remind me) )+"
)
_CLOSING = re.compile(r"(?: (?:please|thanks|thank you|exactly|again|then|actually|do you know))+$")


@dataclass(frozen=True, slots=True)
class Asked:
    """A question and its answer, prepared for comparison by `asked`."""

    text: str  # the words of the question, without what is merely polite
    content: tuple[str, ...]
    opening: str | None
    trigrams: frozenset[str]
    answer: frozenset[str]
    answer_text: str


def asked(question: str, answer: str) -> Asked:
    """Prepare a question with its answer; the answer may be empty."""
    text = " ".join(_words(question))
    text = _CLOSING.sub("", _OPENING.sub("", text)) or text
    words = text.split()
    return Asked(
        text=text,
        content=tuple(stem(word) for word in words if word not in _IGNORED),
        opening=next((word for word in words if word in QUESTION_WORDS), None),
        trigrams=_trigrams(text),
        answer=frozenset(stem(word) for word in _words(answer) if word not in _IGNORED),
        answer_text=" ".join(_words(answer)),
    )


def repeats(one: Asked, other: Asked) -> bool:
    """Whether the two ask the same in all but the same words.

    They do when their words agree; when content words, their order and the question word agree; or
    when the answers agree and either the content words largely do (Jaccard of 0.5 or more) or the
    character trigrams do (Dice of 0.85 or more). Different numbers make different questions, and
    where one word was exchanged for another the answers must agree nearly in full.
    """
    if one.text == other.text:
        return True
    if (alike := dice(one.trigrams, other.trigrams)) < _LEAST_DICE:
        return False
    left, right = _unmatched(one.content, other.content)
    if _numbers(left) and _numbers(right):
        return False
    if one.content == other.content and one.opening == other.opening and one.opening:
        return bool(one.content)
    near = alike >= TRIGRAM_DICE or _overlap(one, other, left, right) >= _QUESTION_OVERLAP
    return near and _same_answer(one, other, exchanged=bool(left and right))


def repetition(text: str) -> float:
    """Share of word trigrams that stood in the text before, 0..1; 0 for fewer than three words.

    seq-rep-n of Welleck et al. (2020, "Neural text generation with unlikelihood training"), n = 3.
    """
    return 1 - distinct(grams(text.lower().split(), 3))


def shares_run(one: Sequence[_T], two: Sequence[_T], length: int) -> bool:
    """Whether `length` items in a row stand in both."""
    return not set(grams(one, length)).isdisjoint(grams(two, length))


def _overlap(one: Asked, other: Asked, left: set[str], right: set[str]) -> float:
    """Jaccard of the content words, to which a question word that both begin with counts."""
    opening = int(one.opening is not None and one.opening == other.opening)
    shared = len(set(one.content)) - len(left) + opening
    total = shared + len(left) + len(right)
    return shared / total if shared > opening else 0.0


def _same_answer(one: Asked, other: Asked, *, exchanged: bool) -> bool:
    """Whether the answers agree in what they add to the questions, and in their numbers.

    Where a word of the question was `exchanged` for another they must agree nearly in full, since
    the answers to two questions made alike are often made alike too.
    """
    if one.answer_text == other.answer_text:
        return True
    known = set(one.content) | set(other.content)
    left, right = one.answer - known, other.answer - known
    if not left or not right:
        return dice(_trigrams(one.answer_text), _trigrams(other.answer_text)) >= TRIGRAM_DICE
    plain, full = sorted((left, right), key=lambda words: len(_numbers(words)))
    if not _numbers(plain) <= _numbers(full):
        return False
    if _numbers(full) and not _numbers(plain) and not plain <= full:
        return False
    if _shared(left, right) < _ANSWER_OVERLAP and not _numbers(plain):
        return False
    return not exchanged or _shared(one.answer, other.answer) >= EXCHANGED_OVERLAP


def _shared(one: Set[str], other: Set[str]) -> float:
    """The share of the smaller set that is in the other too."""
    return len(one & other) / min(len(one), len(other))


def _unmatched(one: tuple[str, ...], other: tuple[str, ...]) -> tuple[set[str], set[str]]:
    """The words of each that the other lacks; a word with one slip of the keyboard is no other."""
    left, right = set(one) - set(other), set(other) - set(one)
    for word in sorted(left):
        twin = next((found for found in sorted(right) if slipped(word, found)), None)
        if twin is not None:
            left.discard(word)
            right.discard(twin)
    return left, right


def slipped(one: str, other: str) -> bool:
    """Whether two words of five letters or more differ by one letter, or by two in turn."""
    if min(len(one), len(other)) < 5 or abs(len(one) - len(other)) > 1:
        return False
    if _is_number(one) or _is_number(other):
        return False
    start = next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), None)
    if start is None:
        return True
    a, b = one[start:], other[start:]
    return a[1:] == b[1:] or a[1:] == b or a == b[1:] or (a[:2] == b[1::-1] and a[2:] == b[2:])


def _numbers(words: Set[str]) -> set[str]:
    return {word for word in words if _is_number(word)}


@lru_cache(maxsize=65536)
def _is_number(word: str) -> bool:
    return word in _NUMBERS or any(letter.isdigit() for letter in word)


def _words(text: str) -> list[str]:
    plain = text if text.isascii() else unicodedata.normalize("NFKC", text).replace("’", "'")
    plain = plain.casefold()
    if "'" in plain:
        plain = _NOT.sub(" not", plain)
        plain = _CONTRACTED.sub("", plain).replace("'", "")
    return _WORD.findall(plain)


def _trigrams(text: str) -> frozenset[str]:
    padded = f" {text} "
    return frozenset(padded[at : at + 3] for at in range(len(padded) - 2))
