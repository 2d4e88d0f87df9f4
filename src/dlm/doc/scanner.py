"""Cuts the body of a document into sections: fences, closers, the code that hides them.

Only lines that may be a fence or begin a code block are looked at; all else is passed over by one
regular expression. Knows nothing of frontmatter.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from dlm.doc.bodies import PAIR_WORDS, TRIPLE_WORDS, check_headers
from dlm.doc.grammar import (
    FENCE_LINE,
    IS_CLOSER,
    IS_FENCE,
    SECTION_WORDS,
    Landmark,
    landmarks,
)
from dlm.doc.provenance import Provenance, parse_attributes, parse_marker
from dlm.doc.sections import NO_ATTRIBUTES, Section, SectionType
from dlm.doc.spans import Source, Span
from dlm.errors import DocumentError


class Fence(NamedTuple):
    """What an opening line says."""

    type: SectionType
    name: str | None = None
    attributes: Mapping[str, str] = NO_ATTRIBUTES


class Block(NamedTuple):
    """A stretch of text, the fence that opens it if any, and where its parts begin and end.

    `closer` is where the content ends; `tail` is `end` plus the blank lines that follow.
    """

    fence: Fence | None
    start: int
    content: int
    headers: list[Landmark]
    closer: int
    end: int
    tail: int


class Scan(NamedTuple):
    """The sections of a body, where the first begins, and what to warn of, by offset."""

    sections: tuple[Section, ...]
    start: int
    warnings: tuple[tuple[int, str], ...]


_FENCE: Final = re.compile(
    r"::(?P<word>[a-z]+)(?:#(?P<name>[\w.-]+))?(?:[ \t](?P<attributes>[^\n]*))?::"
)
_WORD: Final = re.compile(r"::([^\s:#]*)")
_HALF_FENCE: Final = re.compile(rf"::(?:{'|'.join(SECTION_WORDS)})(?:#[\w.-]+)?:?[ \t\r]*")
_ATTRIBUTES: Final[Mapping[str, tuple[str, ...]]] = {
    "image": ("path", "alt"),
    "audio": ("path", "transcript"),
}
_HEADED: Final[Mapping[SectionType, tuple[str, ...]]] = {
    SectionType.INSTRUCTION: PAIR_WORDS,
    SectionType.PREFERENCE: TRIPLE_WORDS,
}
_PLAIN_FENCES: Final = {
    f"::{kind.value}::": Fence(kind) for kind in SectionType if kind.value not in _ATTRIBUTES
}


def scan_body(source: Source, start: int) -> Scan:
    """Cut the text from `start` on into sections that tile it.

    Blank text belongs to the section before it; at the top it belongs to none, and the first
    section begins after it. Raises DocumentError with its place.
    """
    sections: list[Section] = []
    warnings: list[tuple[int, str]] = []
    pending: Block | None = None
    for block in _blocks(source, start, warnings):
        blank = block.fence is None and not source.text[block.start : block.end].strip()
        if not blank:
            if pending is not None:
                sections.append(_section(source, pending))
            pending = block
        elif pending is not None:
            pending = pending._replace(tail=block.end)
        else:
            start = block.end
    if pending is not None:
        sections.append(_section(source, pending))
    return Scan(tuple(sections), start, tuple(warnings))


def _blocks(source: Source, start: int, warnings: list[tuple[int, str]]) -> Iterator[Block]:
    end = len(source.text)
    fence: Fence | None = None
    opened = content = start
    headers: list[Landmark] = []
    for landmark in landmarks(source.text, start, end):
        kind, at, after, line = landmark
        if kind == "header":
            headers.append(landmark)
        elif kind == "code":
            warnings += _hidden_fences(source.text, at)
        elif line == "::" or IS_CLOSER.match(line):
            if fence is not None:
                yield Block(fence, opened, content, headers, at, after, after)
                fence, opened, content, headers = None, after, after, []
        elif found := _PLAIN_FENCES.get(line) or _read_fence(source, at, line):
            if at > opened:
                yield Block(fence, opened, content, headers, at, at, at)
            fence, opened, content, headers = found, at, after, []
        elif _HALF_FENCE.fullmatch(line):
            warnings.append((at, f"{line.strip()!r} is read as text: a fence ends with '::'"))
    if end > opened:
        yield Block(fence, opened, content, headers, end, end, end)


def _hidden_fences(text: str, at: int) -> Iterator[tuple[int, str]]:
    hidden = sum(1 for _ in FENCE_LINE.finditer(text, at))
    if hidden:
        lines = "a line" if hidden == 1 else f"{hidden} lines"
        yield at, f"the code block that begins here is not closed and hides {lines} like a fence"


def _section(source: Source, block: Block) -> Section:
    fence = block.fence or Fence(SectionType.PROSE)
    content, provenance = block.content, None
    if block.fence is not None and source.text.startswith("<!-- dlm-", content):
        content, provenance = _read_marker(source, content, block.closer)
    words = _HEADED.get(fence.type)
    headers: tuple[int, ...] = ()
    if words is not None:
        inside = Span(content, block.closer)
        headers = check_headers(source, block.headers, inside, words, opened=block.start)
    return Section(
        fence.type,
        block.start,
        content,
        block.closer,
        block.end,
        block.tail,
        source,
        headers,
        fence.name,
        fence.attributes,
        provenance,
    )


def _read_marker(source: Source, at: int, end: int) -> tuple[int, Provenance]:
    newline = source.text.find("\n", at, end)
    after = end if newline < 0 else newline + 1
    try:
        return after, parse_marker(source.text[at:after])
    except DocumentError as error:
        raise DocumentError(error.message, at=source.location(at), hint=error.hint) from error


def _read_fence(source: Source, at: int, line: str) -> Fence | None:
    """What a line that begins with `::` opens; None when it is text."""
    if not IS_FENCE.match(line):
        return None
    line = line.rstrip(" \t\r")
    found = _FENCE.fullmatch(line)
    word = found["word"] if found else ""
    if found is None or word not in SECTION_WORDS:
        raise _not_a_type(source, at, line)
    try:
        attributes = _read_attributes(word, found["attributes"] or "")
    except DocumentError as error:
        raise DocumentError(error.message, at=source.location(at), hint=error.hint) from error
    return Fence(SectionType(word), found["name"], attributes)


def _read_attributes(word: str, text: str) -> Mapping[str, str]:
    known = _ATTRIBUTES.get(word, ())
    attributes = parse_attributes(text)
    for name in attributes:
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            raise DocumentError(
                f"'::{word}::' has no attribute {name!r}",
                hint=f"did you mean {close[0]!r}?" if close else _fence_shape(word),
            )
    if "path" in known and not attributes.get("path"):
        raise DocumentError(f"this {word} section names no file", hint=_fence_shape(word))
    return MappingProxyType(attributes) if attributes else NO_ATTRIBUTES


def _not_a_type(source: Source, at: int, line: str) -> DocumentError:
    shown = f"{line[:37]}..." if len(line) > 40 else line
    found = _WORD.match(line)
    word = found[1].lower() if found else ""
    close = difflib.get_close_matches(word, SECTION_WORDS, n=1)
    return DocumentError(
        f"{shown!r} is not a section type",
        at=source.location(at),
        hint=f"did you mean {_fence_shape(close[0])!r}?"
        if close
        else "the types are instruction, preference, prose, image and audio; "
        "a backslash before the line makes it text",
    )


def _fence_shape(word: str) -> str:
    attributes = "".join(f' {name}="..."' for name in _ATTRIBUTES.get(word, ()))
    return f"::{word}{attributes}::"
