"""Which passages may answer a question, and which line of them does.

A pair is ranked by its question (mean word vectors and soft alignment, see `texts`), prose by how
well its words match those of the question; both with a share of BM25. The weights were chosen on
the documents of `benchmarks/open_book.py`, which prints what they give.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

import numpy as np

from dlm.doc.document import Document
from dlm.index.passages import Passage, PassageKind, Sentence, passages
from dlm.index.texts import Floats, Ints, Texts, Vocabulary
from dlm.index.vectors import word_vectors
from dlm.sources.reading import Piece
from dlm.text.terms import stem
from dlm.text.words import LIGHT_WORDS, words

_LIGHT: Final = 0.15  # weight of a word that carries little meaning
_FIRST: Final = 64  # passages that are told apart before all are sorted
_READ: Final = 8  # passages of which every sentence is weighed
_PROSE: Final = 1.5  # weight of the score of a window of prose, for a sentence of it
_PAIR: Final = 0.9  # what a pair is ahead of prose: somebody wrote it to answer a question
_KNOWN: Final = 0.55  # weight of how well the document knows the words of a question
_ENOUGH: Final = (0.44, 0.15)  # with and without word vectors: what fits less is no answer


@dataclass(frozen=True, slots=True)
class Found:
    """A passage and its score: about 1 where it says the question's words or their like."""

    passage: Passage
    score: float


@dataclass(frozen=True, slots=True)
class Quote:
    """A sentence of prose, the answer of a pair, or a block of code, and where it stands."""

    text: str
    line: int
    passage: Passage
    score: float


class Index:
    """The passages of one state of a document, and of the files beside it, to be searched.

    `updated` is quick after an edit.
    """

    def __init__(
        self,
        document: Document,
        pieces: Sequence[Piece] = (),
        *,
        without: Callable[[str], bool] = lambda question: False,
        vocabulary: Vocabulary | None = None,
    ) -> None:
        self._vocabulary = vocabulary or Vocabulary()
        self._without = without
        self.passages: Sequence[Passage] = passages(document, pieces, without=without)
        texts = [_indexed(one) for one in self.passages]
        self._bodies = Texts([self._vocabulary.numbers(text) for text in texts])
        pairs = [at for at, one in enumerate(self.passages) if one.question is not None]
        self._pairs: Ints = np.array(pairs, dtype=np.int32)
        self._prose: Ints = np.delete(np.arange(len(texts), dtype=np.int32), self._pairs)
        asked = [self._vocabulary.numbers(self.passages[at].question or "") for at in pairs]
        self._questions = Texts(asked)
        self._last: tuple[bytes, Floats] | None = None

    def updated(self, document: Document, pieces: Sequence[Piece] = ()) -> Index:
        """The index of another state of the document; what did not change is not read again."""
        return Index(document, pieces, without=self._without, vocabulary=self._vocabulary)

    def search(self, question: str, *, most: int = 4) -> list[Found]:
        """The passages that may answer, the likeliest first: of pairs and prose half each where
        there are both; of windows that overlap only the better one."""
        asked = self._vocabulary.numbers(question)
        if not len(asked) or not self.passages:
            return []
        score = self._scores(asked)
        prose = self._apart(_ranked(score, self._prose), most)
        pairs = list(islice(_ranked(score, self._pairs), most))
        half = (most + 1) // 2
        chosen = [
            *pairs[: max(half, most - len(prose))],
            *prose[: max(half, most - len(pairs))],
        ]
        chosen.sort(key=lambda at: -score[at])
        return [Found(self.passages[at], float(score[at])) for at in chosen[:most]]

    def quotes(self, question: str) -> list[Quote]:
        """What the likeliest passages say themselves in answer to the question, the best first."""
        asked = self._vocabulary.numbers(question)
        found = self.search(question, most=_READ)
        lines = [(text, line, one) for one in found for text, line in said(one.passage)]
        if not lines or not len(asked):
            return []
        texts = Texts([self._vocabulary.numbers(text) for text, _, _ in lines])
        fit = texts.aligned(asked, self._weight(asked), self._vocabulary)
        quotes = [
            Quote(
                text,
                line,
                one.passage,
                float(fit[at])
                + (one.score + _PAIR if one.passage.question is not None else _PROSE * one.score),
            )
            for at, (text, line, one) in enumerate(lines)
        ]
        return sorted(quotes, key=lambda quote: -quote.score)

    def fit(self, question: str, quote: Quote) -> float:
        """Whether the quote can be an answer at all: below 0 the notes do not say.

        Counted are the cosine between the question and the passage of the quote, and how well the
        document knows the words of the question: the mean of their best matches in it.
        """
        asked = self._vocabulary.numbers(question)
        heavy = asked[~self._vocabulary.light[asked]]
        heavy = heavy if len(heavy) else asked
        passage = Texts([self._vocabulary.numbers(_indexed(quote.passage))])
        near = float(passage.cosine(heavy, self._vocabulary)[0])
        known = float(self._bodies.nearest(heavy, self._vocabulary).mean())
        return near + _KNOWN * known - _ENOUGH[word_vectors() is None]

    def _weight(self, asked: Ints) -> Floats:
        """(words of the question,): how much each counts: what is rare and carries meaning."""
        light = self._vocabulary.light
        rare = self._bodies.idf(asked, self._vocabulary.stems)
        weight = np.where(light[asked], _LIGHT, 1.0).astype(np.float32) * rare
        return weight if weight.any() else np.ones(len(asked), dtype=np.float32)

    def _scores(self, asked: Ints) -> Floats:
        """(passages,): how well each one fits the question; remembered of the last question."""
        key = asked.tobytes()
        if self._last is None or self._last[0] != key:
            self._last = key, self._fits(asked)
        return self._last[1]

    def _fits(self, asked: Ints) -> Floats:
        vocabulary, weight = self._vocabulary, self._weight(asked)
        aligned = self._bodies.aligned(asked, weight, vocabulary)
        score = aligned + 0.3 * self._bodies.bm25(asked, weight, vocabulary.stems)
        if len(self._pairs):
            heavy = asked[~vocabulary.light[asked]]
            same = self._questions.aligned(asked, weight, vocabulary)
            near = self._questions.cosine(heavy if len(heavy) else asked, vocabulary)
            score[self._pairs] = 0.3 * score[self._pairs] + 0.5 * same + 0.7 * near
        return score

    def _apart(self, order: Iterable[int], most: int) -> list[int]:
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


def _ranked(score: Floats, places: Ints) -> Iterator[int]:
    """The places, the best first and equal ones in their order; few of many are sorted at first."""
    own = score[places]
    if len(own) > 4 * _FIRST:
        best = own >= np.partition(own, len(own) - _FIRST)[len(own) - _FIRST]
        yield from places[best][np.argsort(-own[best], kind="stable")].tolist()
        places, own = places[~best], own[~best]
    yield from places[np.argsort(-own, kind="stable")].tolist()


def said(passage: Passage) -> Iterator[tuple[str, int]]:
    """(text, line) of all that a passage may be quoted with."""
    if passage.kind is PassageKind.PROSE:
        yield from ((one.text, one.line) for one in passage.sentences)
    elif passage.kind is PassageKind.PAIR:
        yield passage.text.split("\nA: ", 1)[1], passage.line
    else:
        yield passage.text, passage.line


def _indexed(passage: Passage) -> str:
    """What a passage is found by: its text, and the heading it stands under."""
    return f"{passage.heading}\n{passage.text}" if passage.heading else passage.text


__all__ = ["Found", "Index", "PassageKind", "Quote", "cite"]
