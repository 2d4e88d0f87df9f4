"""How near an answer is to its reference: exact, containment and token F1 after normalisation.

Normalisation as in SQuAD (Rajpurkar et al., 2016): lower case, no punctuation, no articles, single
spaces.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from dataclasses import dataclass

from dlm.text.terms import NEGATIONS
from dlm.text.words import caseless, meaningful, normalise


@dataclass(frozen=True, slots=True)
class AnswerScore:
    """`exact` and `contains` after normalisation; `f1` is token F1 in 0..1.

    An answer contains its reference word for word, or in all words that the question lacks.
    """

    exact: bool
    contains: bool
    f1: float


def score_answer(answer: str, reference: str, question: str) -> AnswerScore:
    """Compare an answer to a question with its reference."""
    given, wanted = normalise(answer), normalise(reference)
    whole = bool(wanted) and f" {wanted} " in f" {given} "
    return AnswerScore(
        exact=given == wanted,
        contains=whole or _tells(answer, reference, question),
        f1=token_f1(given.split(), wanted.split()),
    )


def _tells(answer: str, reference: str, question: str) -> bool:
    """Whether all that the reference says and the question does not stands in the answer.

    Function words do not count; a negation must stand in both or in neither.
    """
    said, wanted = _meaning(answer), _meaning(reference)
    news = wanted - _meaning(question)
    return bool(news) and news <= said and (said & NEGATIONS) == (wanted & NEGATIONS)


def _meaning(text: str) -> frozenset[str]:
    """The words that carry meaning, in lower case; a number with its point is one."""
    return frozenset(word.lower() for word in meaningful(unicodedata.normalize("NFKC", text)))


def has_key(answer: str, keys: list[str]) -> bool:
    """Whether any of the key phrases stands in the answer, ignoring case and spacing."""
    text = caseless(answer)
    return any(caseless(key) in text for key in keys)


def token_f1(given: list[str], wanted: list[str]) -> float:
    """Harmonic mean of token precision and recall; 0 when nothing is shared."""
    if not given or not wanted:
        return float(given == wanted)
    common = sum((Counter(given) & Counter(wanted)).values())
    return 2 * common / (len(given) + len(wanted))
