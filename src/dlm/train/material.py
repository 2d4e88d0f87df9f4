"""The rows of a run, by what they are for: new, replayed, forgotten, general, samples of the base.

Samples are what the base writes by itself, rehearsed beside a document so that an adapter keeps
what it could do: taken once per base with no adapter, and kept; the embedded base ships with its
own. That samples of the model itself serve as replay is from "Forgetting in Language Models:
Capacity, Optimization, and Self-Generated Replay" (Marek et al., 2026).
"""

from __future__ import annotations

import gzip
import json
import random
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Final

from dlm.base_models import BaseModel
from dlm.base_models.folder import fingerprint
from dlm.data.chat import Codec, Encoded
from dlm.data.general import rehearsal_texts
from dlm.data.lessons import Lesson, Lessons, Role, parts
from dlm.data.rows import Row, RowKind, encode_rows, pair_row, sentence_rows
from dlm.data.schedule import Material, Reworder, recency
from dlm.data.wording import Answers, cue, reword
from dlm.doc.schema import TrustConfig
from dlm.engine.decoding import generate
from dlm.engine.model import Model
from dlm.errors import DlmError, TrainingError
from dlm.files import home, write_atomic
from dlm.hardware import detect, plan_answers
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


SHIPPED = "samples.jsonl.gz"
BASE = "base"  # the origin of such rows

_COUNT = 240
_MAX_TOKENS = 72
_TEMPERATURE = 0.8
SAMPLE_LENGTH = 160  # tokens a row
_QUESTION = re.compile(r"### Q\n([^\n]{8,160}\?)\s*\n### A\n")
_REQUESTS = (
    "Write 1 question-and-answer pair(s) that the passage answers directly. "
    "Use only facts from the passage.\n\nPassage:\n{0}",
    "Write the request that this text answers. Do not quote it.\n\nText:\n{0}",
)


@dataclass(frozen=True, slots=True)
class Sample:
    """What the base wrote: after `prompt` as a chat turn, or after `beginning` as plain text."""

    text: str
    prompt: str | None = None
    beginning: str = ""


def samples_of(folder: Path) -> tuple[Sample, ...] | None:
    """The samples that ship with a base or were taken here; None where there are none yet."""
    mark = fingerprint(folder)
    for path in (folder / SHIPPED, _kept(mark)):
        if path.is_file() and (found := _read(path, mark)) is not None:
            return found
    return None


def take_samples(base: BaseModel, folder: Path) -> tuple[Sample, ...]:
    """Let the base write, without an adapter, and keep what it wrote beside the stores."""
    codec = Codec.load(folder)
    model = Model.load(folder, plan_answers(detect(), base))
    written = _write(model, codec, _requests(rehearsal_texts()[-_COUNT:]))
    questions = {question: None for one in written for question in _QUESTION.findall(one.text)}
    samples = (*written, *_write(model, codec, [Sample("", prompt=one) for one in questions]))
    mark = fingerprint(folder)
    path = _kept(mark)
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_atomic(path, encoded(samples, mark))
    except (OSError, DlmError):
        pass  # They serve this run; the next one takes the same again.
    return samples


def encoded(samples: Sequence[Sample], mark: str) -> bytes:
    """The file that keeps samples: the fingerprint of their base, then one a line, compressed."""
    lines = [json.dumps({"base": mark}), *(json.dumps(asdict(one)) for one in samples)]
    return gzip.compress("\n".join(lines).encode(), mtime=0)


def sample_rows(samples: Sequence[Sample], codec: Codec) -> list[Row]:
    """One general row a sample; loss on what the base wrote, not on what it was given."""
    rows = []
    for one in samples:
        if one.prompt is None:
            row = codec.prose(f"{one.beginning} {one.text}", ends=False)
        else:
            row = codec.pair(one.prompt, one.text)
        cut = Encoded(row.ids[:SAMPLE_LENGTH], row.supervised[:SAMPLE_LENGTH])
        if any(cut.supervised[1:]):
            written = Lesson(one.text, one.prompt or "", origin=BASE, role=Role.REHEARSE)
            rows.append(Row.of(RowKind.GENERAL, cut, written))
    return rows


def _write(model: Model, codec: Codec, asked: Sequence[Sample]) -> list[Sample]:
    """What the base answers, without the empty answers."""
    written = generate(
        model,
        [_prompt(codec, one) for one in asked],
        max_new_tokens=_MAX_TOKENS,
        stop_ids=codec.stop_ids,
        pad_id=codec.pad_id,
        temperature=_TEMPERATURE,
        seed=0,
    )
    texts = (codec.decode(ids).strip() for ids in written)
    return [
        Sample(text, one.prompt, one.beginning)
        for one, text in zip(asked, texts, strict=True)
        if text
    ]


def _requests(texts: Sequence[str]) -> list[Sample]:
    """A third each: go on with a text, write a pair from it, write the request it answers."""
    asked = []
    for number, text in enumerate(texts):
        kind = number % 3
        words = text.split()
        if kind == 2:
            asked.append(Sample("", beginning=" ".join(words[: max(6, len(words) // 3)])))
        else:
            asked.append(Sample("", prompt=_REQUESTS[kind].format(" ".join(words[:60]))))
    return asked


def _prompt(codec: Codec, one: Sample) -> list[int]:
    if one.prompt is not None:
        return codec.prompt_ids([{"role": "user", "content": one.prompt}])
    return codec.prose(one.beginning, ends=False).ids


def _kept(mark: str) -> Path:
    return home() / "samples" / f"{mark[:32]}.jsonl.gz"


def _read(path: Path, mark: str) -> tuple[Sample, ...] | None:
    """The samples in a file, None when it is of another base or damaged."""
    try:
        first, *lines = gzip.decompress(path.read_bytes()).decode("utf-8").split("\n")
        if json.loads(first) != {"base": mark}:
            return None
        return tuple(Sample(**json.loads(line)) for line in lines)
    except (OSError, EOFError, ValueError, TypeError, gzip.BadGzipFile):
        return None
