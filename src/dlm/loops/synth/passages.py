"""The prose of a document as passages for a teacher, each with the section it comes from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dlm.data.chat import Codec
from dlm.data.rows import chunk_prose
from dlm.doc.document import Document
from dlm.doc.sections import Section, SectionType
from dlm.errors import UsageError
from dlm.loops.synth.grounding import Ground
from dlm.text.sentences import Sentence, split_at_headings
from dlm.text.terms import Term, content, terms

_SHORTEST = 4  # words of a sentence that can hold a fact
_COMMON = 0.34  # of the sections that speak of a topic of the whole document
_COVERED = 0.75  # of the content words of a sentence that an answer says again


@dataclass(frozen=True, slots=True)
class Source:
    """A prose section, or the `part`-th of it that a heading begins, ready to be asked."""

    section: Section
    text: str
    ground: Ground
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
            Source(self.section, text, Ground.of(text, self.ground.topics), number)
            for number, text in enumerate(split_at_headings(self.text))
        ]
        return [part for part in found if part.ground.lines]


@dataclass(frozen=True, slots=True)
class Passage:
    """A part of a section as a teacher gets to read it."""

    source: Source
    text: str


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
        Source(section, text, Ground.of(text, topics))
        for section in prose
        if (text := section.text.strip())
    ]
    found = [source for source in found if source.ground.lines]
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


def chunks(source: Source, codec: Codec, tokens: int) -> Iterator[Passage]:
    """The text in pieces of at most so many tokens, cut at paragraph ends."""
    for piece in chunk_prose(source.text, codec, max(tokens, 32)):
        if piece.strip():
            yield Passage(source, piece.strip())


def windows(source: Source, answers: Sequence[str] = ()) -> Iterator[Passage]:
    """One sentence after the other, with those before that its pronouns point to.

    Left out are sentences too short to hold a fact, and those that one of `answers` says already.
    """
    told = [frozenset(word.key for word in content(terms(answer))) for answer in answers]
    for line in source.ground.lines:
        if len(line.words) < _SHORTEST or is_told(line.words, told):
            continue
        text = f"{line.context} {line.sentence.text}" if line.context else line.sentence.text
        yield Passage(source, text)


def is_told(sentence: Sequence[Term], answers: Sequence[frozenset[str]]) -> bool:
    """Whether an answer says again what the sentence says."""
    own = {word.key for word in content(sentence)}
    return bool(own) and any(len(own & answer) >= _COVERED * len(own) for answer in answers)


def around(ground: Ground, sentence: str) -> str:
    """The paragraph a sentence stands in."""
    found: Sentence | None = next((one for one in ground.sentences if one.text == sentence), None)
    if found is None:
        return sentence
    return " ".join(one.text for one in ground.sentences if one.paragraph == found.paragraph)
