"""What a document teaches: a `Lesson` for each pair, triple and piece of prose, made once from it.

A lesson is what rows are made of, what a version remembers and what a scorecard judges. Its id
hangs on nothing but its words, so that moving it changes nothing. Knows nothing of tokens.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import lru_cache, partial
from typing import TYPE_CHECKING, NamedTuple

from dlm.doc.provenance import Origin
from dlm.doc.sections import Section, SectionType
from dlm.errors import DocumentError, TrainingError
from dlm.sources.kinds import is_code

if TYPE_CHECKING:
    from dlm.doc.document import Document
    from dlm.doc.schema import TrustConfig

AUTHORED = "authored"
SOURCE = "source"  # a file that trains beside the document
GENERAL = "general"  # text that ships with the package
SYNTHETIC = frozenset({Origin.SYNTHESIZED.value, Origin.MINED.value})

_PARAGRAPH_END = re.compile(r"\n[ \t]*\n\s*")
_SHOWN = 72  # characters


class Kind(StrEnum):
    """Prose is to be continued, a pair answered, a triple answered one way and not the other."""

    PROSE = "prose"
    PAIR = "pair"
    TRIPLE = "triple"


class Role(StrEnum):
    """What a lesson is for.

    TRAIN and PROBE are trained, and a probe is asked afterwards. EXAM and HELD_OUT are only asked.
    REPLAY was trained before and comes along, FORGET is trained towards what the base says, and
    REHEARSE is general text beside the document's.
    """

    TRAIN = "train"
    PROBE = "probe"
    EXAM = "exam"
    HELD_OUT = "held_out"
    REPLAY = "replay"
    FORGET = "forget"
    REHEARSE = "rehearse"


@dataclass(frozen=True, slots=True)
class Lesson:
    """Prose, or the answer to `question`, or with `rejected` the better of two answers to it.

    `line` is where it stands in the document, or in `file` beside it, counted from 1; `weight` the
    trust in its origin.
    """

    text: str
    question: str = ""
    rejected: str = ""
    origin: str = AUTHORED
    line: int = 0
    section_id: str = ""
    role: Role = Role.TRAIN
    weight: float = 1.0
    file: str = ""
    id: str = field(init=False, repr=False, compare=False)
    """First 16 hex digits of a digest of the words; spacing at line ends does not matter."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "id", _digest(self.question, self.text, self.rejected))

    @property
    def kind(self) -> Kind:
        if self.rejected:
            return Kind.TRIPLE
        return Kind.PAIR if self.question else Kind.PROSE

    @property
    def prompt(self) -> str:
        """What a triple calls its question."""
        return self.question

    @property
    def chosen(self) -> str:
        """What a triple calls its better answer."""
        return self.text

    @property
    def first_words(self) -> str:
        """The question, or the beginning of the text, on one line."""
        words = " ".join((self.question or self.text).split())
        return words if len(words) <= _SHOWN else words[: _SHOWN - 1].rstrip() + "…"

    @property
    def place(self) -> str:
        """`line 7` of the document, or `docs/lamp.md:7`."""
        return f"{self.file}:{self.line}" if self.file else f"line {self.line}"

    @property
    def is_code(self) -> bool:
        """Whether it was taken from a file that holds no prose."""
        return bool(self.file) and is_code(self.file)

    @property
    def plain(self) -> bool:
        """Whether this is a pair that the owner wrote and did not mark."""
        return self.kind is Kind.PAIR and self.role is Role.TRAIN and self.origin == AUTHORED


class Lessons(NamedTuple):
    """All that a document teaches, and the exam and held-out pairs that are only asked of it.

    `triples` teach which of two answers is better, after all else is learned. Each is in document
    order.
    """

    train: tuple[Lesson, ...]
    exam: tuple[Lesson, ...] = ()
    held_out: tuple[Lesson, ...] = ()
    triples: tuple[Lesson, ...] = ()

    @property
    def pairs(self) -> tuple[Lesson, ...]:
        return tuple(lesson for lesson in self.train if lesson.question)

    @property
    def prose(self) -> tuple[Lesson, ...]:
        return tuple(lesson for lesson in self.train if not lesson.question)

    @property
    def probes(self) -> tuple[Lesson, ...]:
        return tuple(lesson for lesson in self.train if lesson.role is Role.PROBE)

    @property
    def only_asked(self) -> tuple[Lesson, ...]:
        return (*self.exam, *self.held_out)


def lessons_of(document: Document) -> Lessons:
    """Sort the document, and the files that train beside it, into what trains and what is asked.

    Raises DocumentError at an image or audio section, and at a source that is not there;
    TrainingError when nothing would train.
    """
    config = document.frontmatter.training
    found: list[Lesson] = []
    for section in document.sections:
        if section.type in (SectionType.IMAGE, SectionType.AUDIO):
            raise _not_text(document, section)
        found += _lessons(section, config.trust)
    if config.sources:
        found += _beside(document)
    exam = tuple(lesson for lesson in found if lesson.role is Role.EXAM)
    triples = tuple(lesson for lesson in found if lesson.kind is Kind.TRIPLE)
    train = [
        lesson
        for lesson in found
        if lesson.role is not Role.EXAM and lesson.kind is not Kind.TRIPLE
    ]
    if not train:
        raise TrainingError(
            f"{document.path or 'the document'} has nothing to train on",
            hint="write some prose or an ::instruction:: section with ### Q and ### A",
        )
    train, held_out = split(train, config.held_out, config.seed)
    asked = tuple(replace(one, role=Role.HELD_OUT) for one in held_out)
    return Lessons(tuple(train), exam, asked, triples)


