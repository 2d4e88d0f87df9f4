"""The rows of a run, by what they are for: new, replayed, forgotten, general.

Turns the items that `known` sorted into token rows; decides nothing itself.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Final

from dlm.data.chat import Codec
from dlm.data.cues import Answers, cue
from dlm.data.examples import Example, Teaching
from dlm.data.items import Item, items
from dlm.data.replay import recency
from dlm.data.rewording import reword
from dlm.data.rows import Part, Row, RowKind, encode_rows, pair_row, sentence_rows
from dlm.data.schedule import Material, Reworder
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

    def rows(self, examples: Iterable[Example], part: Part = Part.NEW) -> tuple[Row, ...]:
        """Encode examples; raises TrainingError naming the line of a pair that is too long."""
        rows = encode_rows(examples, self.codec, sequence_length=self.length, path=self.name)
        return rows if part is Part.NEW else tuple(replace(row, part=part) for row in rows)

    def sentences(
        self, prose: Iterable[Example], answers: Answers, part: Part = Part.NEW
    ) -> tuple[Row, ...]:
        """The sentences of prose, for which cues are to be made."""
        rows = sentence_rows(prose, answers, self.codec, self.length)
        return tuple(replace(row, part=part) for row in rows)

    def example(self, item: Item) -> Example:
        """An item as an example, weighted as the document trusts its origin."""
        weight = float(getattr(self.trust, item.origin, 1.0))
        return Example(item.section_id, item.origin, item.line, weight, item.text, item.question)


def gather(
    known: Known,
    lessons: Teaching,
    general: Sequence[Row],
    samples: Sequence[Row],
    encode: Encoder,
    *,
    number: int,
) -> Material:
    """The rows of a run that follows version `number`."""
    learn = {item.item_id for item in known.to_learn}
    pairs = [e for e in _distinct(lessons.pairs) if _id(e) in learn]
    prose = list(_prose(lessons.prose, learn))
    gone = [encode.example(item) for item in known.forgotten if item.question is None]
    answers = Answers(lessons.pairs)
    replay, weights = _replay([*known.unchanged, *known.kept], answers, encode, number)
    return Material(
        pairs=encode.rows(pairs),
        prose=encode.rows(prose),
        sentences=(
            *encode.sentences(prose, answers),
            *encode.sentences(gone, Answers(), Part.FORGOTTEN),
        ),
        forget=encode.rows(map(encode.example, known.forgotten), Part.FORGOTTEN),
        replay=replay,
        recency=weights,
        general=general,
        samples=samples,
    )


def reworder(known: Known, lessons: Teaching, encode: Encoder) -> Reworder:
    """How the row of a pair is asked in other words, and that of a sentence by a cue.

    A third of the pairs are asked by a cue, too, made of question and answer. Other rows stay.
    """
    old = [one.item for one in (*known.unchanged, *known.kept)]
    examples = [*lessons.pairs, *map(encode.example, [*old, *known.forgotten])]
    found = {(e.section_id, e.line): e for e in examples if e.question is not None}

    def variant(row: Row, rng: random.Random) -> Row:
        if row.kind is RowKind.SENTENCE:
            encoded = encode.codec.pair(cue(row.text, rng), row.text)
            return replace(row, ids=tuple(encoded.ids), supervised=tuple(encoded.supervised))
        if row.kind is not RowKind.PAIR:
            return row
        example = found[row.section_id, row.line]
        question = _in_other_words(example.question or "", example.text, rng)
        made = pair_row(example, question, encode.codec, encode.length + 16, encode.name)
        return replace(made, part=row.part)

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
            made = _known_rows(encode.example(one.item), answers, encode)
        except TrainingError:  # a removed pair that no longer fits the sequence length
            continue
        rows += made
        weights += [weight] * len(made)
    return tuple(rows), tuple(weights)


def _known_rows(example: Example, answers: Answers, encode: Encoder) -> tuple[Row, ...]:
    rows = encode.rows([example], Part.REPLAYED)
    if example.question is not None:
        return rows
    return (*rows, *encode.sentences([example], answers, Part.REPLAYED))


def _prose(examples: Sequence[Example], learn: set[str]) -> Iterator[Example]:
    """Whole sections where all of one is new, else its runs of new paragraphs."""
    for example in examples:
        paragraphs = items([example])
        if all(item.item_id in learn for item in paragraphs):
            yield example
            continue
        for new, run in groupby(paragraphs, key=lambda item: item.item_id in learn):
            if new:
                together = list(run)
                text = "\n\n".join(item.text for item in together)
                yield replace(example, text=text, line=together[0].line)


def _distinct(examples: Sequence[Example]) -> list[Example]:
    """Each pair once, at its first place; one that is repeated weighs as much as all of them."""
    first: dict[str, Example] = {}
    for example in examples:
        before = first.get(_id(example))
        weight = example.weight + (before.weight if before else 0.0)
        first[_id(example)] = replace(before or example, weight=weight)
    return list(first.values())


def _id(example: Example) -> str:
    return items([example])[0].item_id
