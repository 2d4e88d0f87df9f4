"""The lines that mean something in a body: fences, closers, headers, code, markers.

The one place that knows their spelling, and which lines need a backslash to be plain text.
A line here is what stands between two "\\n"; each "\\r" at its end belongs to the newline.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

SECTION_WORDS: Final = ("instruction", "preference", "prose", "image", "audio")
HEADER_WORDS: Final = ("Q", "A", "Prompt", "Chosen", "Rejected")

_BLANK_END = r"[ \t\r]*(?![^\n])"
_CODE = r" {0,3}(?P<code>`{3,}(?=[^`\n]*(?![^\n]))|~{3,})[^\n]*"
_HEADER = rf"### (?:{'|'.join(HEADER_WORDS)})(?:[ \t]+![^\n]*|{_BLANK_END})"
_CLOSER = rf"::{_BLANK_END}"
_FENCE = rf"::(?:(?:image|audio)[ \t#][^\n]*|[^\s:][^\s:]*(?:[ \t](?:(?!::)[^\n])*)?)::{_BLANK_END}"
_MARKER = r"<!-- dlm-"

# These begin at the newline before the line: the regex engine finds a literal first character far
# faster than the start of a line.
_LANDMARK: Final = re.compile(rf"\n(?:(?P<fence>::[^\n]*)|(?P<header>{_HEADER})|{_CODE})")
FENCE_LINE: Final = re.compile(rf"\n(?={_FENCE})")

IS_FENCE: Final = re.compile(_FENCE)
IS_CLOSER: Final = re.compile(_CLOSER)
IS_HEADER: Final = re.compile(rf"### (?P<word>{'|'.join(HEADER_WORDS)})[ \t]*(?P<mark>![^\n]*)?")

_OPENS_CODE: Final = re.compile(_CODE)
_GRAMMAR: Final = re.compile(rf"{_FENCE}|{_CLOSER}|{_HEADER}|{_MARKER}")
_ESCAPED: Final = re.compile(rf"\\+(?:{_FENCE}|{_CLOSER}|{_HEADER}|{_MARKER}|{_CODE})")
_MAYBE_ESCAPED: Final = re.compile(r"(?m)^\\+(?:::|### | {0,3}[`~]{3}|<!-- dlm-)")


# A line that may mean something: its kind ("fence", "header", or "code" for a block that never
# ends), the offsets of its first character and of the next line, and the line without its newline.
Landmark = tuple[str, int, int, str]


def landmarks(text: str, start: int, end: int) -> Iterator[Landmark]:
    """The lines between two offsets that may be grammar, without those inside code blocks.

    A line begins at `start`, and it is not the first of `text`. Everything that begins with `::` is
    a "fence" here. An unclosed code block comes last.
    """
    code_until = 0
    for match in _LANDMARK.finditer(text, start - 1, end):
        at, stop = match.span()
        if at < code_until:
            continue
        kind = match.lastgroup or ""
        if kind == "code":
            code_until = _code_end(text, match["code"], stop, end)
            if code_until >= 0:
                continue
        line = text[at + 1 : stop]
        if line[-1] == "\r":
            line = line[:-1]
        yield kind, at + 1, stop + 1 if stop < end else end, line
        if kind == "code":
            return


def _code_end(text: str, code: str, start: int, end: int) -> int:
    """Where the code block ends that opened with `code` on a line that ends at `start`.

    The offset of the newline after its closing line, or -1 when nothing up to `end` closes it.
    """
    closer = _code_closer(code[0], len(code)).search(text, start, end)
    return closer.end() if closer else -1


def escape_body(text: str) -> str:
    """Put a backslash before every line of `text` that a parser would act on.

    Code blocks that `text` closes itself stay as they are. Newlines must be "\\n".
    """
    lines: list[str] = []
    for line, code in _lines(text):
        special = code != "inside" and (
            code == "unclosed" or _GRAMMAR.match(line) or _ESCAPED.match(line)
        )
        lines.append(f"\\{line}" if special else line)
    return "\n".join(lines)


def unescape_body(text: str) -> str:
    """Take one backslash from every line outside code that is escaped; undoes `escape_body`."""
    if _MAYBE_ESCAPED.search(text) is None:
        return text
    lines: list[str] = []
    in_code_to_the_end = False
    for line, code in _lines(text):
        in_code_to_the_end = in_code_to_the_end or code == "unclosed"
        escaped = code == "outside" and not in_code_to_the_end and _ESCAPED.match(line)
        lines.append(line[1:] if escaped else line)
    return "\n".join(lines)


def _lines(text: str) -> Iterator[tuple[str, str]]:
    """Each line, and whether it is "inside" or "outside" code or opens an "unclosed" block."""
    unclosed = {"`": len(text) + 1, "~": len(text) + 1}
    start = 0
    block_end = -1
    while start <= len(text):
        end = text.find("\n", start)
        end = len(text) if end < 0 else end
        where = "inside" if start <= block_end else "outside"
        if where == "outside" and (opening := _OPENS_CODE.match(text, start, end)):
            code = opening["code"]
            # A longer run of the same character is not closed either: no need to look again.
            if len(code) < unclosed[code[0]]:
                block_end = _code_end(text, code, end, len(text))
            if block_end < start:
                unclosed[code[0]] = min(unclosed[code[0]], len(code))
            where = "inside" if block_end >= start else "unclosed"
        yield text[start:end], where
        start = end + 1


@lru_cache(maxsize=64)
def _code_closer(character: str, length: int) -> re.Pattern[str]:
    return re.compile(rf"\n {{0,3}}{character}{{{length},}}{_BLANK_END}")
