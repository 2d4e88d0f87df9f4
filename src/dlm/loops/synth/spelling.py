"""Names as the source writes them: small models drop the capital of "Aunt Selma"."""

from __future__ import annotations

import re
from itertools import pairwise

from dlm.text.terms import Kind, terms


def as_written(text: str, source: str) -> str:
    """`text` with a capital on each word that `source` writes only with one."""
    names = _names(source)
    found = re.compile(r"(?<![\w`])[a-z]+(?![\w`])")
    return found.sub(lambda one: one[0].capitalize() if one[0] in names else one[0], text)


def _names(source: str) -> frozenset[str]:
    """In lower case, the words that stand capitalised where no sentence begins, and never else.

    A capital at the head of a sentence is one of a name where a name follows.
    """
    found = terms(source)
    names = {word.text.lower() for word in found if word.kind is Kind.NAME and _plain(word.text)}
    names |= {
        one.text.lower()
        for one, two in pairwise(found)
        if one.kind is Kind.WORD and one.text[0].isupper()
        if two.kind is Kind.NAME and _plain(two.text)
    }
    return frozenset(names - {word.text for word in found})


def _plain(name: str) -> bool:
    return name.isalpha() and name[0].isupper() and name[1:].islower()
