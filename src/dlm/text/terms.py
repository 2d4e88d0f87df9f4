"""Words as terms: stems, numbers by their value, names and code as they are spelled.

For comparing what two English texts say. Knows nothing of passages or models.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import Final

from dlm.text.words import LIGHT_WORDS

_CALENDAR = (
    "january february march april june july august september october november december monday "
    "tuesday wednesday thursday friday saturday sunday"
)
_NEGATIONS = (
    "not no never none nothing nobody nowhere neither nor without unless except cannot hardly"
)
_RELATIONS = (
    "before after until since during above below under over behind beneath beside inside outside "
    "left right more less most least only first last always sometimes often rarely high low higher "
    "lower than every each all both either any"
)
_UNITS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
    "sixteen seventeen eighteen nineteen"
)
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
_ORDINALS = "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth"

CALENDAR: Final = frozenset(_CALENDAR.split())
NEGATIONS: Final = frozenset(_NEGATIONS.split())
RELATIONS: Final = NEGATIONS | frozenset(_RELATIONS.split())
"""Words that turn a statement round or move it: what says the same agrees on them."""

_TITLES: Final = frozenset(["mr", "mrs", "ms", "dr", "st", "prof", "sir", "jr", "sr"])
_COUNTS: Final = tuple(_UNITS.split())
_TEN: Final = {word: 10 * number for number, word in enumerate(_TENS.split(), 2)}
_ORDINAL: Final = {word: number for number, word in enumerate(_ORDINALS.split(), 1)}
_PARTS: Final = {"half": "1/2", "quarter": "1/4", "dozen": "12", "twice": "x2", "once": "x1"}
_SCALES: Final = {"hundred": 100, "thousand": 1000, "million": 10**6, "billion": 10**9}
NUMBER_WORDS: Final = frozenset({*_COUNTS, *_TEN, *_PARTS, *_SCALES})

_IRREGULAR: Final = {
    form: base
    for base, forms in {
        "begin": "began begun", "bring": "brought", "build": "built", "buy": "bought",
        "catch": "caught", "choose": "chose chosen", "come": "came", "draw": "drew drawn",
        "fall": "fell fallen", "feel": "felt", "find": "found", "give": "gave given",
        "go": "went gone goes", "grow": "grew grown", "hang": "hung", "hold": "held",
        "keep": "kept", "know": "knew known", "lead": "led", "lie": "lay lain lies lying",
        "lose": "lost", "mak": "made make makes making", "mean": "meant", "meet": "met",
        "pay": "paid", "run": "ran", "say": "said", "see": "saw seen", "sell": "sold",
        "send": "sent", "show": "shown", "sit": "sat", "speak": "spoke spoken",
        "spend": "spent", "stand": "stood", "tak": "took taken take takes taking",
        "teach": "taught", "tell": "told", "think": "thought", "wear": "wore worn",
        "win": "won", "writ": "wrote written write writes writing", "weigh": "weight weights",
        "long": "length lengths", "high": "height heights", "us": "use uses used using",
    }.items()
    for form in forms.split()
}  # fmt: skip
_SUFFIXES: Final = (
    ("ies", "y"), ("ied", "y"), ("ing", ""), ("ed", ""), ("sses", "ss"), ("shes", "sh"),
    ("ches", "ch"), ("xes", "x"), ("zes", "z"), ("oes", "o"), ("s", ""),
)  # fmt: skip
_TOKEN: Final = re.compile(
    r"`[^`\n]+`|[^\W\d_]+(?:['’][^\W\d_]+)*(?:-[^\W\d_]+)*(?=\W|\Z)(?![._/]\w)|"
    r"\d+(?:[.,:/]\d+)*(?=\W|\Z)(?!\.\w)|[\w./\\@#$-]*\w(?:\(\))?"
)
_IDENTIFIER: Final = re.compile(
    r"[A-Z]{2,}|[a-z][A-Z]|[A-Z][a-z]+[A-Z]|_|\d[A-Za-z]|[A-Za-z]\d|\w\.\w"
)
_SENTENCE_GAP: Final = re.compile(r"[.!?:]\s|\n")


class Kind(Enum):
    """What a term is for: `NUMBER` and `NAME` are the key terms that must be exact."""

    FUNCTION = "function"
    WORD = "word"
    NUMBER = "number"
    NAME = "name"


@dataclass(frozen=True, slots=True)
class Term:
    """`key` is what two terms are compared by; `at` counts terms from the start of the text."""

    text: str
    key: str
    kind: Kind
    at: int

    @property
    def is_key_term(self) -> bool:
        return self.kind in (Kind.NUMBER, Kind.NAME)


def terms(text: str, names: Iterable[str] = ()) -> list[Term]:
    """The terms of `text` in order; `names` are further spellings to be taken as names."""
    known = frozenset(names)
    found: list[Term] = []
    end = 0
    for match in _TOKEN.finditer(text):
        starts_sentence = not found or (
            bool(_SENTENCE_GAP.search(text, end, match.start()))
            and found[-1].text.lower() not in _TITLES
        )
        end = match.end()
        key, kind = _classify(match[0], starts_sentence, known)
        found.append(Term(match[0], key, kind, len(found)))
    return _joined_numbers(found)


def content(found: Iterable[Term]) -> list[Term]:
    """The terms that carry meaning; relations such as "not" and "before" among them."""
    return [term for term in found if term.kind is not Kind.FUNCTION]


def keys(text: str) -> frozenset[str]:
    """The keys of all terms of `text`."""
    return frozenset(term.key for term in terms(text))


def names_in(text: str) -> frozenset[str]:
    """Every word that stands capitalised where no sentence begins, and every identifier."""
    return frozenset(term.text for term in terms(text) if term.kind is Kind.NAME)


@lru_cache(maxsize=65536)
def stem(word: str) -> str:
    """A light stem: plural, -ed and -ing forms of a word agree with its base form."""
    word = word.lower().replace("’", "'").removesuffix("'s")
    if word in _IRREGULAR:
        return _IRREGULAR[word]
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
    if bare in known and lower not in LIGHT_WORDS:
        return bare, Kind.NAME
    if lower in LIGHT_WORDS:
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
    if token in _ORDINAL:
        return f"#{_ORDINAL[token]}"
    if token in _PARTS:
        return _PARTS[token]
    if token in _SCALES:
        return str(_SCALES[token])
    head, _, tail = token.partition("-")
    if head in _TEN and (not tail or tail in _COUNTS[1:10]):
        return str(_TEN[head] + (_COUNTS.index(tail) if tail else 0))
    if head in _TEN and tail in _ORDINAL:
        return f"#{_TEN[head] + _ORDINAL[tail]}"
    # "one" is a pronoun more often than a number.
    return str(_COUNTS.index(token)) if token in _COUNTS and token != "one" else None


def _joined_numbers(found: list[Term]) -> list[Term]:
    """ "two hundred" and "thirty one" as one number, and every term with its new place."""
    joined: list[Term] = []
    for term in found:
        before = joined[-1] if joined else None
        value = _compound(before, term) if before else None
        if before and value:
            joined[-1] = Term(f"{before.text} {term.text}", value, Kind.NUMBER, before.at)
        else:
            joined.append(Term(term.text, term.key, term.kind, len(joined)))
    return joined


def _compound(one: Term, two: Term) -> str | None:
    lower = two.text.lower()
    if one.text.lower() in ("a", "one") and lower in _SCALES:
        return str(_SCALES[lower])
    if one.kind is not Kind.NUMBER or not one.key.isdigit():
        return None
    if lower in _SCALES:
        return str(int(one.key) * _SCALES[lower])
    if one.text.lower() in _TEN and lower in _COUNTS[1:10]:
        return str(int(one.key) + _COUNTS.index(lower))
    return None
