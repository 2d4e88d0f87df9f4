"""What `training.sources` gives a document: pieces that know their file and line."""

from __future__ import annotations

from pathlib import Path

import pytest
from test_folder import fill

from dlm.doc.document import Document
from dlm.doc.parser import parse_text
from dlm.errors import DlmError, DocumentError
from dlm.sources.reading import pieces_of, read_sources

CODE = '''"""A module."""

import math


def area(r: float) -> float:
    """Of a circle."""

    return math.pi * r * r


class Boat:
    pass
'''


def document(home: Path, *lines: str) -> Document:
    head = ["---", "dlm_id: 01J9ZQ6W3N8R2T4V6X8Y0A1B2C", "base_model: pocket", "training:"]
    text = "\n".join([*head, *(f"  {line}" for line in lines), "---", "", "Prose.", ""])
    return parse_text(text, path=home / "n.dlm")


def test_every_piece_stands_where_it_says(tmp_path: Path) -> None:
    note = "---\ntitle: x\n---\n\n# Lamp\n\n<!-- no\ntext -->\nLit in 1872.\n"
    fill(tmp_path, {"in/lamp.md": note, "in/calc.py": CODE, "in/crlf.txt": "\r\n one\r\ntwo\r\n"})
    found = read_sources(document(tmp_path, "sources: [in]"))
    assert found.files == 3
    for piece in found.pieces:
        lines = (tmp_path / piece.file).read_text("utf-8").splitlines()
        first = piece.text.split("\n")[0]
        assert lines[piece.line - 1].rstrip() == first.rstrip()
    lamp = next(one for one in found.pieces if one.file == "in/lamp.md")
    assert (lamp.line, "title" in lamp.text, "no" in lamp.text) == (5, False, False)
    assert lamp.text.split("\n")[4] == "Lit in 1872."


def test_code_is_parted_where_definitions_begin() -> None:
    parts = [(one.line, one.text.split("\n")[0]) for one in pieces_of("a.py", CODE)]
    assert parts == [
        (1, '"""A module."""'),
        (3, "import math"),
        (6, "def area(r: float) -> float:"),
        (12, "class Boat:"),
    ]


def test_no_part_of_a_file_is_lost_or_very_long() -> None:
    text = "\n".join(f"  value_{number} = {number}" for number in range(2_000)) + "\n"
    parts = list(pieces_of("a.py", text))
    assert "\n".join(one.text for one in parts) == text.rstrip()
    assert max(len(one.text) for one in parts) < 3_000


def test_what_is_no_text_is_named_in_one_note(tmp_path: Path) -> None:
    fill(tmp_path, {"in/a.md": "x", "in/b.md": "x" * 50})
    (tmp_path / "in/c.png").write_bytes(b"\x89PNG\0\0")
    (tmp_path / "in/d.txt").write_bytes("Größe".encode("latin-1"))
    (tmp_path / "in/e.txt").write_bytes("Größe".encode("utf-16"))
    found = read_sources(document(tmp_path, "sources: [{path: in, max_bytes_per_file: 20}]"))
    assert [one.file for one in found.pieces] == ["in/a.md", "in/e.txt"]
    assert found.notes == (
        "files of training.sources left out: 2 not text (in/c.png, in/d.txt); "
        "1 larger than max_bytes_per_file (in/b.md)",
    )


def test_a_file_that_two_entries_name_trains_once(tmp_path: Path) -> None:
    fill(tmp_path, {"in/a.md": "x", "in/sub/b.md": "y"})
    found = read_sources(document(tmp_path, "sources: [in/sub, in, in/a.md]"))
    assert [one.file for one in found.pieces] == ["in/sub/b.md", "in/a.md"]


def test_the_files_are_read_again_when_they_changed(tmp_path: Path) -> None:
    fill(tmp_path, {"in/a.md": "one"})
    here = document(tmp_path, "sources: [in]")
    before = read_sources(here)
    fill(tmp_path, {"in/a.md": "another", "in/b.md": "two"})
    after = read_sources(here)
    assert [one.text for one in after.pieces] == ["another", "two"]
    assert before.state != after.state
    assert read_sources(here) == after


def test_the_id_of_a_piece_hangs_on_its_text_and_not_on_its_name(tmp_path: Path) -> None:
    fill(tmp_path, {"in/a.md": "The same.", "in/b.md": "The same.\n", "in/c.md": "Else."})
    one, other, third = read_sources(document(tmp_path, "sources: [in]")).pieces
    assert one.id == other.id != third.id


def test_what_is_not_there_or_not_allowed_is_named_with_its_place(tmp_path: Path) -> None:
    fill(tmp_path, {"in/a.md": "x", "doc/x": ""})
    with pytest.raises(DocumentError, match=r"n.dlm:7:7: there is no folder or file nowhere"):
        read_sources(document(tmp_path, "sources:", "  - in", "  - path: nowhere"))
    lines = ("sources: [../in]", "sources_policy: strict")
    with pytest.raises(DocumentError, match=r"n.dlm:5:13: ../in lies outside the folder"):
        read_sources(document(tmp_path / "doc", *lines))
    assert read_sources(document(tmp_path / "doc", lines[0])).pieces[0].file == "../in/a.md"


def test_a_planted_key_stops_it_with_file_and_line(tmp_path: Path) -> None:
    key = "ghp_" + "a1b2" * 9
    fill(tmp_path, {"in/a.md": "x", "in/sub/b.py": f"\n\nTOKEN = '{key}'\n"})
    found = read_sources(document(tmp_path, "sources: [in]"))
    with pytest.raises(DlmError, match=r"^in/sub/b.py:3: this looks like a secret") as caught:
        found.refuse_secrets()
    assert key not in str(caught.value)


def test_nothing_is_written_into_a_folder(tmp_path: Path) -> None:
    fill(tmp_path, {"in/a.md": "x", "in/.gitignore": "b.md\n", "in/b.md": "y"})
    before = {path: path.stat() for path in [tmp_path / "in", *(tmp_path / "in").iterdir()]}
    read_sources(document(tmp_path, "sources: [in]")).refuse_secrets()
    after = {path: path.stat() for path in [tmp_path / "in", *(tmp_path / "in").iterdir()]}
    assert {p: (s.st_mtime_ns, s.st_size) for p, s in before.items()} == {
        p: (s.st_mtime_ns, s.st_size) for p, s in after.items()
    }
