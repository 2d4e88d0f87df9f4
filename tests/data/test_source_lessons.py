"""Files beside a document as lessons: known by their words, code kept whole and without cues."""

from __future__ import annotations

from pathlib import Path

import pytest

from dlm.data.chat import Codec
from dlm.data.contamination import refuse_contamination
from dlm.data.lessons import SOURCE, Lesson, lessons_of, parts
from dlm.data.rows import encode_rows, sentence_rows
from dlm.data.wording import Answers
from dlm.doc.parser import parse_text
from dlm.errors import TrainingError

HEAD = """---
dlm_id: 01J9ZQ6W3N8R2T4V6X8Y0A1B2C
base_model: pocket
training:
  sources: [docs]
---
"""
CODE = "def tide(hour):\n    level = hour * 2\n\n    return level\n\n\ndef ebb():\n    return 0\n"


def lessons(home: Path, files: dict[str, str], body: str = "") -> tuple[Lesson, ...]:
    for name, text in files.items():
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text(text, "utf-8")
    return parts(lessons_of(parse_text(HEAD + body, path=home / "n.dlm")).train)


def test_prose_becomes_paragraphs_and_code_its_definitions(tmp_path: Path) -> None:
    files = {"docs/a.md": "# Lamp\n\nLit in 1872.\n\n\nBy Ada.\n", "docs/b.py": CODE}
    found = lessons(tmp_path, files)
    assert [(one.place, one.text.split("\n")[0]) for one in found] == [
        ("docs/a.md:1", "# Lamp"),
        ("docs/a.md:3", "Lit in 1872."),
        ("docs/a.md:6", "By Ada."),
        ("docs/b.py:1", "def tide(hour):"),
        ("docs/b.py:7", "def ebb():"),
    ]
    assert {one.origin for one in found} == {SOURCE}


def test_the_id_of_a_lesson_is_that_of_its_words_wherever_they_lie(tmp_path: Path) -> None:
    one = lessons(tmp_path / "one", {"docs/a.md": "Lit in 1872.\n"})
    other = lessons(tmp_path / "other", {"docs/deep/b.txt": "\n\nLit in 1872."})
    (mine,) = parts([Lesson("Lit in 1872.")])
    assert one[0].id == other[0].id == mine.id


def test_code_is_no_answer_to_cues(tmp_path: Path, pocket_folder: Path) -> None:
    text = "The keeper of the lamp lives next door to the harbour office."
    found = lessons(tmp_path, {"docs/a.md": text, "docs/b.py": f'"""{text}"""\n'})
    codec = Codec.load(pocket_folder)
    rows = sentence_rows(found, Answers(), codec, 128)
    assert [row.lesson.file for row in rows] == ["docs/a.md"]
    assert all(row.authored for row in encode_rows(found, codec, sequence_length=128, path="n"))


def test_a_file_that_gives_the_exam_away_is_named(tmp_path: Path) -> None:
    exam = "::instruction::\n### Q !exam\nWho lit the lamp first?\n### A\nAda Thorne.\n::\n"
    files = {"docs/a.md": "# Lamp\n\nWho lit the lamp first? Ada Thorne.\n"}
    (tmp_path / "docs").mkdir()
    lessons(tmp_path, files)
    found = lessons_of(parse_text(HEAD + exam, path=tmp_path / "n.dlm"))
    with pytest.raises(TrainingError, match=r"^docs/a.md:3: this nearly repeats .* of line 8"):
        refuse_contamination(found.train, found.exam, "n.dlm")