def origin_of(section: Section) -> str:
    """Who wrote the section: `authored`, or the origin in its provenance marker."""
    return section.provenance.origin.value if section.provenance else AUTHORED


def split(
    lessons: Sequence[Lesson], fraction: float, seed: int
) -> tuple[list[Lesson], list[Lesson]]:
    """What trains and what is held out, both in order; about `fraction` of the plain pairs.

    Prose, probes and pairs that a tool wrote always train. So does one pair at least: where all
    would be held out, the one that a larger fraction would have taken last stays. The choice hangs
    on (seed, section id, question) alone: an edit of another section moves no pair.
    """
    chosen = [one for one in lessons if one.plain and place(one, seed) < fraction]
    if chosen and len(chosen) == sum(one.kind is Kind.PAIR for one in lessons):
        last = max(place(one, seed) for one in chosen)
        chosen = [one for one in chosen if place(one, seed) < last]
    held = {id(one) for one in chosen}
    return [one for one in lessons if id(one) not in held], chosen


def place(lesson: Lesson, seed: int) -> float:
    """Where a pair stands from 0 to 1; those below the fraction are held out."""
    named = f"{seed}\n{lesson.section_id}\n{lesson.question}"
    digest = hashlib.sha256(named.encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def parts(lessons: Iterable[Lesson]) -> tuple[Lesson, ...]:
    """The smallest lessons, in order: prose as its paragraphs, code and all else as it is.

    They are what is new or known, replayed, superseded or forgotten.
    """
    return _parts(tuple(lessons))


@lru_cache(maxsize=2)  # of one document they are asked for again and again
def _parts(lessons: tuple[Lesson, ...]) -> tuple[Lesson, ...]:
    return tuple(part for lesson in lessons for part in _parts_of(lesson))


def _parts_of(lesson: Lesson) -> Iterable[Lesson]:
    prose = lesson.kind is Kind.PROSE and not lesson.is_code
    return _paragraphs(lesson) if prose else (lesson,)


def distinct(triples: Sequence[Lesson]) -> tuple[Lesson, ...]:
    """Each triple once, at its first place, as trusted as its most trusted copy."""
    found: dict[str, Lesson] = {}
    for one in triples:
        before = found.get(one.id)
        if before is None or before.weight < one.weight:
            found[one.id] = one
    return tuple(sorted(found.values(), key=lambda one: one.line))


def contradictions(triples: Sequence[Lesson]) -> tuple[tuple[Lesson, Lesson], ...]:
    """Pairs of triples with the same prompt and their answers swapped, in document order."""
    seen: dict[str, Lesson] = {}
    found = []
    for one in triples:
        swapped = _digest(one.question, one.rejected, one.text)
        if swapped in seen:
            found.append((seen[swapped], one))
        seen.setdefault(one.id, one)
    return tuple(found)


def _lessons(section: Section, trust: TrustConfig) -> Iterator[Lesson]:
    origin = origin_of(section)
    weight = float(getattr(trust, origin))

    lesson = partial(Lesson, origin=origin, section_id=section.section_id, weight=weight)
    if section.type is SectionType.PROSE and section.text.strip():
        yield lesson(section.text.strip(), line=section.line)
    for pair in section.pairs:
        yield lesson(pair.answer, pair.question, line=pair.line, role=Role(pair.role.value))
    for triple in section.triples:
        yield lesson(triple.chosen, triple.prompt, triple.rejected, line=triple.line)


def _beside(document: Document) -> Iterator[Lesson]:
    from dlm.sources.reading import read_sources  # most documents stand alone

    for one in read_sources(document).pieces:
        yield Lesson(one.text, origin=SOURCE, line=one.line, section_id=one.id, file=one.file)


def _paragraphs(lesson: Lesson) -> Iterator[Lesson]:
    text, start, line = lesson.text, 0, lesson.line
    alike = partial(  # in a third of the time that `replace` takes
        Lesson,
        origin=lesson.origin,
        section_id=lesson.section_id,
        role=lesson.role,
        weight=lesson.weight,
        file=lesson.file,
    )
    ends = [match.span() for match in _PARAGRAPH_END.finditer(text)]
    for end, begin in [*ends, (len(text), len(text))]:
        if text[start:end].strip():
            yield alike(text[start:end], line=line)
        line += text.count("\n", start, begin)
        start = begin


@lru_cache(maxsize=65_536)  # a lesson is made anew for each role that its words are given
def _digest(*words: str) -> str:
    kept = (_normal_lines(text) for text in words if text)
    return hashlib.sha256("\0".join(kept).encode("utf-8", "replace")).hexdigest()[:16]


def _normal_lines(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.strip().split("\n"))


def _not_text(document: Document, section: Section) -> DocumentError:
    kind = section.type.value
    return DocumentError(
        f"an ::{kind}:: section cannot train the text base {document.frontmatter.base_model!r}",
        at=document.location(section.span.start),
        hint=f"remove the section, or describe the {kind} in prose",
    )
