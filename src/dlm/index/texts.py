"""Texts as word numbers: how well each one fits the words of a question.

Three measures: BM25 on stems (Robertson and Zaragoza 2009); the cosine of mean word vectors; and
how well each word of the question is matched by the nearest word of the text, weighted by how rare
it is (soft alignment, as in Mihalcea et al. 2006).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import Final

import numpy as np
from numpy.typing import NDArray

from dlm.index.vectors import word_vectors
from dlm.text.terms import stem
from dlm.text.words import LIGHT_WORDS, words

_K1: Final = 1.2  # how soon more of the same word stops counting
_B: Final = 0.6  # how much a long text is held against
_REMEMBERED: Final = 96  # words of questions, of which the matches are kept
_AT_ONCE: Final = 512  # texts
_SMALL_PRODUCT: Final = 250_000  # multiplications

Floats = NDArray[np.float32]
Ints = NDArray[np.int32]


class Vocabulary:
    """Words met so far: number, stem, vector. Grows, and is shared by the indexes of a document."""

    def __init__(self) -> None:
        self._number: dict[str, int] = {}
        self._stem_number: dict[str, int] = {}
        self._stem_list: list[int] = []
        self._light_list: list[bool] = []
        self._texts: dict[str, Ints] = {}
        self._stems: Ints = np.zeros(0, dtype=np.int32)
        self._light: NDArray[np.bool_] = np.zeros(0, dtype=np.bool_)
        self._sums: Floats = np.zeros((0, 0), dtype=np.float32)  # with room for more words
        self._lengths: Floats = np.zeros(0, dtype=np.float32)  # of the vectors; ends with them
        self._likeness: dict[int, Floats] = {}

    def numbers(self, text: str) -> Ints:
        """The words of a text as numbers; remembered by the text."""
        found = self._texts.get(text)
        if found is None:
            said = words(text)
            known = [self._number.get(word, -1) for word in said]
            if -1 in known:
                known = [self._of(word) for word in said]
            found = self._texts[text] = np.array(known, dtype=np.int32)
        return found

    def _of(self, word: str) -> int:
        number = self._number.get(word)
        if number is None:
            number = self._number[word] = len(self._number)
            base = stem(word)
            self._stem_list.append(self._stem_number.setdefault(base, len(self._stem_number)))
            self._light_list.append(word in LIGHT_WORDS)
        return number

    @property
    def stems(self) -> Ints:
        """(V,): the number of the stem of each word."""
        if known := self._stem_list[len(self._stems) :]:
            self._stems = np.concatenate([self._stems, np.array(known, dtype=np.int32)])
        return self._stems

    @property
    def light(self) -> NDArray[np.bool_]:
        """(V,): which words carry little meaning."""
        if known := self._light_list[len(self._light) :]:
            self._light = np.concatenate([self._light, np.array(known, dtype=np.bool_)])
        return self._light

    def vectors(self) -> Floats:
        """Summed token vectors of all words, (V, D); D is 0 without a source of vectors."""
        known, size = len(self._lengths), len(self._number)
        source = word_vectors()
        if source is None:
            return np.zeros((size, 0), np.float32)
        if known < size:
            sums = source.sums(list(islice(self._number, known, None)))
            if size > len(self._sums):  # half as much again, so that a question rarely copies all
                grown = np.zeros((size + size // 2, sums.shape[1]), dtype=np.float32)
                if known:
                    grown[:known] = self._sums[:known]
                self._sums = grown
            self._sums[known:size] = sums
            lengths = np.maximum(np.linalg.norm(sums, axis=1), 1e-6)
            self._lengths = np.concatenate([self._lengths, lengths])
        return self._sums[:size]

    def likeness(self, asked: Ints, known: int) -> list[Floats]:
        """For each word of a question (V,): 1 for the same stem, else the cosine of the vectors.

        V is at least the first `known` words; those of the last questions are remembered.
        """
        kept, wanted = self._likeness, dict.fromkeys(int(one) for one in asked)
        found = {one: kept[one] for one in wanted if one in kept and len(kept[one]) >= known}
        if new := [one for one in wanted if one not in found]:
            found |= zip(new, self._compared(np.array(new, dtype=np.int32)), strict=True)
        self._likeness = _latest(kept, found)
        return [found[int(one)] for one in asked]

    def _compared(self, asked: Ints) -> Floats:
        stems, sums = self.stems, self.vectors()
        same = stems[None, :] == stems[asked][:, None]
        if not sums.shape[1]:
            return np.asarray(same, dtype=np.float32)
        near = _products(sums[asked], sums)
        near /= self._lengths[asked][:, None]
        near /= self._lengths
        np.clip(near, 0.0, 1.0, out=near)
        near[same] = 1.0
        return np.asarray(near, dtype=np.float32)


class Texts:
    """Texts as one long row of word numbers (L,), and which text each belongs to (L,).

    What a question is compared with is made ready when first asked for, and kept; so is how well
    the words of the last questions are matched, since most are asked again.
    """

    def __init__(self, numbered: Sequence[Ints]) -> None:
        self.count = len(numbered)
        self.sizes = np.array([len(one) for one in numbered], dtype=np.int32)
        self.flat = np.concatenate(numbered) if numbered else np.zeros(0, dtype=np.int32)
        self.owner = np.repeat(np.arange(self.count, dtype=np.int32), self.sizes)
        self._postings: tuple[Ints, Ints] | None = None
        self._totals: tuple[Floats, Floats] | None = None
        self._best: dict[int, Floats] = {}
        self._places: NDArray[np.intp] | None = None
        self._known = int(self.flat.max(initial=-1)) + 1

    def idf(self, asked: Ints, stems: Ints) -> Floats:
        """(words of the question,): log((N + 1) / (texts that hold its stem + 0.5))."""
        if not self.count:
            return np.ones(len(asked), dtype=np.float32)
        held = np.array([_distinct(self._holders(one, stems)) for one in stems[asked]])
        rare = np.log((self.count + 1.0) / (held + 0.5)).clip(0.05)
        return np.asarray(rare, dtype=np.float32)

    def bm25(self, asked: Ints, weight: Floats, stems: Ints) -> Floats:
        """(texts,): BM25 of the question, as a share of what a text with all its words gets."""
        score = np.zeros(self.count, dtype=np.float32)
        length = self.sizes / (self.sizes.mean() or 1.0)
        for one, how_rare in zip(stems[asked], weight, strict=True):
            often = np.bincount(self._holders(one, stems), minlength=self.count)
            score += how_rare * often * (_K1 + 1) / (often + _K1 * (1 - _B + _B * length))
        return score / (float(weight.sum()) * (_K1 + 1))

    def aligned(self, asked: Ints, weight: Floats, vocabulary: Vocabulary) -> Floats:
        """(texts,): each word's best match in the text, 0..1, weighted and averaged."""
        score = np.zeros(self.count, dtype=np.float32)
        if not len(self.flat):
            return score
        matches = self._matches(asked, vocabulary)
        for best, how_much in zip(matches, weight, strict=True):
            score += how_much * best
        return score / float(weight.sum())

    def nearest(self, asked: Ints, vocabulary: Vocabulary) -> Floats:
        """(words of the question,): its best match in any of the texts, 0..1."""
        if not len(self.flat):
            return np.zeros(len(asked), dtype=np.float32)
        best = [float(one.max()) for one in self._matches(asked, vocabulary)]
        return np.sqrt(np.array(best, dtype=np.float32))

    def cosine(self, asked: Ints, vocabulary: Vocabulary) -> Floats:
        """(texts,): cosine between the mean vectors of question and text; 0 without vectors."""
        sums = vocabulary.vectors()
        if not sums.shape[1] or not len(self.flat):
            return np.zeros(self.count, dtype=np.float32)
        if self._totals is None:
            total = self._summed(sums)
            self._totals = total, np.linalg.norm(total, axis=1)
        total, lengths = self._totals
        query = sums[asked].sum(axis=0)
        norms = lengths * (float(np.linalg.norm(query)) or 1.0)
        near = _products(query[None, :], total)[0]
        return np.asarray(near / np.maximum(norms, 1e-6), dtype=np.float32)

    def _holders(self, stem_number: int, stems: Ints) -> Ints:
        """The texts that hold a stem, in order, each as often as it does."""
        if self._postings is None:
            own = stems[self.flat]
            order = np.argsort(own, kind="stable")
            first = np.searchsorted(own[order], np.arange(own.max(initial=-1) + 2))
            self._postings = self.owner[order], first.astype(np.int32)
        owners, starts = self._postings
        if stem_number + 1 >= len(starts):  # it was met in no text yet
            return owners[:0]
        return owners[starts[stem_number] : starts[stem_number + 1]]

    def _matches(self, asked: Ints, vocabulary: Vocabulary) -> list[Floats]:
        """For each word of a question (texts,): the square of its best match in each text."""
        kept, wanted = self._best, dict.fromkeys(int(one) for one in asked)
        new = [one for one in wanted if one not in kept]
        found = {one: kept[one] for one in wanted if one in kept}
        if new:
            near = vocabulary.likeness(np.array(new, dtype=np.int32), self._known)
            found |= {one: self._best_of(row) for one, row in zip(new, near, strict=True)}
        self._best = _latest(kept, found)
        return [found[int(one)] for one in asked]

    def _best_of(self, near: Floats) -> Floats:
        """(texts,): the largest square of (V,) over the words of each text; 0 where it has none."""
        if self._places is None:  # as the indices that are taken fastest
            self._places = self.flat.astype(np.intp)
        starts = np.concatenate([[0], np.cumsum(self.sizes)[:-1]])
        filled = self.sizes > 0
        best = np.zeros(self.count, dtype=np.float32)
        squares = np.take(near * near, self._places, mode="clip")
        best[filled] = np.maximum.reduceat(squares, starts[filled])
        return best

    def _summed(self, sums: Floats) -> Floats:
        """(texts, D): the sums of their words' vectors, of some texts at a time."""
        total = np.zeros((self.count, sums.shape[1]), dtype=np.float32)
        ends = np.cumsum(self.sizes)
        for first in range(0, self.count, _AT_ONCE):
            last = min(first + _AT_ONCE, self.count)
            start, end = ends[first] - self.sizes[first], ends[last - 1]
            np.add.at(total, self.owner[start:end], sums[self.flat[start:end]])
        return total


def _products(some: Floats, all_: Floats) -> Floats:
    """(some, all): dot products, a few at a time.

    A small product is made by one thread; those of a large one wait for each other, which takes
    three times as long on a busy machine.
    """
    found = np.empty((len(some), len(all_)), dtype=np.float32)
    step = max(16, _SMALL_PRODUCT // some.size)
    for start in range(0, len(all_), step):
        np.matmul(some, all_[start : start + step].T, out=found[:, start : start + step])
    return found


def _latest(kept: dict[int, Floats], found: dict[int, Floats]) -> dict[int, Floats]:
    """The newest of both; a dictionary of its own, since several threads may ask."""
    both = {one: row for one, row in kept.items() if one not in found} | found
    return dict(islice(both.items(), max(0, len(both) - _REMEMBERED), None))


def _distinct(ordered: Ints) -> int:
    """How many different numbers there are, of which equal ones are neighbours."""
    return len(ordered) and 1 + int(np.count_nonzero(np.diff(ordered)))
