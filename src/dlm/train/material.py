"""The rows of a run, by what they are for: new, replayed, forgotten, general, samples."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, groupby, islice
from typing import Final

from dlm.data.chat import Codec
from dlm.data.lessons import Lesson, Lessons, parts
from dlm.data.rows import Row, RowKind, Waiting, encode_rows, pair_row, sentence_rows
from dlm.data.schedule import Material, Reworder, recency
from dlm.data.wording import Answers, cue, reword
from dlm.doc.schema import TrustConfig
from dlm.errors import TrainingError
from dlm.store.records import Remembered, version_number
from dlm.train.known import Known
from dlm.working import Tell, told, untold

_CUED: Final = 1 / 3  # of the rewordings of a pair
_FIRM: Final = 0.05  # nats a token, with which an answer is replayed twice as soon as with none


@dataclass(frozen=True, slots=True)
class Encoder:
    """What it takes to make rows: the codec, the longest row in tokens, the document's name.

    Words are encoded once, whatever for.
    """

    codec: Codec
    length: int
    name: str
    trust: TrustConfig
    tell: Tell = field(default=untold, repr=False, compare=False)
    _made: dict[tuple[str, str], tuple[Row, ...]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def rows(self, lessons: Sequence[Lesson]) -> tuple[Row, ...]:
        """Encode lessons; raises TrainingError naming the line of a pair that is too long."""
        each = told("encoding", lessons, self.tell)
        return tuple(row for lesson in each for row in self.rows_of(lesson))

    def rows_of(self, lesson: Lesson) -> tuple[Row, ...]:
        """The row of a pair, those of prose; raises TrainingError as `rows` does."""
        words = lesson.question, lesson.text
        made = self._made.get(words)
        if made is None:
            length, name = self.length, self.name
            made = encode_rows([lesson], self.codec, sequence_length=length, path=name)
            self._made[words] = made
        return tuple(row if row.lesson is lesson else replace(row, lesson=lesson) for row in made)

    def sentences(self, prose: Iterable[Lesson], answers: Answers) -> Iterator[Row]:
        """The sentences of prose, for which cues are to be made."""
        return sentence_rows(prose, answers, self.codec, self.length)

    def trusted(self, lesson: Lesson) -> Lesson:
        """A remembered lesson, weighted as the document trusts its origin now."""
        weight = float(getattr(self.trust, lesson.origin, 1.0))
        return lesson if lesson.weight == weight else replace(lesson, weight=weight)


def gather(
    known: Known,
    lessons: Lessons,
    general: Sequence[Row],
    samples: Sequence[Row],
    encode: Encoder,
    *,
    number: int,
    most_cued: int | None = None,
) -> Material:
    """The rows of a run that follows version `number`.

    Where there are more than `most_cued` sentences, known ones with them, none is taken.
    """
    learn = {lesson.id for lesson in known.to_learn}
    pairs = [pair for pair in _distinct(lessons.pairs) if pair.id in learn]
    prose = list(_prose(lessons.prose, learn))
    forgotten = [encode.trusted(lesson) for lesson in known.forgotten]
    gone = [lesson for lesson in forgotten if not lesson.question]
    replay = _replay([*known.unchanged, *known.kept], encode, number)
    sentences, cued = _sentences(prose, gone, replay, lessons, encode, most_cued)
    return Material(
        pairs=encode.rows(pairs),
        prose=encode.rows(prose),
        sentences=sentences,
        forget=encode.rows(forgotten),
        replay=[row for row, _ in (*replay, *cued)],
        recency=[weight for _, weight in (*replay, *cued)],
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
    records: Sequence[Remembered], encode: Encoder, number: int
) -> list[tuple[Row | Waiting, float]]:
    """What is known, each with its weight; a pair that no longer fits the length is left out."""
    found: list[tuple[Row | Waiting, float]] = []
    for one in told("encoding", records, encode.tell):
        weight = recency(number - (version_number(one.since) or number)) * _fragility(one)
        lesson = encode.trusted(one.lesson)
        if not lesson.question:
            found.append((Waiting(lesson, encode.rows_of), weight))
            continue
        with contextlib.suppress(TrainingError):
            found += [(row, weight) for row in encode.rows_of(lesson)]
    return found


def _fragility(one: Remembered) -> float:
    """How much sooner a pair is replayed that sits loosely (Schaul et al., 2016)."""
    return 1 + (one.nll or 0.0) / _FIRM


def _sentences(
    prose: Sequence[Lesson],
    gone: Sequence[Lesson],
    replay: Sequence[tuple[Row | Waiting, float]],
    lessons: Lessons,
    encode: Encoder,
    most: int | None,
) -> tuple[tuple[Row, ...], list[tuple[Row, float]]]:
    """Those of what is new or to be forgotten, and known ones with their weights."""
    if most == 0:
        return (), []
    answers = Answers(lessons.pairs)
    new = chain(encode.sentences(prose, answers), encode.sentences(gone, Answers()))
    known = (
        (row, weight)
        for one, weight in replay
        if isinstance(one, Waiting)
        for row in encode.sentences([one.lesson], answers)
    )
    if most is None:
        return tuple(new), list(known)
    first = tuple(islice(new, most + 1))
    others = list(islice(known, most + 1 - len(first)))
    return (first, others) if len(first) + len(others) <= most else ((), [])


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
