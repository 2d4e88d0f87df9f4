"""How varied what a teacher writes is, and the bounds below which improving stops.

A teacher that repeats itself, or asks one kind of question only, starves the next round; each round
trained on such rows makes it worse (Shumailov et al., 2023). Knows pairs as texts, nothing else.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, Self

FEWEST: Final = 4
"""Pairs below which nothing is said about their variety."""

FEWEST_KINDS: Final = 8
"""Pairs below which nothing is said about how they begin."""

LEAST_DISTINCT: Final = 0.25
MOST_OVERLAP: Final = 0.8
LEAST_TYPES: Final = 1.0
MOST_FALL: Final = 0.5
"""Of the first round's value: what `distinct` and `types` may fall to."""

_SAMPLE: Final = 24
_WORD: Final = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Diversity:
    """Of `pairs` pairs: `distinct` is distinct-2 (Li et al., 2016), different bigrams by all of
    them; `overlap` the mean, over the questions, of the largest share of trigrams that another
    question has too, as self-BLEU (Zhu et al., 2018) with the best reference; `types` the entropy
    in bits of how questions begin, by their first two words.
    """

    pairs: int
    distinct: float
    overlap: float
    types: float

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        return cls(**{name: data[name] for name in ("pairs", "distinct", "overlap", "types")})

    def __str__(self) -> str:
        return (
            f"{self.pairs} pairs, distinct-2 {self.distinct:.2f}, self-overlap {self.overlap:.2f}, "
            f"question types {self.types:.2f} bits"
        )


def diversity(pairs: Sequence[tuple[str, str]]) -> Diversity:
    """Measure pairs of question and answer.

    Repetition grows with the number of pairs, however varied they are; so `distinct` and `overlap`
    are means over samples of at most 24, each spread over all pairs.
    """
    count = max(1, math.ceil(len(pairs) / _SAMPLE))
    samples = [pairs[at::count] for at in range(count)]
    return Diversity(
        pairs=len(pairs),
        distinct=sum(map(_distinct, samples)) / count,
        overlap=sum(_overlap([_words(asked) for asked, _ in one]) for one in samples) / count,
        types=_entropy(_type(question) for question, _ in pairs),
    )


def collapsed(now: Diversity, first: Diversity | None, *, kinds: bool = True) -> str | None:
    """Why improving must stop, with the figures; None while the variety is enough.

    `first` is what the first round of the same strategy found, None in that. Without `kinds` the
    types do not count: requests for a text are all of one kind.
    """
    return "; ".join(_broken(now, first, kinds)) or None


def _broken(now: Diversity, first: Diversity | None, kinds: bool) -> Iterator[str]:
    if now.pairs < FEWEST:
        return
    kinds = kinds and now.pairs >= FEWEST_KINDS
    if now.distinct < LEAST_DISTINCT:
        yield f"distinct-2 is {now.distinct:.2f}, below {LEAST_DISTINCT:g}: it repeats itself"
    if now.overlap > MOST_OVERLAP:
        yield f"self-overlap is {now.overlap:.2f}, above {MOST_OVERLAP:g}: its questions repeat"
    if kinds and now.types < LEAST_TYPES:
        yield (
            f"question types have {now.types:.2f} bits, below {LEAST_TYPES:g}: "
            "nearly all are of one kind"
        )
    if first is None or first.pairs < FEWEST:
        return
    if now.distinct < MOST_FALL * first.distinct:
        yield f"distinct-2 fell from {first.distinct:.2f} in the first round to {now.distinct:.2f}"
    if kinds and now.types < MOST_FALL * first.types:
        yield f"question types fell from {first.types:.2f} bits to {now.types:.2f}"


def _distinct(pairs: Sequence[tuple[str, str]]) -> float:
    bigrams = [gram for q, a in pairs for gram in _grams(_words(q) + _words(a), 2)]
    return len(set(bigrams)) / len(bigrams) if bigrams else 1.0


def _overlap(questions: Sequence[Sequence[str]]) -> float:
    """The mean share of each question's trigrams that stand in the nearest other question."""
    sets = [frozenset(_grams(words, 3)) for words in questions]
    holders: dict[tuple[str, ...], list[int]] = {}
    for at, grams in enumerate(sets):
        for gram in grams:
            holders.setdefault(gram, []).append(at)
    shares = []
    for at, grams in enumerate(sets):
        shared = Counter(other for gram in grams for other in holders[gram] if other != at)
        shares.append(max(shared.values(), default=0) / len(grams) if grams else 0.0)
    return sum(shares) / len(shares) if shares else 0.0


def _entropy(kinds: Iterable[str]) -> float:
    counts = Counter(kinds)
    total = sum(counts.values())
    return -sum(n / total * math.log2(n / total) for n in counts.values()) + 0.0 if total else 0.0


def _type(question: str) -> str:
    return " ".join(_words(question)[:2])


def _grams(words: Sequence[str], size: int) -> list[tuple[str, ...]]:
    return [tuple(words[at : at + size]) for at in range(len(words) - size + 1)]


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower())
