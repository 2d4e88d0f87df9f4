"""Lessons as token rows: ids, and which of them are supervised.

Prose is cut at paragraph ends to the sequence length; a pair that does not fit is refused by line,
never cut.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from dlm.data.chat import Codec, Encoded
from dlm.data.lessons import AUTHORED, GENERAL, SOURCE, SYNTHETIC, Lesson, Role
from dlm.data.wording import Answers, told
from dlm.doc.schema import TrainingConfig
from dlm.errors import TrainingError
from dlm.text.sentences import pieces

_PARAGRAPH_END = re.compile(r"\n[ \t]*\n\s*")
_SEQUENCE_LENGTH = 1024
_PROSE_LENGTH = 128  # tokens; longer rows cost memory and teach a small document no better


class RowKind(StrEnum):
    """SENTENCE: one of prose, as the answer to a cue."""

    PAIR = "pair"
    PROSE = "prose"
    SENTENCE = "sentence"
    GENERAL = "general"


@dataclass(frozen=True, slots=True)
class Row:
    """One training sequence of a lesson. `supervised[i]` says whether predicting `ids[i]` counts.

    `sentence` is the one of the lesson that a SENTENCE row holds, for another cue to be put before.
    With `distilled` the whole distribution of the base is learned there, not its ids.
    """

    kind: RowKind
    ids: tuple[int, ...]
    supervised: tuple[bool, ...]
    lesson: Lesson
    sentence: str = ""
    distilled: bool = False

    @classmethod
    def of(cls, kind: RowKind, encoded: Encoded, lesson: Lesson, sentence: str = "") -> Row:
        """The row of what a codec made."""
        return cls(kind, tuple(encoded.ids), tuple(encoded.supervised), lesson, sentence)

    @property
    def encoded(self) -> Encoded:
        return Encoded(list(self.ids), list(self.supervised))

    @property
    def weight(self) -> float:
        """How far the row is trusted."""
        return self.lesson.weight

    @property
    def replayed(self) -> bool:
        """Whether it was trained before and comes along."""
        return self.lesson.role is Role.REPLAY

    @property
    def forgets(self) -> bool:
        """Whether it was removed from the document and is to be forgotten."""
        return self.lesson.role is Role.FORGET

    @property
    def toward_base(self) -> bool:
        """Whether it trains towards what the base says."""
        return self.distilled or self.forgets

    @property
    def authored(self) -> bool:
        """Whether a person wrote it; text that is to be forgotten does not count."""
        return self.lesson.origin in (AUTHORED, SOURCE) and not self.forgets

    @property
    def synthetic(self) -> bool:
        """Whether a model wrote it."""
        return self.lesson.origin in SYNTHETIC and not self.forgets


@dataclass(frozen=True, slots=True)
class Waiting:
    """A lesson whose rows are made when an epoch draws it: most of what is known never is."""

    lesson: Lesson
    make: Callable[[Lesson], tuple[Row, ...]]

    @property
    def authored(self) -> bool:
        """Whether a person wrote it."""
        return self.lesson.origin in (AUTHORED, SOURCE)

    def rows(self) -> tuple[Row, ...]:
        """Its rows, at least one."""
        return self.make(self.lesson)


@dataclass(frozen=True, slots=True)
class PairRow:
    """One triple to compare. `reference` are both answers' summed log-probabilities before."""

    chosen: Row
    rejected: Row
    reference: tuple[float, float] = (0.0, 0.0)

    @property
    def lesson(self) -> Lesson:
        """The triple."""
        return self.chosen.lesson

    @property
    def weight(self) -> float:
        """How far the triple is trusted."""
        return self.lesson.weight


def sequence_length(config: TrainingConfig | None, context_length: int) -> int:
    """Tokens a row may have: what the document says, at most what the base can see."""
    if config is None or config.sequence_len == "auto":
        return min(_SEQUENCE_LENGTH, context_length)
    return min(config.sequence_len, context_length)


def encode_rows(
    lessons: Iterable[Lesson], codec: Codec, *, sequence_length: int, path: str
) -> tuple[Row, ...]:
    """Encode prose and pairs; raises TrainingError naming the line of a pair that is too long."""
    rows: list[Row] = []
    for lesson in lessons:
        if lesson.question:
            rows.append(pair_row(lesson, lesson.question, codec, sequence_length, path))
        else:
            rows += prose_rows(lesson, codec, sequence_length)
    return tuple(rows)


def pair_row(lesson: Lesson, question: str, codec: Codec, sequence_length: int, path: str) -> Row:
    """The chat row of a pair, asked as `question` (its own, or a rewording of it)."""
    encoded = codec.pair(question, lesson.text)
    if len(encoded.ids) > sequence_length:
        raise TrainingError(
            f"{path}:{lesson.line}: this pair takes {len(encoded.ids)} tokens, "
            f"more than the sequence length of {sequence_length}",
            hint="shorten it, split it, or raise training.sequence_len in the frontmatter",
        )
    return Row.of(RowKind.PAIR, encoded, lesson)


