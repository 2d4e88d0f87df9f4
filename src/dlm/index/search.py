"""Which passages may answer a question.

Three scores: BM25 on stems (Robertson and Zaragoza 2009); the cosine of mean word vectors, a pair
also by its question alone; and how well each word of the question is matched by the nearest word of
the passage, weighted by how rare it is (soft alignment, as in Mihalcea et al. 2006). Prose is
ranked by the last, pairs by the second; both with a share of the first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from dlm.doc.document import Document
from dlm.index.passages import Passage, PassageKind, Sentence, passages
from dlm.index.vectors import word_vectors
from dlm.text.terms import stem
from dlm.text.words import LIGHT_WORDS, words

_K1: Final = 1.2  # how soon more of the same word stops counting
_B: Final = 0.6  # how much a long passage is held against
_LIGHT: Final = 0.15  # weight of a word that carries little meaning

Floats = NDArray[np.float32]
Ints = NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Found:
    """A passage and its score: about 1 where it says the question's words or their like."""

    passage: Passage
    score: float


class Vocabulary:
    """Words met so far: number, stem, vector. Grows, and is shared by the indexes of a document."""

    def __init__(self) -> None:
        self._number: dict[str, int] = {}
        self._stem_number: dict[str, int] = {}
        self._stems: list[int] = []
        self._light: list[bool] = []
        self._texts: dict[str, Ints] = {}
        self._sums: Floats = np.zeros((0, 1), dtype=np.float32)
        self._counts: Floats = np.zeros(0, dtype=np.float32)

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

    def vectors(self) -> tuple[Floats, Floats]:
        """Summed token vectors (V, D) and token counts (V,) of all words; D is 0 without them."""
        known = len(self._counts)
        source = word_vectors()
        if source is None:
            return np.zeros((len(self._number), 0), np.float32), np.ones(
                len(self._number), np.float32
            )
        if known < len(self._number):
            sums, counts = source.sums(list(self._number)[known:])
            self._sums = np.concatenate([self._sums, sums]) if known else sums
            self._counts = np.concatenate([self._counts, counts])
        return self._sums, self._counts


class Index:
    """The passages of one state of a document, to be searched; `updated` is quick after an edit."""

    def __init__(
        self,
        document: Document,
        *,
        without: Callable[[str], bool] = lambda question: False,
        vocabulary: Vocabulary | None = None,
    ) -> None:
        self._vocabulary = vocabulary or Vocabulary()
        self._without = without
        self.passages: Sequence[Passage] = passages(document, without=without)
        texts = [_indexed(one) for one in self.passages]
        self._bodies = _Texts([self._vocabulary.numbers(text) for text in texts])
        pairs = [at for at, one in enumerate(self.passages) if one.question is not None]
        self._pairs: Ints = np.array(pairs, dtype=np.int32)
        asked = [self._vocabulary.numbers(self.passages[at].question or "") for at in pairs]
        self._questions = _Texts(asked)

    def updated(self, document: Document) -> Index:
        """The index of another state of the document; what did not change is not read again."""
        return Index(document, without=self._without, vocabulary=self._vocabulary)

    def search(self, question: str, *, most: int = 4) -> list[Found]:
        """The passages that may answer, the likeliest first: of pairs and prose half each where
        there are both; of windows that overlap only the better one."""
        asked = self._vocabulary.numbers(question)
        if not len(asked) or not self.passages:
            return []
        score = self._scores(asked)
        is_pair = np.zeros(len(self.passages), dtype=np.bool_)
        is_pair[self._pairs] = True
        order = np.argsort(-score, kind="stable")
        prose = self._apart([int(at) for at in order if not is_pair[at]], most)
        pairs = [int(at) for at in order if is_pair[at]][:most]
        half = most // 2
        chosen = [
            *pairs[: max(half, most - len(prose))],
            *prose[: max(most - half, most - len(pairs))],
        ]
        chosen.sort(key=lambda at: -score[at])
        return [Found(self.passages[at], float(score[at])) for at in chosen[:most]]

    def _scores(self, asked: Ints) -> Floats:
        """(passages,): how well each one fits the question."""
        vocabulary = self._vocabulary
        stems, light = vocabulary.stems, vocabulary.light
        sums, counts = vocabulary.vectors()
        idf = self._bodies.idf(stems, int(stems.max()) + 1)
        weight = np.where(light[asked], _LIGHT, 1.0).astype(np.float32) * idf[stems[asked]]
        if not weight.any():
            weight = np.ones(len(asked), dtype=np.float32)
        aligned = self._bodies.aligned(asked, weight, sums, stems)
        lexical = self._bodies.bm25(asked, weight, stems)
        score = aligned + 0.3 * lexical
        if len(self._pairs):
            content = ~light[asked] if (~light[asked]).any() else np.ones(len(asked), np.bool_)
            same = self._questions.aligned(asked, weight, sums, stems)
            near = self._questions.cosine(asked[content], sums, counts)
            by_question = 0.5 * same + 0.7 * near
            score[self._pairs] = 0.3 * score[self._pairs] + by_question
        return score

    def _apart(self, order: Sequence[int], most: int) -> list[int]:
        """The first `most` of which no two share a sentence."""
        taken: set[tuple[int, str]] = set()
        chosen: list[int] = []
        for at in order:
            held = {(one.line, one.text) for one in self.passages[at].sentences}
            if taken.isdisjoint(held):
                chosen.append(at)
                taken |= held
            if len(chosen) == most:
                break
        return chosen


