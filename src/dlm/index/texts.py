"""Texts as word numbers: how well each one fits the words of a question.

Three measures: BM25 on stems (Robertson and Zaragoza 2009); the cosine of mean word vectors; and
how well each word of the question is matched by the nearest word of the text, weighted by how rare
it is (soft alignment, as in Mihalcea et al. 2006).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from dlm.index.vectors import word_vectors
from dlm.text.terms import stem
from dlm.text.words import LIGHT_WORDS, words

_K1: Final = 1.2  # how soon more of the same word stops counting
_B: Final = 0.6  # how much a long text is held against

Floats = NDArray[np.float32]
Ints = NDArray[np.int32]


class Vocabulary:
    """Words met so far: number, stem, vector. Grows, and is shared by the indexes of a document."""

    def __init__(self) -> None:
        self._number: dict[str, int] = {}
        self._stem_number: dict[str, int] = {}
        self._stems: list[int] = []
        self._light: list[bool] = []
        self._texts: dict[str, Ints] = {}
        self._sums: Floats = np.zeros((0, 1), dtype=np.float32)

    def numbers(self, text: str) -> Ints:
        """The words of a text as numbers; remembered by the text."""
        found = self._texts.get(text)
        if found is None:
            found = np.array([self._of(word) for word in words(text)], dtype=np.int32)
            self._texts[text] = found
        return found

    def _of(self, word: str) -> int:
        number = self._number.get(word)
        if number is None:
            number = self._number[word] = len(self._number)
            base = stem(word)
            self._stems.append(self._stem_number.setdefault(base, len(self._stem_number)))
            self._light.append(word in LIGHT_WORDS)
        return number

    @property
    def stems(self) -> Ints:
        return np.array(self._stems, dtype=np.int32)

    @property
    def light(self) -> NDArray[np.bool_]:
        return np.array(self._light, dtype=np.bool_)

    def vectors(self) -> Floats:
        """Summed token vectors of all words, (V, D); D is 0 without a source of vectors."""
        known = len(self._sums)
        source = word_vectors()
        if source is None:
            return np.zeros((len(self._number), 0), np.float32)
        if known < len(self._number):
            sums = source.sums(list(self._number)[known:])
            self._sums = np.concatenate([self._sums, sums]) if known else sums
        return self._sums

    def likeness(self, asked: Ints) -> Floats:
        """(words of the question, V): 1 for the same stem, else the cosine of the vectors."""
        stems, sums = self.stems, self.vectors()
        same = stems[None, :] == stems[asked][:, None]
        if not sums.shape[1]:
            return np.asarray(same, dtype=np.float32)
        lengths = np.maximum(np.linalg.norm(sums, axis=1), 1e-6)
        near = ((sums[asked] @ sums.T) / lengths[asked][:, None] / lengths).clip(0.0, 1.0)
        return np.asarray(np.where(same, 1.0, near), dtype=np.float32)


class Texts:
    """Texts as one long row of word numbers (L,), and which text each belongs to (L,)."""

    def __init__(self, numbered: Sequence[Ints]) -> None:
        self.count = len(numbered)
        self.sizes = np.array([len(one) for one in numbered], dtype=np.int32)
        self.flat = np.concatenate(numbered) if numbered else np.zeros(0, dtype=np.int32)
        self.owner = np.repeat(np.arange(self.count, dtype=np.int32), self.sizes)

    def idf(self, stems: Ints, stem_count: int) -> Floats:
        """(stems,): log((N + 1) / (texts that hold it + 0.5))."""
        if not self.count:
            return np.ones(stem_count, dtype=np.float32)
        pairs = np.unique(self.owner.astype(np.int64) * stem_count + stems[self.flat])
        held = np.bincount(pairs % stem_count, minlength=stem_count)
        return np.asarray(
            np.log((self.count + 1.0) / (held + 0.5)).clip(0.05).astype(np.float32),
            dtype=np.float32,
        )

    def bm25(self, asked: Ints, weight: Floats, stems: Ints) -> Floats:
        """(texts,): BM25 of the question, as a share of what a text with all its words gets."""
        score = np.zeros(self.count, dtype=np.float32)
        length = self.sizes / (self.sizes.mean() or 1.0)
        own = stems[self.flat]
        for number, how_rare in zip(stems[asked], weight, strict=True):
            often = np.bincount(self.owner[own == number], minlength=self.count)
            score += how_rare * often * (_K1 + 1) / (often + _K1 * (1 - _B + _B * length))
        return score / (float(weight.sum()) * (_K1 + 1))

    def aligned(self, asked: Ints, weight: Floats, vocabulary: Vocabulary) -> Floats:
        """(texts,): each word's best match in the text, 0..1, weighted and averaged."""
        score = np.zeros(self.count, dtype=np.float32)
        if not len(self.flat):
            return score
        starts = np.concatenate([[0], np.cumsum(self.sizes)[:-1]])
        filled = self.sizes > 0
        for near, how_much in zip(vocabulary.likeness(asked), weight, strict=True):
            best = np.zeros(self.count, dtype=np.float32)
            best[filled] = np.maximum.reduceat((near * near)[self.flat], starts[filled])
            score += how_much * best
        return score / float(weight.sum())

    def nearest(self, asked: Ints, vocabulary: Vocabulary) -> Floats:
        """(words of the question,): its best match in any of the texts, 0..1."""
        if not len(self.flat):
            return np.zeros(len(asked), dtype=np.float32)
        return np.asarray(vocabulary.likeness(asked)[:, self.flat].max(axis=1), dtype=np.float32)

    def cosine(self, asked: Ints, vocabulary: Vocabulary) -> Floats:
        """(texts,): cosine between the mean vectors of question and text; 0 without vectors."""
        sums = vocabulary.vectors()
        if not sums.shape[1] or not len(self.flat):
            return np.zeros(self.count, dtype=np.float32)
        total = np.zeros((self.count, sums.shape[1]), dtype=np.float32)
        np.add.at(total, self.owner, sums[self.flat])
        query = sums[asked].sum(axis=0)
        norms = np.linalg.norm(total, axis=1) * (float(np.linalg.norm(query)) or 1.0)
        return np.asarray((total @ query) / np.maximum(norms, 1e-6), dtype=np.float32)
