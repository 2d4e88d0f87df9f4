"""Readable parse cases: every file in `tests/cases` holds some, each a claim with a text.

    === a title
    --- input      the body, below plain frontmatter of four lines (`--- document`: all of it)
    --- expect     what is read: see `describe`; or the error, and its hint

`␍` stands for a carriage return, `␉` for a tab, `␠` for a space at a line's end, `␀` for NUL,
`⌂` for a byte order mark, and `∎` at the end for a text without a last newline.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from dlm.doc.document import Document
from dlm.doc.parser import parse_text
from dlm.errors import DocumentError

FOLDER = Path(__file__).parent.parent / "cases"
FRONT = "---\ndlm_id: 01HRZYQ2X0MB5K4VN7E9DNT5GH\nbase_model: pocket\n---\n"
SIGNS = str.maketrans({"␍": "\r", "␉": "\t", "␠": " ", "␀": "\0", "⌂": "\ufeff"})


class Case(NamedTuple):
    title: str
    text: str
    expected: str


def read_cases() -> Iterator[Case]:
    for path in sorted(FOLDER.glob("*.txt")):
        for chunk in re.split(r"(?m)^=== ", path.read_text(encoding="utf-8"))[1:]:
            title, rest = chunk.split("\n", 1)
            kind, text, expected = re.fullmatch(
                r"--- (input|document)\n(.*?)--- expect\n(.*)", rest, re.DOTALL
            ).groups()  # type: ignore[union-attr]
            text = text.translate(SIGNS).removesuffix("∎\n")
            yield Case(title, text if kind == "document" else FRONT + text, expected.strip())


CASES = list(read_cases())


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.title.replace(" ", "-"))
def test_case(case: Case) -> None:
    try:
        document = parse_text(case.text)
    except DocumentError as error:
        found = [f"error {str(error).removeprefix('<text>:')}", f"hint {error.hint}"]
        expected = case.expected.split("\n")
        assert found[: len(expected)] == expected
    else:
        assert "\n".join(describe(document)) == case.expected
        assert document.text == case.text


def describe(document: Document) -> Iterator[str]:
    """One line for each section, pair, triple and warning, with its line number."""
    for section in document.sections:
        words = [section.type.value, f"line {section.line}"]
        words += [f"name {section.name}"] if section.name else []
        words += [f"{key} {value!r}" for key, value in section.attributes.items()]
        words += [section.provenance.origin.value] if section.provenance else []
        if not (section.pairs or section.triples):
            words.append(repr(section.content))
        yield ", ".join(words)
        for pair in section.pairs:
            yield f"  {pair.role} {pair.line}/{pair.answer_line}: {pair.question!r} {pair.answer!r}"
        for triple in section.triples:
            parts = (triple.prompt, triple.chosen, triple.rejected)
            yield f"  {triple.line}: {' '.join(map(repr, parts))}"
    for warning in document.warnings:
        yield f"warning {str(warning).removeprefix('<text>:')}"


def test_there_are_enough_cases() -> None:
    titles = [case.title for case in CASES]
    assert len(titles) >= 40
    assert len(set(titles)) == len(titles)
