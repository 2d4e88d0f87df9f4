"""A document, and the files beside it, cut into passages: windows of a few sentences, pairs, and
code kept whole.

Sealed exam pairs are never among them. Every sentence knows its line, so that an answer can be
shown where it stands.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache
from typing import Final

from dlm.doc.bodies import PairRole, meant
from dlm.doc.document import Document
from dlm.doc.notes import html_comments
from dlm.doc.sections import Section, SectionType
from dlm.doc.spans import LineIndex
from dlm.sources.kinds import is_code
from dlm.sources.reading import Piece
from dlm.text.sentences import pieces
from dlm.text.words import one_line

_WINDOW: Final = 3  # sentences of a passage
_STEP: Final = 2  # sentences from one window to the next, so that they overlap
_LONGEST: Final = 90  # words of a window; a longer sentence is one of its own
_BLOCK: Final = re.compile(r"(?ms)^ {0,3}(`{3,}|~{3,})[^\n]*\n.*?(?:^ {0,3}\1[`~]*[ \t]*$|\Z)")
_BREAK: Final = re.compile(r"\n[ \t]*\n\s*")
_HEADING: Final = re.compile(r"\A[ \t]{0,3}#{1,6}[ \t]+([^\n]*?)[ \t]*#*[ \t]*(?:\n|\Z)")


class PassageKind(StrEnum):
    """What a passage was cut from."""

    PROSE = "prose"
    PAIR = "pair"
    CODE = "code"


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence on one line of text, and the line of the document that it begins in."""

    text: str
    line: int


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of the document that may answer a question.

    `text` is what is shown to a model; `question` that of a pair, whose `sentences` are those of
    its answer. `file` is where it stands beside the document, empty for the document itself.
    """

    kind: PassageKind
    text: str
    sentences: tuple[Sentence, ...]
    section_id: str
    heading: str = ""
    question: str | None = None
    file: str = ""

    @property
    def line(self) -> int:
        """The line that it begins in."""
        return self.sentences[0].line


def passages(
    document: Document,
    pieces: Sequence[Piece] = (),
    *,
    without: Callable[[str], bool] = lambda question: False,
) -> list[Passage]:
    """Every passage of the document in order, then those of `pieces` of files beside it.

    Pairs whose question is `without` are left out.
    """
    found: list[Passage] = []
    heading = ""
    for section in document.sections:
        if section.type is SectionType.PROSE:
            pieces_ = list(_prose(document, section, heading))
            found += pieces_
            heading = pieces_[-1].heading if pieces_ else heading
        elif section.type is SectionType.INSTRUCTION:
            found += _pairs(section, heading, without)
    heading, file = "", ""
    for piece in pieces:
        heading, file = heading if piece.file == file else "", piece.file
        pieces_ = list(_of_file(piece, heading))
        found += pieces_
        heading = pieces_[-1].heading if pieces_ else heading
    return found


def _pairs(section: Section, heading: str, without: Callable[[str], bool]) -> Iterator[Passage]:
    for pair in section.pairs:
        if pair.role is PairRole.EXAM or without(pair.question):
            continue
        text = f"Q: {one_line(pair.question)}\nA: {pair.answer}"
        said = _sentences(pair.answer, pair.answer_line + 1)
        if said:
            yield Passage(PassageKind.PAIR, text, said, section.section_id, heading, pair.question)


def _prose(document: Document, section: Section, heading: str) -> Iterator[Passage]:
    def line_at(offset: int) -> int:
        return document.source.line(section.content_start + offset)

    yield from _cut(_shown(section.content), line_at, section.section_id, heading)


def _of_file(piece: Piece, heading: str) -> Iterator[Passage]:
    if is_code(piece.file):
        lines = piece.text.split("\n")
        whole = tuple(Sentence(text, piece.line + at) for at, text in enumerate(lines))
        yield Passage(PassageKind.CODE, piece.text, whole, piece.id, file=piece.file)
        return
    index = LineIndex(piece.text)

    def line_at(offset: int) -> int:
        return index.line(offset) + piece.line - 1

    for one in _cut(piece.text, line_at, piece.id, heading):
        yield replace(one, file=piece.file)


def _cut(
    content: str, line_at: Callable[[int], int], section_id: str, heading: str
) -> Iterator[Passage]:
    """The passages of prose; `line_at` tells the line of an offset."""
    for start, text in _blocks(content):
        line = line_at(start)
        if text.lstrip().startswith(("```", "~~~")):
            whole = tuple(Sentence(t, line + at) for at, t in enumerate(text.split("\n")))
            yield Passage(PassageKind.CODE, text.strip("\n"), whole, section_id, heading)
            continue
        title = _HEADING.match(text)
        if title:
            heading = title[1]
            line += text.count("\n", 0, title.end())
            text = text[title.end() :]
        for window in _windows(_sentences(text, line)):
            said = " ".join(one.text for one in window)
            yield Passage(PassageKind.PROSE, said, window, section_id, heading)


def _shown(content: str) -> str:
    """The prose with blanks for its HTML comments, so that every line stays where it is."""
    for span in html_comments(content) if "<!--" in content else ():
        blank = re.sub(r"[^\n]", " ", content[span.start : span.end])
        content = content[: span.start] + blank + content[span.end :]
    return content


def _blocks(content: str) -> Iterator[tuple[int, str]]:
    """(offset, text) of each paragraph and each fenced block of code."""
    at = 0
    for block in _BLOCK.finditer(content):
        yield from _paragraphs(content, at, block.start())
        yield block.start(), block.group()
        at = block.end()
    yield from _paragraphs(content, at, len(content))


def _paragraphs(content: str, start: int, end: int) -> Iterator[tuple[int, str]]:
    for match in [*_BREAK.finditer(content, start, end), None]:
        stop = match.start() if match else end
        text = content[start:stop]
        lead = len(text) - len(text.lstrip())
        if text.strip():
            yield start + lead, text[lead:].rstrip()
        start = match.end() if match else end


def _sentences(text: str, line: int) -> tuple[Sentence, ...]:
    return tuple(Sentence(said, line + below) for below, said in _split(text))


@lru_cache(maxsize=65_536)
def _split(text: str) -> tuple[tuple[int, str], ...]:
    """(lines below the first, sentence) of each; remembered, since few paragraphs change."""
    found, below = [], 0
    for piece in pieces(text):
        lead = len(piece) - len(piece.lstrip())
        if said := one_line(meant(piece)):
            found.append((below + piece.count("\n", 0, lead), said))
        below += piece.count("\n")
    return tuple(found)


def _windows(sentences: Sequence[Sentence]) -> Iterator[tuple[Sentence, ...]]:
    """Runs of up to three sentences that overlap by one; the last run is not repeated."""
    at = 0
    while at < len(sentences):
        end, words = at, 0
        while end < len(sentences) and end - at < _WINDOW:
            words += sentences[end].text.count(" ") + 1
            if words > _LONGEST and end > at:
                break
            end += 1
        yield tuple(sentences[at:end])
        if end >= len(sentences):
            return
        at = min(end, at + _STEP)
