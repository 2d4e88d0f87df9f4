"""A document cut into passages of varied length, each with the headings it stands under."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from dlm.text.sentences import sentences
from recipe.english import Lexicon
from recipe.facts import Fact, facts_of

_LIMITS: Final = (200, 350, 600, 900, 1300)  # characters; one of them for each passage
_SHORTEST, _LONGEST = 80, 1600


@dataclass(frozen=True, slots=True)
class Passage:
    """`title` is the document's, `heading` the nearest one, or ""."""

    title: str
    heading: str
    text: str
    facts: tuple[Fact, ...] = ()

    @property
    def first_sentences(self) -> str:
        """What a short answer about the whole would say."""
        return " ".join(one.text for one in sentences(self.text.split("\n\n")[0])[:2])


def passages(text: str, rng: random.Random) -> list[Passage]:
    """The passages of a document, without their facts."""
    found: list[Passage] = []
    for title, heading, paragraphs in _sections(text):
        for piece in _pieces(paragraphs, rng):
            if _SHORTEST <= len(piece) <= _LONGEST:
                found.append(Passage(title, heading, piece))
    return found


def with_facts(passage: Passage, lexicon: Lexicon) -> Passage:
    prose = "\n\n".join(part for part in passage.text.split("\n\n") if not part.startswith("- "))
    facts = tuple(facts_of(prose, lexicon))
    return Passage(passage.title, passage.heading, passage.text, facts)


def _sections(text: str) -> Iterator[tuple[str, str, list[str]]]:
    title = heading = ""
    paragraphs: list[str] = []
    for part in text.split("\n\n"):
        if not part.startswith("#"):
            paragraphs.append(part)
            continue
        if paragraphs:
            yield title, heading, paragraphs
            paragraphs = []
        heading = part.lstrip("# ").strip()
        title = title or heading
    if paragraphs:
        yield title, heading, paragraphs


def _pieces(paragraphs: list[str], rng: random.Random) -> Iterator[str]:
    """Neighbouring paragraphs joined up to a limit drawn for each piece; long ones cut."""
    limit, joined = rng.choice(_LIMITS), list[str]()
    for paragraph in _shortened(paragraphs, limit):
        if joined and sum(map(len, joined)) + len(paragraph) > limit:
            yield "\n\n".join(joined)
            limit, joined = rng.choice(_LIMITS), []
        joined.append(paragraph)
    if joined:
        yield "\n\n".join(joined)


def _shortened(paragraphs: list[str], limit: int) -> Iterator[str]:
    """Paragraphs, and those far beyond the limit as several of whole sentences."""
    for paragraph in paragraphs:
        if len(paragraph) <= 1.5 * limit:
            yield paragraph
            continue
        part = ""
        for one in sentences(paragraph):
            if part and len(part) + len(one.text) > limit:
                yield part
                part = ""
            part = f"{part} {one.text}".strip()
        if part:
            yield part
