"""Numbers and names of an answer in the company they keep in the sentence.

A sentence may hold two numbers or two names; an answer that took the wrong one has every word in
the right sentence. What gives it away is its neighbours, and what the question stands next to.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from dlm.text.terms import Kind, Term, content, terms

_AFTER: Final = 3  # words within which a neighbour on the right is the same neighbour
_BEFORE: Final = 4
_RETELLS: Final = 0.85


def misplaced(
    own: Sequence[Term], asked: Sequence[Term], said: Sequence[Term], question: str
) -> str | None:
    """Why a key term of the answer does not belong where the answer puts it, or None."""
    terms = [word for word in said if word.is_key_term]
    if not terms or _retells(own, said):
        return None
    for term in terms:
        places = [word for word in own if word.key == term.key]
        if not places:
            continue  # repeated from the question
        if not any(_same_company(own, place, said, term) for place in places):
            return f"the sentence puts {term.text!r} elsewhere"
        if not any(_counts_the_same(own, place, question, term) for place in places):
            return f"{term.text!r} counts something else in the sentence"
        rival = _nearer(own, places, asked, said, term)
        if rival:
            return f"{rival.text!r} stands nearer to what is asked than {term.text!r}"
    return None


def _retells(own: Sequence[Term], said: Sequence[Term]) -> bool:
    """Whether the answer is the sentence, nearly whole and in its order."""
    mine, theirs = [w.key for w in content(own)], [w.key for w in content(said)]
    shared = _common_subsequence(mine, theirs)
    return shared >= _RETELLS * len(mine) and shared == len(theirs)


def _same_company(own: Sequence[Term], place: Term, said: Sequence[Term], term: Term) -> bool:
    """Whether a neighbour of the term in the answer is its neighbour in the sentence, same side."""
    if not _same_neighbour_name(own, place, said, term):
        return False
    first, last = _whole(said, term.at)
    left = next((w.key for w in reversed(content(said[:first]))), None)
    right = next((w.key for w in content(said[last + 1 :])), None)
    if left is None and right is None:
        return True
    start, end = _whole(own, place.at)
    before = {word.key for word in own[max(0, start - _BEFORE) : start]}
    after = {word.key for word in own[end + 1 : end + 1 + _AFTER]}
    passive = start > 0 and own[start - 1].key == "by"
    if passive != (first > 0 and said[first - 1].key == "by"):
        # "designed by Garrow" and "Garrow designed"
        before, after = (after, before | after) if passive else (before | after, before)
    if term.kind is Kind.NUMBER and right is not None and said[last + 1].key == right:
        return right in after
    return left in before or right in after


def _whole(found: Sequence[Term], at: int) -> tuple[int, int]:
    """The first and last place of the name that the word at `at` is part of."""
    first = last = at
    while found[at].kind is Kind.NAME and first > 0 and found[first - 1].kind is Kind.NAME:
        first -= 1
    while found[at].kind is Kind.NAME and found[last + 1 : last + 2]:
        if found[last + 1].kind is not Kind.NAME:
            break
        last += 1
    return first, last


def _same_neighbour_name(
    own: Sequence[Term], place: Term, said: Sequence[Term], term: Term
) -> bool:
    """Names that stand side by side are one name: "Ines Calloway" is not "Maud Calloway"."""
    for step in (-1, 1):
        at = term.at + step
        if 0 <= at < len(said) and said[at].kind is term.kind is Kind.NAME:
            beside = place.at + step
            if not (0 <= beside < len(own) and own[beside].key == said[at].key):
                return False
    return True


def _counts_the_same(own: Sequence[Term], place: Term, question: str, term: Term) -> bool:
    """In "how many trays", the number of the answer must be one of trays in the sentence."""
    if term.kind is not Kind.NUMBER:
        return True
    asked = terms(question)
    for number, word in enumerate(asked[:-2]):
        if word.key == "how" and asked[number + 1].key == "many":
            counted = [w.key for w in asked[number + 2 : number + 5]]
            after = {w.key for w in own[place.at + 1 : place.at + 4]}
            noun_elsewhere = not any(w.key in counted for w in content(own))
            return noun_elsewhere or any(key in after for key in counted)
    return True


def _nearer(
    own: Sequence[Term],
    places: Sequence[Term],
    asked: Sequence[Term],
    said: Sequence[Term],
    term: Term,
) -> Term | None:
    """Another term of the same kind that stands nearer to the words of question and answer."""
    used = {word.key for word in (*asked, *said)}
    anchors = {word.key for word in content([*asked, *said]) if word.key != term.key} & {
        word.key for word in own
    }
    if not anchors:
        return None
    own_distance = min(_distance(own, place.at, anchors) for place in places)
    rivals = [word for word in own if word.kind is term.kind and word.key not in used]
    for rival in rivals:
        if _distance(own, rival.at, anchors) < own_distance:
            return rival
    return None


def _distance(own: Sequence[Term], at: int, anchors: set[str]) -> int:
    return sum(min(abs(word.at - at) for word in own if word.key == key) for key in anchors)


def _common_subsequence(one: Sequence[str], two: Sequence[str]) -> int:
    """Length of the longest common subsequence."""
    row = [0] * (len(two) + 1)
    for first in one:
        diagonal = 0
        for column, second in enumerate(two, 1):
            diagonal, row[column] = (
                row[column],
                diagonal + 1 if first == second else max(row[column], row[column - 1]),
            )
    return row[-1]
