"""Which passages may answer a question, and which line of them does.

A pair is ranked by its question (mean word vectors and soft alignment, see `texts`), prose by how
well its words match those of the question; both with a share of BM25. Where there is a sentence
encoder (see `encoder`), the lines of the best are ranked by what they mean as well. The weights
were chosen on the documents of `benchmarks/open_book.py`, which prints what they give.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

import numpy as np

from dlm.doc.document import Document
from dlm.index.encoder import sentence_encoder
from dlm.index.passages import Passage, PassageKind, Sentence, passages
from dlm.index.texts import Floats, Ints, Texts, Vocabulary
from dlm.index.vectors import word_vectors
from dlm.sources.reading import Piece
from dlm.text.terms import stem
from dlm.text.words import LIGHT_WORDS, words

_LIGHT: Final = 0.15  # weight of a word that carries little meaning
_FIRST: Final = 64  # passages that are told apart before all are sorted
_READ: Final = 8  # passages of which every sentence is weighed
_MEANT: Final = 24  # passages of each kind of which the encoder reads every sentence
_PASSAGE_WORDS: Final = 0.35  # beside the cosine of question and line: of the passage's words
_LINE_WORDS: Final = 0.4  # and of the line's
_MEANT_PAIR: Final = 0.06  # what a pair is ahead of prose there
_SAME: Final = 0.5  # what a pair is ahead that is asked in its own words
_PROSE: Final = 1.5  # weight of the score of a window of prose, for a sentence of it
_PAIR: Final = 0.9  # what a pair is ahead of prose: somebody wrote it to answer a question
_KNOWN: Final = 0.55  # weight of how well the document knows the words of a question
_ENOUGH: Final = (0.44, 0.15)  # with and without word vectors: what fits less is no answer
_MEANT_ENOUGH: Final = 0.30  # the same, of the cosine and a share of the figure by words
_BY_WORDS: Final = 0.4


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
        self._alike: dict[tuple[str, ...], list[int]] | None = None  # made when first asked for
        self._words: tuple[bytes, Floats] | None = None
        self._last: tuple[str, Floats] | None = None

    def updated(self, document: Document, pieces: Sequence[Piece] = ()) -> Index:
        """The index of another state of the document; what did not change is not read again."""
        return Index(document, pieces, without=self._without, vocabulary=self._vocabulary)

    def search(self, question: str, *, most: int = 4) -> list[Found]:
        """The passages that may answer, the likeliest first: of pairs and prose half each where
        there are both; of windows that overlap only the better one."""
        chosen = self._likeliest(question, most)
        if not chosen:
            return []
        score = self._scores(question)
        return [Found(self.passages[at], float(score[at])) for at in chosen]

    def quotes(self, question: str) -> list[Quote]:
        """What the likeliest passages say themselves in answer to the question, the best first.

        Where pairs ask it in the same words, what these say, and no other is looked for.
        """
        alike = self._asked_alike(question)
        if len(alike) == 1:
            passage = self.passages[alike[0]]
            return [Quote(text, line, passage, 1.0) for text, line in said(passage)]
        lines, score = self._weighed(question, alike or self._likeliest(question, _READ))
        quotes = [
            Quote(text, line, self.passages[at], float(fit))
            for (text, line, at), fit in zip(lines, score, strict=True)
        ]
        return sorted(quotes, key=lambda quote: -quote.score)

    def fit(self, question: str, quote: Quote) -> float:
        """Whether the quote can be an answer at all: below 0 the notes do not say.

        Counted are the cosine between the question and the passage of the quote, and how well the
        document knows the words of the question: the mean of their best matches in it. Where there
        is a sentence encoder, mostly what it finds in common. A pair that asks the same is one.
        """
        if _said_alike(quote.passage.question, question):
            return 1.0
        asked = self._vocabulary.numbers(question)
        heavy = asked[~self._vocabulary.light[asked]]
        heavy = heavy if len(heavy) else asked
        passage = Texts([self._vocabulary.numbers(_indexed(quote.passage))])
        near = float(passage.cosine(heavy, self._vocabulary)[0])
        known = float(self._bodies.nearest(heavy, self._vocabulary).mean())
        by_words = near + _KNOWN * known - _ENOUGH[word_vectors() is None]
        encoder = sentence_encoder()
        if encoder is None:
            return by_words
        meant, own = encoder.encode([_read(quote.passage, quote.text), question])
        return float(meant @ own) + _BY_WORDS * by_words - _MEANT_ENOUGH

    def _asked_alike(self, question: str) -> list[int]:
        """The places of the pairs that are asked in the words of the question."""
        if self._alike is None:
            alike: dict[tuple[str, ...], list[int]] = {}
            for at in self._pairs.tolist():
                alike.setdefault(tuple(words(self.passages[at].question or "")), []).append(at)
            self._alike = alike
        asked = tuple(words(question))
        return self._alike.get(asked, []) if asked else []

    def _likeliest(self, question: str, most: int) -> list[int]:
        """The places of the passages that `search` gives."""
        if not self.passages or not len(self._vocabulary.numbers(question)):
            return []
        score = self._scores(question)
        prose = self._apart(_ranked(score, self._prose), most)
        pairs = list(islice(_ranked(score, self._pairs), most))
        half = (most + 1) // 2
        chosen = [
            *pairs[: max(half, most - len(prose))],
            *prose[: max(half, most - len(pairs))],
        ]
        return sorted(chosen, key=lambda at: -score[at])[:most]

    def _weighed(
        self, question: str, places: Sequence[int]
    ) -> tuple[list[tuple[str, int, int]], Floats]:
        """(text, line, place) of all that the passages at `places` say, and how well each fits."""
        lines = [(text, line, at) for at in places for text, line in said(self.passages[at])]
        if not lines:
            return [], np.zeros(0, dtype=np.float32)
        asked = self._vocabulary.numbers(question)
        texts = Texts([self._vocabulary.numbers(text) for text, _, _ in lines])
        fit = texts.aligned(asked, self._weight(asked), self._vocabulary)
        at = np.array([at for _, _, at in lines])
        whole = self._by_words(asked)[at]
        pair = np.array([self.passages[one].question is not None for one in at])
        encoder = sentence_encoder()
        if encoder is None:
            return lines, fit + np.where(pair, whole + _PAIR, _PROSE * whole)
        meant = encoder.encode([_read(self.passages[at], text) for text, _, at in lines])
        score = meant @ encoder.encode([question])[0] + _PASSAGE_WORDS * whole + _LINE_WORDS * fit
        own = [_said_alike(self.passages[one].question, question) for one in at]
        score += _MEANT_PAIR * pair + _SAME * np.array(own)
        return lines, np.asarray(score, dtype=np.float32)

    def _weight(self, asked: Ints) -> Floats:
        """(words of the question,): how much each counts: what is rare and carries meaning."""
        light = self._vocabulary.light
        rare = self._bodies.idf(asked, self._vocabulary.stems)
        weight = np.where(light[asked], _LIGHT, 1.0).astype(np.float32) * rare
        return weight if weight.any() else np.ones(len(asked), dtype=np.float32)

    def _scores(self, question: str) -> Floats:
        """(passages,): how well each one fits; where there is an encoder, its best line, for those
        that are likeliest by their words. Remembered of the last question."""
        if self._last is None or self._last[0] != question:
            score = self._by_words(self._vocabulary.numbers(question))
            if sentence_encoder() is not None:
                score = self._by_meaning(question, score)
            self._last = question, score
        return self._last[1]

    def _by_meaning(self, question: str, by_words: Floats) -> Floats:
        score = _PASSAGE_WORDS * by_words
        likely = [
            at
            for kind in (self._pairs, self._prose)
            for at in islice(_ranked(by_words, kind), _MEANT)
        ]
        lines, fit = self._weighed(question, likely)
        np.maximum.at(score, [at for _, _, at in lines], fit)
        return score

    def _by_words(self, asked: Ints) -> Floats:
        """(passages,): how well each one fits by its words; remembered of the last question."""
        key = asked.tobytes()
        if self._words is None or self._words[0] != key:
            self._words = key, self._fits(asked)
        return self._words[1]

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


def _read(passage: Passage, text: str) -> str:
    """What the encoder reads for a line of a passage: what is asked, or under which heading."""
    asked = f"{passage.question} {text}" if passage.question is not None else text
    return f"{passage.heading}. {asked}" if passage.heading else asked


def _said_alike(question: str | None, asked: str) -> bool:
    return question is not None and words(question) == words(asked)


def _indexed(passage: Passage) -> str:
    """What a passage is found by: its text, and the heading it stands under."""
    return f"{passage.heading}\n{passage.text}" if passage.heading else passage.text


__all__ = ["Found", "Index", "PassageKind", "Quote", "cite"]