def pair_rows(
    triples: tuple[Lesson, ...], codec: Codec, *, sequence_length: int, path: str
) -> tuple[PairRow, ...]:
    """Encode every triple; raises TrainingError naming the line of one that is too long."""
    return tuple(_compared(one, codec, sequence_length, path) for one in triples)


def sentence_rows(
    prose: Iterable[Lesson], answers: Answers, codec: Codec, sequence_length: int
) -> Iterator[Row]:
    """Each sentence that no pair says as the answer to itself, for a cue to be put in its place.

    Those that do not fit are left out: the rows of their prose hold them.
    """
    for lesson in prose:
        for sentence in () if lesson.is_code else told(lesson.text, answers):
            encoded = codec.pair(sentence, sentence)
            if len(encoded.ids) <= sequence_length:
                yield Row.of(RowKind.SENTENCE, encoded, lesson, sentence)


def prose_rows(lesson: Lesson, codec: Codec, sequence_length: int) -> list[Row]:
    """Prose as rows of at most 128 or `sequence_length` tokens; only the last ends the text."""
    length = min(sequence_length, _PROSE_LENGTH)
    chunks = list(_chunks(lesson.text, codec, length - 2))
    return [
        Row.of(RowKind.PROSE, codec.prose(chunk, ends=number == len(chunks), ids=ids), lesson)
        for number, (chunk, ids) in enumerate(chunks, 1)
    ]


def general_rows(texts: Iterable[str], codec: Codec, sequence_length: int) -> list[Row]:
    """General text, for rehearsal and for measuring drift; one row a text, cut at the length."""
    rows = []
    for text in texts:
        encoded = codec.prose(text)
        cut = Encoded(encoded.ids[:sequence_length], encoded.supervised[:sequence_length])
        rows.append(Row.of(RowKind.GENERAL, cut, Lesson(text, origin=GENERAL, role=Role.REHEARSE)))
    return rows


def chunk_prose(text: str, codec: Codec, limit: int) -> Iterator[str]:
    """Split `text` so that each piece has at most `limit` tokens; the pieces join to the text."""
    return (chunk for chunk, _ in _chunks(text, codec, limit))


def _chunks(text: str, codec: Codec, limit: int) -> Iterator[tuple[str, list[int] | None]]:
    """The chunks, with their ids where one is a piece of its own, which is encoded already."""
    pieces_: list[str] = []
    used, ids = 0, list[int]()
    for piece, found, size in _pieces(text, codec, limit):
        if pieces_ and used + size > limit:
            yield _joined(pieces_), ids if len(pieces_) == 1 else None
            pieces_, used = [], 0
        pieces_.append(piece)
        used, ids = used + size, found
    if "".join(pieces_).strip():
        yield _joined(pieces_), ids if len(pieces_) == 1 else None


def _joined(pieces_: list[str]) -> str:
    return "".join(pieces_).strip("\n")


def _compared(one: Lesson, codec: Codec, sequence_length: int, path: str) -> PairRow:
    rows: list[Row] = []
    for name, answer in (("chosen", one.chosen), ("rejected", one.rejected)):
        encoded = codec.pair(one.prompt, answer)
        if len(encoded.ids) > sequence_length:
            raise TrainingError(
                f"{path}:{one.line}: this triple takes {len(encoded.ids)} tokens with its {name} "
                f"answer, more than the sequence length of {sequence_length}",
                hint="shorten the answer, or raise training.sequence_len in the frontmatter",
            )
        rows.append(Row.of(RowKind.PAIR, encoded, one))
    chosen, rejected = rows
    return PairRow(chosen, rejected)


def _pieces(text: str, codec: Codec, limit: int) -> Iterator[tuple[str, list[int], int]]:
    """Paragraphs, those that are too long as sentences or else by tokens.

    Each with its ids, without the newlines around it, and its tokens with these.
    """
    for paragraph in _paragraphs(text):
        ids, size = _counted(paragraph, codec)
        if size <= limit:
            yield paragraph, ids, size
            continue
        for sentence in pieces(paragraph):
            yield from _by_tokens(sentence, codec, limit)


def _by_tokens(text: str, codec: Codec, limit: int) -> Iterator[tuple[str, list[int], int]]:
    """Halve until it fits; characters are never split, so the pieces still join to the text."""
    ids, size = _counted(text, codec)
    if size <= limit or len(text) < 2:
        yield text, ids, size
        return
    middle = len(text) // 2
    yield from _by_tokens(text[:middle], codec, limit)
    yield from _by_tokens(text[middle:], codec, limit)


def _counted(text: str, codec: Codec) -> tuple[list[int], int]:
    """The ids of a text without the newlines around it, and how many it has with them."""
    inner = text.strip("\n")
    ids = codec.encode(inner)
    start = text.find(inner)
    around = (text[:start], text[start + len(inner) :])
    return ids, len(ids) + sum(len(codec.encode(newlines)) for newlines in around if newlines)


def _paragraphs(text: str) -> Iterator[str]:
    start = 0
    for match in _PARAGRAPH_END.finditer(text):
        if match.end() > start:
            yield text[start : match.end()]
            start = match.end()
    if start < len(text):
        yield text[start:]
