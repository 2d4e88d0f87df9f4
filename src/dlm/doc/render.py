"""Text to put into a document: pairs, triples, whole sections. The writing half of the grammar.

Whatever strings come in, a parser reads the same strings back and nothing else. Never prints a
document; newlines are those the caller names.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from dlm.doc.bodies import PairRole, strip_blank_lines
from dlm.doc.grammar import IS_CLOSER, IS_FENCE, escape_body, landmarks, unescape_body
from dlm.doc.provenance import Provenance, format_marker
from dlm.doc.sections import SectionType
from dlm.errors import DocumentError

__all__ = [
    "escape_body",
    "normalise",
    "render_pair",
    "render_section",
    "render_triple",
    "unescape_body",
]

_NAME: Final = re.compile(r"[\w.-]+")
CANNOT_STAND: Final = re.compile("[\0\ud800-\udfff]")
_MARKS: Final = {PairRole.TRAIN: "", PairRole.PROBE: " !probe", PairRole.EXAM: " !exam"}


def normalise(text: str) -> str:
    """What of a text survives being written: all but outer blank lines and kinds of newline.

    "\\r\\n" and a lone "\\r" become "\\n"; lines at either end that hold only white space go.
    """
    return strip_blank_lines(text.replace("\r\n", "\n").replace("\r", "\n"))


def render_pair(
    question: str, answer: str, role: PairRole = PairRole.TRAIN, newline: str = "\n"
) -> str:
    """A pair for the body of an instruction section; reading it gives the normalised strings.

    Raises DocumentError when one of them is blank or holds a character no document can hold.
    """
    header = f"### Q{_MARKS[PairRole(role)]}"
    parts = ((header, question, "question"), ("### A", answer, "answer"))
    return _render(parts, newline, between=1)


def render_triple(prompt: str, chosen: str, rejected: str, newline: str = "\n") -> str:
    """A triple for the body of a preference section; otherwise as `render_pair`."""
    parts = (
        ("### Prompt", prompt, "prompt"),
        ("### Chosen", chosen, "chosen answer"),
        ("### Rejected", rejected, "rejected answer"),
    )
    return _render(parts, newline)


def render_section(
    type: SectionType,
    body: str,
    provenance: Provenance | None = None,
    newline: str = "\n",
    name: str | None = None,
) -> str:
    """A section with its fence, marker and closer around a body.

    The body is what `render_pair` or `render_triple` gave, or prose after `escape_body`. Raises
    DocumentError when the body would open or close a section, or leave a code block open.
    """
    if type in (SectionType.IMAGE, SectionType.AUDIO):
        raise DocumentError(f"a section of type {type.value} is not written by this tool")
    if name is not None and not _NAME.fullmatch(name):
        raise DocumentError(
            f"{name!r} cannot name a section", hint="use letters, digits, '.', '_' and '-'"
        )
    body = normalise(body)
    _check(body)
    fence = f"::{type.value}{'' if name is None else f'#{name}'}::"
    marker = [] if provenance is None else [format_marker(provenance)]
    return "\n".join([fence, *marker, body, "::", ""]).replace("\n", newline)


def _render(parts: Sequence[tuple[str, str, str]], newline: str, between: int = 0) -> str:
    lines: list[str] = []
    for number, (header, text, meaning) in enumerate(parts):
        text = normalise(text)
        if not text.strip():
            raise DocumentError(f"the {meaning} is empty", hint="leave the pair out, or fill it")
        _check_characters(text)
        blank = [""] * between if number else []
        lines += (*blank, header, escape_body(text))
    return "\n".join([*lines, ""]).replace("\n", newline)


def _check(body: str) -> None:
    _check_characters(body)
    for kind, _, _, line in landmarks(f"\n{body}", 1, len(body) + 1):
        if kind == "code":
            raise _unsafe("leaves a code block open")
        if kind == "fence" and (IS_FENCE.match(line) or IS_CLOSER.match(line)):
            raise _unsafe("opens or closes a section")
    if body.startswith("<!-- dlm-"):
        raise _unsafe("begins with a provenance marker")


def _unsafe(what: str) -> DocumentError:
    return DocumentError(f"the text {what}", hint="pass it through escape_body first")


def _check_characters(text: str) -> None:
    found = CANNOT_STAND.search(text)
    if found:
        raise DocumentError(
            f"the text holds U+{ord(found[0]):04X}, which no document can hold", hint="remove it"
        )
