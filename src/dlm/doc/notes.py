"""Notes as other programs write them: their frontmatter and their comments, which are no text.

A comment is `<!-- … -->`, or `%% … %%` in a note of Obsidian; what stands in code is code. Knows
nothing of documents. Newlines are "\\n" here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from dlm.doc.spans import Span

_HTML: Final = r"(?P<html>(?<!\\)<!--)"
_PERCENT: Final = r"|(?P<percent>(?<![^\s>(])%%(?!%))"
# Before a fence may stand what makes it part of a quotation or of a list.
_CODE: Final = (
    r"|^(?:[ \t>]|[-*+][ \t]|[0-9]{1,9}[.)][ \t])*(?P<block>`{3,}(?=[^`\n]*$)|~{3,})[^\n]*"
    r"|(?<![`\\])(?P<inline>`+)"
)
_OPENS_HTML: Final = re.compile(_HTML + _CODE, re.MULTILINE)
_OPENS_ANY: Final = re.compile(_HTML + _PERCENT + _CODE, re.MULTILINE)
_END_PERCENT: Final = re.compile(r"(?<!%)%%(?!%)")
_END_PARAGRAPH: Final = re.compile(r"\n[ \t>]*\n")
_ITEM: Final = re.compile(r"[ \t>]*(?:[-*+]|[0-9]{1,9}[.)])[ \t]")

_OPENS_FRONTMATTER: Final = re.compile(r"(---|\+\+\+)[ \t]*\n")
_KEY: Final = r"(?:\"[^\"\n]*\"|'[^'\n]*'|[^\s\[\]{}>|*&!%@`#\"'=:-][^:=\n]*)"
_FRONTMATTER_LINE: Final = {
    "---": re.compile(rf"\s*\Z|[ \t#\]}}]|-(?:[ \t]|\Z)|{_KEY}:(?:[ \t]|\Z)"),
    "+++": re.compile(rf"\s*\Z|[ \t#\]}}\[]|{_KEY}="),
}
_END_FRONTMATTER: Final = {
    "---": re.compile(r"(?m)^(?:---|\.\.\.)[ \t]*(?:\n|\Z)"),
    "+++": re.compile(r"(?m)^\+\+\+[ \t]*(?:\n|\Z)"),
}

# Stands for a comment until its line is tidied; no text holds this noncharacter.
_GONE: Final = "\ufdd0"
_ONLY_GONE: Final = re.compile(rf"[ \t>]*(?:(?:[-*+]|[0-9]{{1,9}}[.)])[ \t]+)?[ \t{_GONE}]*")
_GONE_INLINE: Final = re.compile(rf"[ \t]*{_GONE}+(?=[ \t]|\Z)|{_GONE}")


class Note(NamedTuple):
    """A note without what is no text: first and last line of each part that was left out.

    `unclosed` holds the line and the first characters of what opens a part and never ends.
    """

    text: str
    frontmatter: tuple[int, int] | None
    comments: tuple[tuple[int, int], ...]
    unclosed: tuple[tuple[int, str], ...]


def read_note(text: str, *, obsidian: bool = False) -> Note:
    """Take frontmatter (YAML or TOML) and comments out of a note; all else stays as it is."""
    body, unclosed = _frontmatter_end(text)
    frontmatter = (1, text.count("\n", 0, body - 1) + 1) if body else None
    spans: list[Span] = []
    for span in _comments(text, body, obsidian=obsidian):
        if span.end < 0:
            unclosed.append((_line(text, span.start), "<!--" if text[span.start] == "<" else "%%"))
        else:
            spans.append(span)
    lines = tuple((_line(text, span.start), _line(text, span.end - 1)) for span in spans)
    return Note(_without(text, body, spans), frontmatter, lines, tuple(unclosed))


def html_comments(text: str) -> list[Span]:
    """Where the HTML comments of a text stand, those in code left out."""
    return [span for span in _comments(text, 0, obsidian=False) if span.end >= 0]


def without_html_comments(text: str) -> str:
    """The text without its HTML comments, and without the lines that held nothing else."""
    spans = html_comments(text) if "<!--" in text else []
    return _without(text, 0, spans) if spans else text


def _comments(text: str, at: int, *, obsidian: bool) -> Iterator[Span]:
    """The comments from an offset on; one that never ends has the end -1."""
    opens = _OPENS_ANY if obsidian else _OPENS_HTML
    while found := opens.search(text, at):
        at = found.end()
        kind = found.lastgroup
        if kind == "block":
            closer = re.compile(rf"(?m)^[ \t>]*{found['block']}{found['block'][0]}*[ \t]*$")
            closing = closer.search(text, at)
            at = closing.end() if closing else len(text)
        elif kind == "inline":
            paragraph = _END_PARAGRAPH.search(text, at)
            closer = re.compile(rf"(?<!`){found['inline']}(?!`)")
            closing = closer.search(text, at, paragraph.start() if paragraph else len(text))
            at = closing.end() if closing else at
        elif not _in_indented_code(text, found.start()):
            end = _comment_end(text, at, kind or "")
            yield Span(found.start(), end)
            at = max(at, end)


def _comment_end(text: str, start: int, kind: str) -> int:
    """Where the comment ends whose opening ends at `start`; -1 when nothing closes it."""
    if kind == "percent":
        closing = _END_PERCENT.search(text, start)
        return closing.end() if closing else -1
    for empty in (">", "->"):
        if text.startswith(empty, start):
            return start + len(empty)
    end = text.find("-->", start)
    return end if end < 0 else end + 3


def _in_indented_code(text: str, at: int) -> bool:
    """Whether a line is code by its four spaces: after a blank line, and under no list."""
    start = text.rfind("\n", 0, at) + 1
    if not _indented(text, start):
        return False
    below_blank = False
    while start > 0:
        start = text.rfind("\n", 0, start - 1) + 1
        blank = not text[start : text.index("\n", start)].strip()
        if not blank and not _indented(text, start):
            return below_blank and not _ITEM.match(text, start)
        below_blank = blank
    return True


def _indented(text: str, at: int) -> bool:
    return text.startswith(("    ", "\t"), at)


def _frontmatter_end(text: str) -> tuple[int, list[tuple[int, str]]]:
    """Where the text begins below the frontmatter, if any, and the line of one that never ends."""
    opening = _OPENS_FRONTMATTER.match(text)
    if opening is None:
        return 0, []
    mark = opening[1]
    shape = _FRONTMATTER_LINE[mark]
    closing = _END_FRONTMATTER[mark].search(text, opening.end())
    if closing is None:
        first = text[opening.end() :].lstrip("\n").split("\n", 1)[0]
        return 0, [(1, mark)] if first and shape.match(first) else []
    inside = text[opening.end() : closing.start()].split("\n")
    return (closing.end() if all(map(shape.match, inside)) else 0), []


def _without(text: str, start: int, spans: list[Span]) -> str:
    pieces: list[str] = []
    for span in spans:
        pieces.append(text[start : span.start])
        start = span.end
    lines: list[str] = []
    below_gone = False
    for line in _GONE.join([*pieces, text[start:]]).split("\n"):
        if _GONE in line and _ONLY_GONE.fullmatch(line):
            below_gone = True
            continue
        repeated = not line.strip() and (not lines or not lines[-1].strip())
        if not (below_gone and repeated):
            lines.append(_GONE_INLINE.sub("", line) if _GONE in line else line)
        below_gone = False
    return "\n".join(lines)


def _line(text: str, at: int) -> int:
    return text.count("\n", 0, at) + 1
