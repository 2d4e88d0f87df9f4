"""Pairs and triples: the headed parts of instruction and preference sections.

Works on a range of a text; knows nothing of fences, markers or frontmatter.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum
from typing import Final, NamedTuple

from dlm.doc.grammar import HEADER_WORDS, IS_HEADER, Landmark, landmarks, unescape_body
from dlm.doc.spans import Source, Span
from dlm.errors import DocumentError

PAIR_WORDS: Final = ("Q", "A")
TRIPLE_WORDS: Final = ("Prompt", "Chosen", "Rejected")

_NAMES: Final = {
    "Q": "question",
    "A": "answer",
    "Prompt": "prompt",
    "Chosen": "chosen answer",
    "Rejected": "rejected answer",
}
_PLAIN_HEADERS: Final = {f"### {word}": word for word in HEADER_WORDS}


class PairRole(StrEnum):
    """What a pair is for: to learn, to learn and be asked, or only to be asked."""

    TRAIN = "train"
    PROBE = "probe"
    EXAM = "exam"


_ROLES: Final = {"": PairRole.TRAIN, "!probe": PairRole.PROBE, "!exam": PairRole.EXAM}


class Pair(NamedTuple):
    """A question and its answer. The spans are those of the raw bodies, blank lines included."""

    question: str
    answer: str
    role: PairRole
    question_span: Span
    answer_span: Span
    line: int
    answer_line: int


class Triple(NamedTuple):
    """A prompt with a better and a worse answer. The spans are those of the raw bodies."""

    prompt: str
    chosen: str
    rejected: str
    prompt_span: Span
    chosen_span: Span
    rejected_span: Span
    line: int


def check_headers(
    source: Source,
    lines: Iterable[Landmark],
    span: Span,
    words: Sequence[str],
    *,
    opened: int | None = None,
) -> tuple[int, ...]:
    """The offsets of the headers in a section, in whole groups of `words`, no body empty.

    `lines` are the header lines within `span`, the content; `opened` is the offset of the fence.
    Raises DocumentError at the header that is out of order, unanswered or empty.
    """
    text = source.text
    headers: list[int] = []
    due = body = 0
    for _, at, after, line in lines:
        word = _PLAIN_HEADERS.get(line) or _marked_word(source, at, line)
        if word not in words:
            continue
        if not headers:
            _check_preamble(source, span.start, at, words)
        elif not text[body:at].strip():
            raise _empty(source, headers[-1], words[due - 1])
        if word != words[due]:
            raise _out_of_order(source, headers[len(headers) - due :], at, word, words)
        headers.append(at)
        body = after
        due = (due + 1) % len(words)
    if not headers:
        _check_preamble(source, span.start, span.end, words)
        place = source.location(span.start if opened is None else opened)
        raise DocumentError(f"this section holds no '### {words[0]}'", at=place, hint=_shape(words))
    if not text[body : span.end].strip():
        raise _empty(source, headers[-1], words[due - 1])
    if due:
        raise _unfinished(source, headers[-due], words[0], words[due])
    return tuple(headers)


def content_headers(source: Source, words: Sequence[str]) -> tuple[int, ...]:
    """`check_headers` for a source that is one newline and the content of a section."""
    span = Span(1, len(source.text))
    lines = (line for line in landmarks(source.text, 1, span.end) if line[0] == "header")
    return check_headers(source, lines, span, words)


def read_pairs(source: Source, headers: Sequence[int], end: int) -> Iterator[Pair]:
    """The pairs under the headers that `check_headers` found; `end` is where the last one ends."""
    text = source.text
    ends = (*headers[2::2], end)
    for asked_at, answered_at, stop in zip(headers[::2], headers[1::2], ends, strict=True):
        question = Span(text.index("\n", asked_at) + 1, answered_at)
        answer = Span(text.index("\n", answered_at) + 1, stop)
        line = source.line(asked_at)
        yield Pair(
            meant(question.of(text)),
            meant(answer.of(text)),
            _ROLES[text[asked_at + len("### Q") : question.start].strip()],
            question,
            answer,
            line,
            line + text.count("\n", asked_at, answered_at),
        )


def read_triples(source: Source, headers: Sequence[int], end: int) -> Iterator[Triple]:
    """The triples under the headers that `check_headers` found, as `read_pairs`."""
    text = source.text
    starts = [text.index("\n", at) + 1 for at in headers]
    bodies = [Span(*bounds) for bounds in zip(starts, (*headers[1:], end), strict=True)]
    for first in range(0, len(bodies), 3):
        prompt, chosen, rejected = bodies[first : first + 3]
        yield Triple(
            meant(prompt.of(text)),
            meant(chosen.of(text)),
            meant(rejected.of(text)),
            prompt,
            chosen,
            rejected,
            source.line(headers[first]),
        )


def meant(raw: str) -> str:
    """A body as its writer meant it: no "\\r\\n", outer blank lines or escaping backslashes."""
    text = strip_blank_lines(raw.replace("\r\n", "\n"))
    return unescape_body(text) if "\\" in text else text


def strip_blank_lines(text: str) -> str:
    """`text` without its leading and trailing blank lines; spaces within lines stay."""
    text = text.strip("\n")
    if text and not text[0].isspace() and not text[-1].isspace():
        return text
    start = text.rfind("\n", 0, len(text) - len(text.lstrip())) + 1
    end = text.find("\n", len(text.rstrip()))
    return text[start:] if end < 0 else text[start:end]


def _marked_word(source: Source, at: int, line: str) -> str:
    """The word of a header line that is not plain; DocumentError when its marker is unknown."""
    header = IS_HEADER.match(line.rstrip(" \t\r"))
    assert header is not None
    word, mark = header["word"], header["mark"] or ""
    known = [name for name in _ROLES if name] if word == "Q" else []
    if mark and mark not in known:
        raise DocumentError(
            f"{mark!r} is not a marker" if known else f"'### {word}' takes no marker",
            at=source.location(at + header.start("mark")),
            hint=_marker_hint(mark, known),
        )
    return word


def _marker_hint(mark: str, known: list[str]) -> str:
    close = difflib.get_close_matches(mark.lower(), known, n=1)
    if close:
        return f"did you mean {close[0]!r}?"
    return "the markers are '### Q !probe' and '### Q !exam'"


def _check_preamble(source: Source, start: int, end: int, words: Sequence[str]) -> None:
    """Refuse anything but blanks and comments between a fence and its first header."""
    text = source.text
    while start < end:
        rest = text[start:end]
        start += len(rest) - len(rest.lstrip())
        if start == end:
            return
        if text.startswith("<!-- dlm-", start):
            raise DocumentError(
                "a provenance marker must stand directly under its fence",
                at=source.location(start),
                hint="move it up, and leave one marker for each section",
            )
        closing = text.find("-->", start + 4, end) if text.startswith("<!--", start) else -1
        if closing < 0:
            raise DocumentError(
                f"this text stands before the first '### {words[0]}'",
                at=source.location(start),
                hint=f"{_shape(words)}; to write prose instead, close the section above with '::'",
            )
        start = closing + 3


def _out_of_order(
    source: Source, group: Sequence[int], at: int, word: str, words: Sequence[str]
) -> DocumentError:
    due = words[len(group)]
    if group and word == words[0]:
        return _unfinished(source, group[0], word, due)
    return DocumentError(
        f"'### {word}' stands where '### {due}' is due", at=source.location(at), hint=_shape(words)
    )


def _empty(source: Source, at: int, word: str) -> DocumentError:
    return DocumentError(
        f"this {_NAMES[word]} is empty",
        at=source.location(at),
        hint=f"write it below '### {word}', or remove the header",
    )


def _unfinished(source: Source, at: int, first: str, missing: str) -> DocumentError:
    return DocumentError(
        f"this {_NAMES[first]} has no {_NAMES[missing]}",
        at=source.location(at),
        hint=f"add a line '### {missing}' and write it below",
    )


def _shape(words: Sequence[str]) -> str:
    return "write " + ", then ".join(f"'### {word}'" for word in words)