def cite(answer: str, found: Sequence[Passage]) -> Sentence | None:
    """The sentence of the passages that an answer was most likely taken from."""
    wanted = {stem(word) for word in words(answer) if word not in LIGHT_WORDS}
    best: tuple[float, Sentence] | None = None
    for passage in found:
        for sentence in passage.sentences:
            held = {stem(word) for word in words(sentence.text) if word not in LIGHT_WORDS}
            shared = len(wanted & held)
            fit = shared / (len(wanted) or 1) + 0.1 * shared / (len(held) or 1)
            if shared and (best is None or fit > best[0]):
                best = (fit, sentence)
    return best[1] if best else None


class _Texts:
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

    def aligned(self, asked: Ints, weight: Floats, sums: Floats, stems: Ints) -> Floats:
        """(texts,): each word's best match in the text, 0..1, weighted and averaged."""
        score = np.zeros(self.count, dtype=np.float32)
        if not len(self.flat):
            return score
        unit = sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-6)
        starts = np.concatenate([[0], np.cumsum(self.sizes)[:-1]])
        filled = self.sizes > 0
        for number, how_much in zip(asked, weight, strict=True):
            near = (
                (unit @ unit[number]).clip(0.0, 1.0)
                if sums.shape[1]
                else np.zeros(len(stems), np.float32)
            )
            near = np.where(stems == stems[number], 1.0, near * near)
            best = np.zeros(self.count, dtype=np.float32)
            best[filled] = np.maximum.reduceat(near[self.flat], starts[filled])
            score += how_much * best
        return score / float(weight.sum())

    def cosine(self, asked: Ints, sums: Floats, counts: Floats) -> Floats:
        """(texts,): cosine between the mean vectors of question and text; 0 without vectors."""
        if not sums.shape[1] or not len(self.flat):
            return np.zeros(self.count, dtype=np.float32)
        total = np.zeros((self.count, sums.shape[1]), dtype=np.float32)
        np.add.at(total, self.owner, sums[self.flat])
        query = sums[asked].sum(axis=0)
        norms = np.linalg.norm(total, axis=1) * (float(np.linalg.norm(query)) or 1.0)
        return np.asarray((total @ query) / np.maximum(norms, 1e-6), dtype=np.float32)


def _indexed(passage: Passage) -> str:
    """What a passage is found by: its text, and the heading it stands under."""
    return f"{passage.heading}\n{passage.text}" if passage.heading else passage.text


__all__ = ["Found", "Index", "PassageKind", "cite"]
