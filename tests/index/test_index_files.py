"""Passages of files beside the document: found like its own, and cited by file and line."""

from __future__ import annotations

from pathlib import Path

from dlm.doc.parser import parse_text
from dlm.index import Index, PassageKind, passages
from dlm.sources.reading import Piece, pieces_of

HEAD = "---\ndlm_id: 01KAJ7V3M9S2QWE8R5T6Y0DBHX\nbase_model: pocket\n---\n\nThe hut is teal.\n"
NOTE = """---
t: x
---
# The lamp

It burns oil. It was lit in 1841.

## Care

Trim the wick daily.
"""
CODE = "import lamp\n\n\ndef trim(wick):\n    return wick[1:]\n"


def files() -> list[Piece]:
    return [*pieces_of("docs/lamp.md", NOTE), *pieces_of("src/trim.py", CODE)]


def test_every_sentence_of_a_file_knows_its_line() -> None:
    document = parse_text(HEAD, path=Path("n.dlm"))
    own, *others = passages(document, files())
    assert (own.file, own.line) == ("", 6)
    assert [(one.file, one.line, one.kind, one.heading) for one in others] == [
        ("docs/lamp.md", 6, PassageKind.PROSE, "The lamp"),
        ("docs/lamp.md", 10, PassageKind.PROSE, "Care"),
        ("src/trim.py", 1, PassageKind.CODE, ""),
        ("src/trim.py", 4, PassageKind.CODE, ""),
    ]


def test_the_best_quote_may_stand_in_a_file() -> None:
    index = Index(parse_text(HEAD), files())
    best = index.quotes("When was the lamp lit?")[0]
    assert (best.passage.file, best.line, best.text) == (
        "docs/lamp.md",
        6,
        "It was lit in 1841.",
    )
    code = index.quotes("def trim wick")[0]
    assert (code.passage.file, code.text.split("\n")[0]) == ("src/trim.py", "def trim(wick):")
    assert index.updated(parse_text(HEAD)).search("When was the lamp lit?")[0].passage.file == ""
