"""The prose of a document: as evidence that answers rest on, and as passages for a teacher."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from dlm.data.chat import Codec
from dlm.data.rows import chunk_prose
from dlm.doc.document import Document
from dlm.doc.sections import Section, SectionType
from dlm.errors import UsageError
from dlm.text.sentences import Sentence, sentences, split_at_headings
from dlm.text.terms import Term, content, names_in, terms
from dlm.text.words import ANAPHORS

_SHORTEST = 4  # words of a sentence that can hold a fact
_COMMON = 0.34  # of the sections that speak of a topic of the whole document
_COVERED = 0.75  # of the content words of a sentence that an answer says again


@dataclass(frozen=True, slots=True)
class Line:
    """A sentence with its words, their keys, and the keys it borrows from around it."""

    sentence: Sentence
    words: tuple[Term, ...]
    keys: frozenset[str]
    lent: frozenset[str]
    context: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """A text that answers may rest on: its sentences with their words, its names and its topics."""

    lines: tuple[Line, ...]
    names: frozenset[str]
    topics: frozenset[str]
    keys: frozenset[str]  # of the whole passage

    @classmethod
    def of(cls, passage: str, topics: Iterable[str] = ()) -> Evidence:
        """Topics are keys of words that all of the document is about."""
        found = sentences(passage)
        names = names_in("\n".join(sentence.text for sentence in found))
        return cls._read(found, names, frozenset(topics))

    def with_names(self, names: frozenset[str]) -> Evidence:
        """The same text, with further spellings taken as names."""
        return self._read([line.sentence for line in self.lines], self.names | names, self.topics)

    @classmethod
    def _read(
        cls, found: Sequence[Sentence], names: frozenset[str], topics: frozenset[str]
    ) -> Evidence:
        read = [tuple(terms(sentence.text, names)) for sentence in found]
        lines = tuple(_line(number, found, read, names) for number in range(len(found)))
        keys = frozenset(word.key for line in read for word in line)
        return cls(lines, names, topics, keys)


@dataclass(frozen=True, slots=True)
class Source:
    """A prose section, or the `part`-th of it that a heading begins, ready to be asked."""

    section: Section
    text: str
    evidence: Evidence
    part: int = 0

    @property
    def id(self) -> str:
        return self.section.section_id

    @property
    def key(self) -> tuple[str, int]:
        """What pairs are counted by."""
        return self.id, self.part

    def parts(self) -> list[Source]:
        """What stands under each heading; empty parts are left out."""
        found = [
            Source(self.section, text, Evidence.of(text, self.evidence.topics), number)
            for number, text in enumerate(split_at_headings(self.text))
        ]
        return [part for part in found if part.evidence.lines]


def sources(document: Document, only: Sequence[str] = ()) -> list[Source]:
    """The owner's prose sections that hold sentences, or those whose ids begin as in `only`.

    Raises UsageError for an id that no such section has.
    """
    prose = [
        section
        for section in document.sections
        if section.type is SectionType.PROSE and section.provenance is None
    ]
    topics = document_topics(prose)
    found = [
        Source(section, text, Evidence.of(text, topics))
        for section in prose
        if (text := section.text.strip())
    ]
    found = [source for source in found if source.evidence.lines]
    for prefix in only:
        if not any(source.id.startswith(prefix) for source in found):
            raise UsageError(
                f"{prefix} is no prose section of {document.path or 'the document'}",
                hint="`dlm show --sections` lists them",
            )
    if only:
        found = [source for source in found if source.id.startswith(tuple(only))]
    return found


def document_topics(prose: Sequence[Section]) -> frozenset[str]:
    """Keys of words that the whole document is about: of its title, and of many sections."""
    title = next((line for s in prose for line in s.text.splitlines() if line.strip()), "")
    title = title if title.lstrip().startswith("#") else ""
    counts = Counter(key for s in prose for key in {word.key for word in content(terms(s.text))})
    often = max(3.0, _COMMON * len(prose))
    return frozenset(word.key for word in content(terms(title))) | {
        key for key, count in counts.items() if count >= often
    }


def chunks(source: Source, codec: Codec, tokens: int) -> Iterator[str]:
    """The text in pieces of at most so many tokens, cut at paragraph ends."""
    for piece in chunk_prose(source.text, codec, max(tokens, 32)):
        if piece.strip():
            yield piece.strip()


def windows(source: Source, answers: Sequence[str] = ()) -> Iterator[str]:
    """One sentence after the other, with those before that its pronouns point to.

    Left out are sentences too short to hold a fact, and those that one of `answers` says already.
    """
    told = [frozenset(word.key for word in content(terms(answer))) for answer in answers]
    for line in source.evidence.lines:
        if len(line.words) < _SHORTEST or is_told(line.words, told):
            continue
        yield f"{line.context} {line.sentence.text}" if line.context else line.sentence.text


def is_told(sentence: Sequence[Term], answers: Sequence[frozenset[str]]) -> bool:
    """Whether an answer says again what the sentence says."""
    own = {word.key for word in content(sentence)}
    return bool(own) and any(len(own & answer) >= _COVERED * len(own) for answer in answers)


def around(evidence: Evidence, sentence: str) -> str:
    """The paragraph a sentence stands in."""
    known = [line.sentence for line in evidence.lines]
    place = next((one.paragraph for one in known if one.text == sentence), None)
    if place is None:
        return sentence
    return " ".join(one.text for one in known if one.paragraph == place)


def _line(
    number: int,
    found: Sequence[Sentence],
    read: Sequence[tuple[Term, ...]],
    names: frozenset[str],
) -> Line:
    own = read[number]
    context = _context(number, found, read)
    lent = {word.key for word in terms(found[number].heading, names)}
    lent |= {word.key for before in context for word in read[before]}
    before = " ".join(found[i].text for i in context)
    keys = frozenset(word.key for word in own)
    return Line(found[number], own, keys, frozenset(lent), before)


def _context(number: int, found: Sequence[Sentence], read: Sequence[tuple[Term, ...]]) -> list[int]:
    """The sentences before one that its subject points back to, in their order."""
    before: list[int] = []
    while number > 0 and len(before) < 2 and _points_back(read[number]):
        if found[number].paragraph != found[number - 1].paragraph:
            break
        number -= 1
        before.insert(0, number)
    return before


def _points_back(sentence: Sequence[Term]) -> bool:
    """Whether a sentence is about something that only the one before it names."""
    return any(word.key in ANAPHORS for word in sentence[:3])
