"""Words of an English sentence as grounding sees them: stems, numbers, names, function words.

Numbers are compared by value ("eleven" is 11), code and names as they are spelled, other words by a
light stem. Knows nothing of passages or models.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import Final

from dlm.loops.synth.lexicon import (
    ASKING_WORDS,
    CALENDAR,
    FUNCTIONS,
    IRREGULAR,
    NEGATIONS,
    ORDINALS,
    PEOPLE_WORDS,
    QUANTITIES,
    RELATIONS,
    REQUESTING_WORDS,
    SCALES,
    TENS,
    TITLES,
    UNITS,
)


class Kind(Enum):
    """What a word is for: `NUMBER` and `NAME` are the key terms that must be exact."""

    FUNCTION = "function"
    WORD = "word"
    NUMBER = "number"
    NAME = "name"


@dataclass(frozen=True, slots=True)
class Word:
    """`key` is what two words are compared by; `at` counts words from the start of the text."""

    text: str
    key: str
    kind: Kind
    at: int

    @property
    def is_key_term(self) -> bool:
        return self.kind in (Kind.NUMBER, Kind.NAME)


_TOKEN: Final = re.compile(
    r"`[^`\n]+`|[^\W\d_]+(?:['’][^\W\d_]+)*(?:-[^\W\d_]+)*(?=\W|\Z)(?![._/]\w)|"
    r"\d+(?:[.,:/]\d+)*(?=\W|\Z)(?!\.\w)|[\w./\\@#$-]*\w(?:\(\))?"
)
_IDENTIFIER: Final = re.compile(
    r"[A-Z]{2,}|[a-z][A-Z]|[A-Z][a-z]+[A-Z]|_|\d[A-Za-z]|[A-Za-z]\d|\w\.\w"
)

_SUFFIXES: Final = (
    ("ies", "y"), ("ied", "y"), ("ing", ""), ("ed", ""), ("sses", "ss"), ("shes", "sh"),
    ("ches", "ch"), ("xes", "x"), ("zes", "z"), ("oes", "o"), ("s", ""),
)  # fmt: skip


def words(text: str, names: Iterable[str] = ()) -> list[Word]:
    """The words of `text` in order; `names` are further spellings to be taken as names."""
    known = frozenset(names)
    found: list[Word] = []
    starts_sentence = True
    end = 0
    for match in _TOKEN.finditer(text):
        gap = text[end : match.start()]
        starts_sentence = not found or (
            bool(re.search(r"[.!?:]\s|\n", gap)) and found[-1].text.lower() not in TITLES
        )
        end = match.end()
        key, kind = _classify(match[0], starts_sentence, known)
        found.append(Word(match[0], key, kind, len(found)))
    return _joined_numbers(found)


def content(found: Iterable[Word]) -> list[Word]:
    """The words that carry meaning; relations such as "not" and "before" among them."""
    return [word for word in found if word.kind is not Kind.FUNCTION]


def names_in(text: str) -> frozenset[str]:
    """Every word that stands capitalised where no sentence begins, and every identifier."""
    return frozenset(word.text for word in words(text) if word.kind is Kind.NAME)


@lru_cache(maxsize=4096)
def stem(word: str) -> str:
    """A light stem: plural, -ed and -ing forms of a word agree with its base form."""
    word = word.lower().replace("’", "'").removesuffix("'s")
    if word in IRREGULAR:
        return IRREGULAR[word]
    for suffix, put in _SUFFIXES:
        if word.endswith(suffix) and len(word) - len(suffix) >= 3 and not word.endswith("ss"):
            word = word[: -len(suffix)] + put
            break
    if len(word) > 3 and word[-1] == word[-2] and word[-1] not in "aeiouls":
        word = word[:-1]
    return word[:-1] if len(word) > 3 and word.endswith("e") else word


def _classify(token: str, starts_sentence: bool, known: frozenset[str]) -> tuple[str, Kind]:
    if token.startswith("`"):
        return token.strip("` ").removesuffix("()"), Kind.NAME
    lower = token.lower()
    number = _number(lower)
    if number is not None:
        return number, Kind.NUMBER
    if _IDENTIFIER.search(token):
        return token.removesuffix("()"), Kind.NAME
    if lower in CALENDAR:
        return lower, Kind.NAME
    if lower in NEGATIONS or lower.endswith(("n't", "n’t")):
        return "not", Kind.WORD
    bare = re.sub(r"['’]s\Z", "", token)
    if bare in known and lower not in FUNCTIONS:
        return bare, Kind.NAME
    if lower in FUNCTIONS:
        return lower, Kind.FUNCTION
    if token[0].isupper() and not starts_sentence:
        return bare, Kind.NAME
    return (lower if lower in RELATIONS else stem(lower)), Kind.WORD


def _number(token: str) -> str | None:
    """The value of a number word or figure; ordinals are values of their own kind."""
    if token[0].isdigit():
        if re.fullmatch(r"\d+(?:st|nd|rd|th)", token):
            return f"#{int(token[:-2])}"
        if re.fullmatch(r"\d{1,3}(?:,\d{3})+", token):
            return token.replace(",", "")
        return token.lstrip("0") or "0" if re.fullmatch(r"\d+(?:[.,:/]\d+)*", token) else None
    if token in ORDINALS:
        return f"#{ORDINALS[token]}"
    if token in QUANTITIES:
        return QUANTITIES[token]
    if token in SCALES:
        return str(SCALES[token])
    head, _, tail = token.partition("-")
    if head in TENS and (not tail or tail in UNITS[1:10]):
        return str(TENS[head] + (UNITS.index(tail) if tail else 0))
    if head in TENS and tail in ORDINALS:
        return f"#{TENS[head] + ORDINALS[tail]}"
    # "one" is a pronoun more often than a number.
    return str(UNITS.index(token)) if token in UNITS and token != "one" else None


def _joined_numbers(found: list[Word]) -> list[Word]:
    """ "two hundred" and "thirty one" as one number, and every word with its new place."""
    joined: list[Word] = []
    for word in found:
        before = joined[-1] if joined else None
        value = _compound(before, word) if before else None
        if before and value:
            joined[-1] = Word(f"{before.text} {word.text}", value, Kind.NUMBER, before.at)
        else:
            joined.append(Word(word.text, word.key, word.kind, len(joined)))
    return joined


def _compound(one: Word, two: Word) -> str | None:
    lower = two.text.lower()
    if one.text.lower() in ("a", "one") and lower in SCALES:
        return str(SCALES[lower])
    if one.kind is not Kind.NUMBER or not one.key.isdigit():
        return None
    if lower in SCALES:
        return str(int(one.key) * SCALES[lower])
    if one.text.lower() in TENS and lower in UNITS[1:10]:
        return str(int(one.key) + UNITS.index(lower))
    return None


# Keys of the words of a question, of people, and of a request, as `words` gives them.
ASKING: Final = frozenset(word.key for word in words(" ".join(sorted(ASKING_WORDS))))
PEOPLE: Final = frozenset(word.key for word in words(" ".join(sorted(PEOPLE_WORDS))))
REQUESTING: Final = frozenset(word.key for word in words(" ".join(sorted(REQUESTING_WORDS))))
