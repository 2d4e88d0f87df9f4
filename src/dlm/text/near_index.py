"""Questions looked up by what nearly repeats them, without comparing with each.

Two questions that nearly repeat each other have words, or runs of three letters, in common; where
one is not the other with words left out, their answers agree as well. Answers tell more apart than
questions do, many of which are made alike. So what is compared, by `near.repeats`, is what shares
one of the rarest words that must be shared (prefix filtering, Chaudhuri et al., 2006).
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Sequence
from itertools import chain
from typing import Final, Generic, TypeVar

from dlm.text.near import EXCHANGED_OVERLAP, TRIGRAM_DICE, Asked, repeats, slipped

_T = TypeVar("_T")
_SHARED_TRIGRAMS: Final = TRIGRAM_DICE / (2 - TRIGRAM_DICE)  # of one text, at the least
_TELLING: Final = 4  # rare trigrams that two such texts must share


class NearIndex(Generic[_T]):
    """Questions, each with what its owner wants to know of it."""

    def __init__(self) -> None:
        self._asked: list[tuple[Asked, _T]] = []
        self._by_text: defaultdict[str, list[int]] = defaultdict(list)
        self._all = _ByQuestion()
        self._told = _ByAnswer(self._all.words)
        self._bare = _ByQuestion()  # those whose answers add nothing to compare

    def __len__(self) -> int:
        return len(self._asked)

    def add(self, one: Asked, what: _T) -> None:
        """Take in a question."""
        number = len(self._asked)
        self._asked.append((one, what))
        self._by_text[one.text].append(number)
        self._all.add(number, one)
        if _told(one):
            self._told.add(number, one)
        else:
            self._bare.add(number, one)

    def repeated_by(self, one: Asked) -> Iterator[_T]:
        """All that were taken in and that this one nearly repeats, in their order."""
        for number in sorted(self._candidates(one)):
            known, what = self._asked[number]
            if repeats(one, known):
                yield what

    def _candidates(self, one: Asked) -> set[int]:
        """A few that hold all that `repeats` is true of."""
        same = self._by_text.get(one.text, ())
        lists = self._told.lists(one) if _told(one) else None
        if lists is None or sum(map(len, lists)) > self._all.cost(one):
            return self._all.candidates(one).union(same)
        return self._bare.candidates(one).union(same, *lists)


class _Words:
    """Which questions have a word, or one that differs by a slip of the keyboard."""

    def __init__(self) -> None:
        self._places: defaultdict[str, list[int]] = defaultdict(list)
        self._spellings: defaultdict[str, set[str]] = defaultdict(set)

    def add(self, word: str, number: int) -> None:
        if word not in self._places:
            for spelling in _without_a_letter(word):
                self._spellings[spelling].add(word)
        self._places[word].append(number)

    def exactly(self, word: str) -> Sequence[int]:
        """Those that have the word itself."""
        return self._places.get(word, ())

    def like(self, word: str) -> Sequence[int]:
        """Those that have it or its like."""
        places = self._places.get(word, [])
        near = {other for one in _without_a_letter(word) for other in self._spellings.get(one, ())}
        slips = [other for other in near if other != word and slipped(word, other)]
        return list(chain(places, *(self._places[other] for other in slips))) if slips else places


class _ByQuestion:
    """Questions by their words and trigrams: what shares enough of either is found."""

    def __init__(self) -> None:
        self.words = _Words()
        self._by_trigram: defaultdict[str, list[int]] = defaultdict(list)
        self._sizes: dict[int, int] = {}  # content words of each
        self._waiting: list[tuple[int, Asked]] = []  # their trigrams are taken in when asked for

    def add(self, number: int, one: Asked) -> None:
        words = set(one.content)
        self._sizes[number] = len(words)
        for word in words:
            self.words.add(word, number)
        self._waiting.append((number, one))

    def cost(self, one: Asked) -> int:
        """How many are counted for it."""
        return sum(len(self.words.exactly(word)) for word in set(one.content))

    def candidates(self, one: Asked) -> set[int]:
        """Those with enough words for a Jaccard of 0.5, or enough trigrams for a Dice of 0.85."""
        if not self._sizes:
            return set()
        words = set(one.content)
        shared = Counter(chain.from_iterable(map(self.words.like, words)))
        # A Jaccard of 0.5 or more, to which the question word may count.
        least = (len(words) - 1) / 3
        found = {at for at, count in shared.items() if count >= least + self._sizes[at] / 3}
        found.update(self._alike(one.trigrams))
        return found

    def _alike(self, trigrams: Collection[str]) -> Iterator[int]:
        """Those that have enough of these trigrams, told by the rarest ones."""
        for number, one in self._waiting:
            for trigram in one.trigrams:
                self._by_trigram[trigram].append(number)
        self._waiting.clear()
        lists = sorted((self._by_trigram.get(one, ()) for one in trigrams), key=len)
        missing = len(lists) - math.ceil(_SHARED_TRIGRAMS * len(lists) - 1e-9)
        seen = Counter(chain.from_iterable(lists[: missing + _TELLING]))
        enough = min(_TELLING, len(lists) - missing)
        return (at for at, count in seen.items() if count >= enough)


class _ByAnswer:
    """Questions whose answers add something to them, found by what must be shared.

    Either all content words of the one question are those of the other; or the answers share three
    quarters of the shorter one; or what one answer adds stands in the other question. Each has some
    words of its own for that, the rarest when it was taken in, and is found by them.
    """

    def __init__(self, questions: _Words) -> None:
        self._questions = questions  # all content words
        self._asked_marks = _Words()  # one content word of each
        self._answers: defaultdict[str, list[int]] = defaultdict(list)
        self._answer_marks: defaultdict[str, list[int]] = defaultdict(list)
        self._added_marks: defaultdict[str, list[int]] = defaultdict(list)

    def add(self, number: int, one: Asked) -> None:
        self._asked_marks.add(self._rarest_asked(one.content), number)
        self._added_marks[self._rarest_asked(_added(one))].append(number)
        for word in self._telling(one.answer):
            self._answer_marks[word].append(number)
        for word in one.answer:
            self._answers[word].append(number)

    def lists(self, one: Asked) -> list[Sequence[int]]:
        """Those that hold all that it may repeat, in some order and more than once."""
        asked = set(one.content)
        return [
            self._questions.like(self._rarest_asked(asked)),
            *(self._asked_marks.like(word) for word in asked),
            self._questions.exactly(self._rarest_asked(_added(one))),
            *(self._added_marks.get(word, ()) for word in asked),
            *(self._answers.get(word, ()) for word in self._telling(one.answer)),
            *(self._answer_marks.get(word, ()) for word in one.answer),
        ]

    def _rarest_asked(self, words: Collection[str]) -> str:
        return min(words, key=lambda word: (len(self._questions.exactly(word)), word))

    def _telling(self, answer: Collection[str]) -> list[str]:
        """So many words of an answer that one of them is shared where three quarters are."""
        rare = sorted(answer, key=lambda word: (len(self._answers.get(word, ())), word))
        return rare[: len(rare) - math.ceil(EXCHANGED_OVERLAP * len(rare)) + 1]


def _told(one: Asked) -> bool:
    """Whether the answer says more than the question, and the question has words to compare."""
    return bool(one.content) and bool(_added(one))


def _added(one: Asked) -> frozenset[str]:
    return one.answer.difference(one.content)


def _without_a_letter(word: str) -> set[str]:
    """The word, and what is left of it without any one letter: two that slipped have one alike."""
    return {word, *(word[:at] + word[at + 1 :] for at in range(len(word)))}
