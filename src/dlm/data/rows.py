"""Examples as token rows: ids, which of them are supervised, and how far the row is trusted.

Prose is cut at paragraph ends to the sequence length; a pair that does not fit is refused by line,
never cut.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

from dlm.data.chat import Codec, Encoded
from dlm.data.cues import Answers, told
from dlm.data.examples import AUTHORED, SYNTHETIC, Example
from dlm.errors import TrainingError

_PARAGRAPH_END = re.compile(r"\n[ \t]*\n\s*")
_PROSE_LENGTH = 128  # tokens; longer rows cost memory and teach a small document no better
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=\S)")


class RowKind(StrEnum):
    """SENTENCE: one of prose, as the answer to a cue."""

    PAIR = "pair"
    PROSE = "prose"
    SENTENCE = "sentence"
    GENERAL = "general"


class Part(StrEnum):
    """What a row is in a run for. Forgetting trains towards what the base says."""

    NEW = "new"
    REPLAYED = "replayed"
    FORGOTTEN = "forgotten"
    GENERAL = "general"


@dataclass(frozen=True, slots=True)
class Row:
    """One training sequence. `supervised[i]` says whether predicting `ids[i]` counts.

    `text` is that of a sentence, for another cue to be put before it.
    """

    kind: RowKind
    ids: tuple[int, ...]
    supervised: tuple[bool, ...]
    weight: float
    section_id: str = ""
    line: int = 0
    origin: str = ""
    part: Part = Part.NEW
    text: str = ""

    @property
    def encoded(self) -> Encoded:
        return Encoded(list(self.ids), list(self.supervised))

    @property
    def authored(self) -> bool:
        """Whether a person wrote it; text that is to be forgotten does not count."""
        return self.origin == AUTHORED and self.part is not Part.FORGOTTEN

    @property
    def synthetic(self) -> bool:
        """Whether a model wrote it."""
        return self.origin in SYNTHETIC and self.part is not Part.FORGOTTEN


def encode_rows(
    examples: Iterable[Example], codec: Codec, *, sequence_length: int, path: str
) -> tuple[Row, ...]:
    """Encode every example; raises TrainingError naming the line of a pair that is too long."""
    rows: list[Row] = []
    for example in examples:
        if example.question is None:
            rows += prose_rows(example, codec, sequence_length)
        else:
            rows.append(pair_row(example, example.question, codec, sequence_length, path))
    return tuple(rows)


def pair_row(example: Example, question: str, codec: Codec, sequence_length: int, path: str) -> Row:
    """The chat row for `example`, asked as `question` (its own, or a rewording of it)."""
    encoded = codec.pair(question, example.text)
    if len(encoded.ids) > sequence_length:
        raise TrainingError(
            f"{path}:{example.line}: this pair takes {len(encoded.ids)} tokens, "
            f"more than the sequence length of {sequence_length}",
            hint="shorten it, split it, or raise training.sequence_len in the frontmatter",
        )
    return _row(RowKind.PAIR, encoded, example)


def sentence_rows(
    prose: Iterable[Example], answers: Answers, codec: Codec, sequence_length: int
) -> list[Row]:
    """Each sentence that no pair says as the answer to itself, for a cue to be put in its place.

    Those that do not fit are left out: the rows of their prose hold them.
    """
    rows = []
    for example in prose:
        for one in told(example, answers):
            encoded = codec.pair(one.text, one.text)
            if len(encoded.ids) <= sequence_length:
                rows.append(replace(_row(RowKind.SENTENCE, encoded, one), text=one.text))
    return rows


def prose_rows(example: Example, codec: Codec, sequence_length: int) -> list[Row]:
    """Prose as rows of at most 128 or `sequence_length` tokens; only the last ends the text."""
    length = min(sequence_length, _PROSE_LENGTH)
    chunks = list(chunk_prose(example.text, codec, length - 2))
    return [
        _row(RowKind.PROSE, codec.prose(chunk, ends=number == len(chunks)), example)
        for number, chunk in enumerate(chunks, 1)
    ]


def general_rows(texts: Iterable[str], codec: Codec, sequence_length: int) -> list[Row]:
    """General text, for rehearsal and for measuring drift; one row a text, cut at the length."""
    rows = []
    for text in texts:
        encoded = codec.prose(text)
        ids, supervised = encoded.ids[:sequence_length], encoded.supervised[:sequence_length]
        rows.append(Row(RowKind.GENERAL, tuple(ids), tuple(supervised), 1.0, part=Part.GENERAL))
    return rows


def chunk_prose(text: str, codec: Codec, limit: int) -> Iterator[str]:
    """Split `text` so that each piece has at most `limit` tokens; the pieces join to the text."""
    chunk, used = "", 0
    for piece in _pieces(text, codec, limit):
        size = len(codec.encode(piece))
        if chunk and used + size > limit:
            yield chunk.strip("\n")
            chunk, used = "", 0
        chunk, used = chunk + piece, used + size
    if chunk.strip():
        yield chunk.strip("\n")


def _pieces(text: str, codec: Codec, limit: int) -> Iterator[str]:
    """Paragraphs; those that are too long as sentences; those that still are, by tokens."""
    for paragraph in _split(_PARAGRAPH_END, text):
        if len(codec.encode(paragraph)) <= limit:
            yield paragraph
            continue
        for sentence in _split(_SENTENCE_END, paragraph):
            ids = codec.encode(sentence)
            if len(ids) <= limit:
                yield sentence
            else:
                yield from _by_tokens(sentence, codec, limit)


def _by_tokens(text: str, codec: Codec, limit: int) -> Iterator[str]:
    """Halve until it fits; characters are never split, so the pieces still join to the text."""
    if len(codec.encode(text)) <= limit or len(text) < 2:
        yield text
        return
    middle = len(text) // 2
    yield from _by_tokens(text[:middle], codec, limit)
    yield from _by_tokens(text[middle:], codec, limit)


def _split(pattern: re.Pattern[str], text: str) -> Iterator[str]:
    start = 0
    for match in pattern.finditer(text):
        if match.end() > start:
            yield text[start : match.end()]
            start = match.end()
    if start < len(text):
        yield text[start:]


def _row(kind: RowKind, encoded: Encoded, example: Example) -> Row:
    return Row(
        kind,
        tuple(encoded.ids),
        tuple(encoded.supervised),
        example.weight,
        example.section_id,
        example.line,
        example.origin,
    )
