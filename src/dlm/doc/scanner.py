"""Cuts the body of a document into sections: fences, closers, the code that hides them.

Only lines that may be a fence or begin a code block are looked at; all else is passed over by one
regular expression. Knows nothing of frontmatter.
"""

from __future__ import annotations

import difflib
import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
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
_ESCAPE: Final = "where it is text, write '\\::'"
# After a lone `::`, an indented block (as reStructuredText has it) or one more lone `::`.
_REST_OF_ANSWER: Final = re.compile(
    r"::[ \t\r]*\n(?:(?:[ \t\r]*\n)+(?: {2,}|\t)[^\s]|(?:[^\n]*\n)*?::[ \t\r]*(?:\n|\Z))"
)
_FAR: Final = 20_000  # characters
_COMMENT: Final = re.compile(r"<!--(?! dlm-)")
_PLAIN_FENCES: Final = {
    f"::{kind.value}::": Fence(kind) for kind in SectionType if kind.value not in _ATTRIBUTES
}


def scan_body(source: Source, start: int) -> Scan:
    """Cut the text from `start` on into sections that tile it.

    Blank text belongs to the section before it; at the top it belongs to none, and the first
    section begins after it. Raises DocumentError with its place.
    """
    warnings: list[tuple[int, str]] = []
    blocks: list[Block] = []
    for block in _blocks(source, start, warnings):
        if block.fence is not None or source.text[block.start : block.end].strip():
            blocks.append(block)
        elif blocks:
            blocks[-1] = blocks[-1]._replace(tail=block.end)
        else:
            start = block.end
    sections = tuple(_section(source, block) for block in blocks)
    for before, block in zip((None, *blocks), blocks, strict=False):
        if _is_prose(block):
            warnings += _outside(source, before, block)
    warnings += _commented_out(source, start, sections)
    return Scan(sections, start, tuple(sorted(warnings)))


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


def _is_prose(block: Block) -> bool:
    return block.fence is None or block.fence.type is SectionType.PROSE


def _outside(source: Source, before: Block | None, block: Block) -> Iterator[tuple[int, str]]:
    """What of a prose looks as if it belonged to a section, and the closer that may be why."""
    closer = None
    if before and block.fence is None and not _is_prose(before) and before.closer < before.end:
        closer = before.closer
    words = [(line[4:].split(None, 1)[0], at) for _, at, _, line in block.headers]
    known = {word for word, _ in words}
    word = "Q" if "Q" in known else "Prompt" if {"Prompt", "Chosen"} <= known else None
    if word is not None:
        first, *more = (at for name, at in words if name == word)
        shown = f"this '### {word}'" + (f" and {len(more)} below it" if more else "")
        kind = SectionType.INSTRUCTION if word == "Q" else SectionType.PREFERENCE
        why = f"put '::{kind.value}::' on a line above"
        if closer is not None:
            why = f"the '::' on line {source.line(closer)} closes the section above; {_ESCAPE}"
        verb = "stand" if more else "stands"
        yield first, f"{shown} {verb} outside a section, read as prose: {why}"
    elif closer is not None and _REST_OF_ANSWER.match(source.text, closer, block.end):
        yield closer, f"this '::' closes the section, and more of the answer may follow; {_ESCAPE}"


def _commented_out(
    source: Source, start: int, sections: Sequence[Section]
) -> Iterator[tuple[int, str]]:
    """The first fence or header in each comment around some: a comment hides neither."""
    text = source.text
    if _COMMENT.search(text, start) is None:
        return
    from dlm.doc.notes import html_comments

    places = sorted(
        place
        for section in sections
        for place in (section.start, *section.headers)
        if place != section.content_start
    )
    for span in html_comments(text[start:]):
        first = bisect_right(places, start + span.start)
        if first < len(places) and places[first] < start + span.end:
            at = places[first]
            line = text[at : text.find("\n", at)].strip()
            begins = source.line(start + span.start)
            yield (
                at,
                f"{line!r} stands inside the comment of line {begins}, which hides no section and "
                "no pair: they train; delete what shall not",
            )


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
        try:
            headers = check_headers(source, block.headers, inside, words, opened=block.start)
        except DocumentError as error:
            raise _cut_short(source, block, words[-1], error) from error
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


def _cut_short(source: Source, block: Block, last: str, error: DocumentError) -> DocumentError:
    """The error of a section, or the lone `::` that closes it before what is missing."""
    following = source.text[block.closer : block.closer + _FAR]
    found = re.match(rf"::[ \t\r]*\n(?:(?!::)[^\n]*\n)*?### {last}[ \t\r]*(?:\n|\Z)", following)
    if not found:
        return error
    line = source.line(block.closer)
    hint = f"the '::' on line {line} closes the section before '### {last}'; {_ESCAPE}"
    return DocumentError(error.message, at=error.at, hint=hint)


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
