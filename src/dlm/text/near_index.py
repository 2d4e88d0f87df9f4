"""Questions looked up by what nearly repeats them, without comparing with each.

Two that nearly repeat each other have words, or runs of three letters, in common: so many that some
of the rarest are among them (prefix filtering, Chaudhuri et al., 2006). Only what shares as many is
compared, by `near.repeats`.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator
from itertools import chain
from typing import Final, Generic, TypeVar

from dlm.text.near import TRIGRAM_DICE, Asked, repeats, slipped

_T = TypeVar("_T")
_SHARED_TRIGRAMS: Final = TRIGRAM_DICE / (2 - TRIGRAM_DICE)  # of one text, at the least
_TELLING: Final = 4  # rare trigrams that two such texts must share


class NearIndex(Generic[_T]):
    """Questions, each with what its owner wants to know of it."""

    def __init__(self) -> None:
        self._asked: list[tuple[Asked, _T]] = []
        self._by_text: defaultdict[str, list[int]] = defaultdict(list)
        self._by_word: defaultdict[str, list[int]] = defaultdict(list)
        self._by_trigram: defaultdict[str, list[int]] = defaultdict(list)
        self._spellings: defaultdict[str, set[str]] = defaultdict(set)
        self._sizes: list[int] = []  # content words of each

    def __len__(self) -> int:
        return len(self._asked)

    def add(self, one: Asked, what: _T) -> None:
        """Take in a question."""
        number = len(self._asked)
        self._asked.append((one, what))
        self._by_text[one.text].append(number)
        words = set(one.content)
        self._sizes.append(len(words))
        for word in words:
            if word not in self._by_word:
                for spelling in _without_a_letter(word):
                    self._spellings[spelling].add(word)
            self._by_word[word].append(number)
        for trigram in one.trigrams:
            self._by_trigram[trigram].append(number)

    def repeated_by(self, one: Asked) -> Iterator[_T]:
        """All that were taken in and that this one nearly repeats, in their order."""
        for number in sorted(self._candidates(one)):
            known, what = self._asked[number]
            if repeats(one, known):
                yield what

    def _candidates(self, one: Asked) -> set[int]:
        """A few that hold all that `repeats` is true of."""
        found = set(self._by_text.get(one.text, ()))
        words = set(one.content)
        shared = Counter(chain.from_iterable(map(self._like, words)))
        # A Jaccard of 0.5 or more, to which the question word may count.
        least = (len(words) - 1) / 3
        found.update(at for at, count in shared.items() if count >= least + self._sizes[at] / 3)
        found.update(self._alike(one.trigrams))
        return found

    def _alike(self, trigrams: Collection[str]) -> Iterator[int]:
        """Those that have enough of these trigrams for a Dice of 0.85, told by the rarest ones."""
        lists = sorted((self._by_trigram.get(one, ()) for one in trigrams), key=len)
        missing = len(lists) - math.ceil(_SHARED_TRIGRAMS * len(lists) - 1e-9)
        seen = Counter(chain.from_iterable(lists[: missing + _TELLING]))
        enough = min(_TELLING, len(lists) - missing)
        return (at for at, count in seen.items() if count >= enough)

    def _like(self, word: str) -> Collection[int]:
        """Those that have the word, or one that differs by a slip of the keyboard."""
        places = self._by_word.get(word, [])
        near = {other for one in _without_a_letter(word) for other in self._spellings.get(one, ())}
        slips = [other for other in near if other != word and slipped(word, other)]
        return list(chain(places, *(self._by_word[other] for other in slips))) if slips else places


def _without_a_letter(word: str) -> set[str]:
    """The word, and what is left of it without any one letter: two that slipped have one alike."""
    return {word, *(word[:at] + word[at + 1 :] for at in range(len(word)))}
