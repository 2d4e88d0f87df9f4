"""The rows of a run, by what they are for: new, replayed, forgotten, general, samples."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Final

from dlm.data.chat import Codec
from dlm.data.lessons import Lesson, Lessons, parts
from dlm.data.rows import Row, RowKind, encode_rows, pair_row, sentence_rows
from dlm.data.schedule import Material, Reworder, recency
from dlm.data.wording import Answers, cue, reword
from dlm.doc.schema import TrustConfig
from dlm.errors import TrainingError
from dlm.store.records import Remembered, version_number
from dlm.train.known import Known

_CUED: Final = 1 / 3  # of the rewordings of a pair


@dataclass(frozen=True, slots=True)
class Encoder:
    """What it takes to make rows: the codec, the longest row in tokens, the document's name."""

    codec: Codec
    length: int
    name: str
    trust: TrustConfig

    def rows(self, lessons: Iterable[Lesson]) -> tuple[Row, ...]:
        """Encode lessons; raises TrainingError naming the line of a pair that is too long."""
        return encode_rows(lessons, self.codec, sequence_length=self.length, path=self.name)

    def sentences(self, prose: Iterable[Lesson], answers: Answers) -> list[Row]:
        """The sentences of prose, for which cues are to be made."""
        return sentence_rows(prose, answers, self.codec, self.length)

    def trusted(self, lesson: Lesson) -> Lesson:
        """A remembered lesson, weighted as the document trusts its origin now."""
        return replace(lesson, weight=float(getattr(self.trust, lesson.origin, 1.0)))


def gather(
    known: Known,
    lessons: Lessons,
    general: Sequence[Row],
    samples: Sequence[Row],
    encode: Encoder,
    *,
    number: int,
) -> Material:
    """The rows of a run that follows version `number`."""
    learn = {lesson.id for lesson in known.to_learn}
    pairs = [pair for pair in _distinct(lessons.pairs) if pair.id in learn]
    prose = list(_prose(lessons.prose, learn))
    forgotten = [encode.trusted(lesson) for lesson in known.forgotten]
    gone = [lesson for lesson in forgotten if not lesson.question]
    answers = Answers(lessons.pairs)
    replay, weights = _replay([*known.unchanged, *known.kept], answers, encode, number)
    return Material(
        pairs=encode.rows(pairs),
        prose=encode.rows(prose),
        sentences=(
            *encode.sentences(prose, answers),
            *encode.sentences(gone, Answers()),
        ),
        forget=encode.rows(forgotten),
        replay=replay,
        recency=weights,
        general=general,
        samples=samples,
    )


def reworder(encode: Encoder) -> Reworder:
    """How the row of a pair is asked in other words, and that of a sentence by a cue.

    A third of the pairs are asked by a cue, too, made of question and answer. Other rows stay.
    """

    def variant(row: Row, rng: random.Random) -> Row:
        if row.kind is RowKind.SENTENCE:
            encoded = encode.codec.pair(cue(row.sentence, rng), row.sentence)
            return replace(row, ids=tuple(encoded.ids), supervised=tuple(encoded.supervised))
        if row.kind is not RowKind.PAIR:
            return row
        pair = row.lesson
        question = _in_other_words(pair.question, pair.text, rng)
        return pair_row(pair, question, encode.codec, encode.length + 16, encode.name)

    return variant


def _in_other_words(question: str, answer: str, rng: random.Random) -> str:
    if rng.random() < _CUED:
        return cue(f"{question} {answer}", rng, fewest=2, most=5)
    return reword(question, rng)


def _replay(
    records: Sequence[Remembered], answers: Answers, encode: Encoder, number: int
) -> tuple[tuple[Row, ...], tuple[float, ...]]:
    rows: list[Row] = []
    weights: list[float] = []
    for one in records:
        weight = recency(number - (version_number(one.since) or number))
        try:
            made = _known_rows(encode.trusted(one.lesson), answers, encode)
        except TrainingError:  # a removed pair that no longer fits the sequence length
            continue
        rows += made
        weights += [weight] * len(made)
    return tuple(rows), tuple(weights)


def _known_rows(lesson: Lesson, answers: Answers, encode: Encoder) -> tuple[Row, ...]:
    rows = encode.rows([lesson])
    return rows if lesson.question else (*rows, *encode.sentences([lesson], answers))


def _prose(prose: Sequence[Lesson], learn: set[str]) -> Iterator[Lesson]:
    """Whole sections where all of one is new, else its runs of new paragraphs."""
    for section in prose:
        paragraphs = parts([section])
        if all(paragraph.id in learn for paragraph in paragraphs):
            yield section
            continue
        for new, run in groupby(paragraphs, key=lambda paragraph: paragraph.id in learn):
            if new:
                together = list(run)
                text = "\n\n".join(paragraph.text for paragraph in together)
                yield replace(section, text=text, line=together[0].line)


def _distinct(pairs: Sequence[Lesson]) -> list[Lesson]:
    """Each pair once, at its first place; one that is repeated weighs as much as all of them."""
    first: dict[str, Lesson] = {}
    for pair in pairs:
        before = first.get(pair.id)
        weight = pair.weight + (before.weight if before else 0.0)
        first[pair.id] = replace(before or pair, weight=weight)
    return list(first.values())
