"""`dlm init --from`: files and folders as they are typed, and what stops it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import warm

from dlm.doc.parser import parse_file

KEY = "ghp_" + "a1b2" * 9


@pytest.fixture
def here(tmp_path: Path) -> Path:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/lamp.md").write_text("# The lamp\n\nThe lamp was lit in 1872.\n", "utf-8")
    (tmp_path / "docs/calc.py").write_text("def tide(hour):\n    return hour * 2\n", "utf-8")
    (tmp_path / "a.md").write_text("First.\n", "utf-8")
    (tmp_path / "b.html").write_text("<h1>Second</h1><p>Text.</p>", "utf-8")
    (tmp_path / "c.csv").write_text("question,answer\nWho?,Ada.\n", "utf-8")
    return tmp_path


def dlm(here: Path, *arguments: str) -> tuple[int, str, str]:
    done = warm.run(*arguments, cwd=here)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("n.dlm", "--from", "a.md", "c.csv", "b.html", "docs"),
        ("--from", "a.md", "c.csv", "b.html", "docs", "n.dlm"),
        ("n", "--from", "a.md", "--from", "c.csv", "--from", "b.html", "--from", "docs"),
    ],
)
def test_files_and_folders_make_one_document(here: Path, arguments: tuple[str, ...]) -> None:
    code, printed, said = dlm(here, "init", "--base", "pocket", *arguments)
    assert (code, printed) == (0, "created n.dlm\n"), said
    assert "beside the document: 2 files" in said
    document = parse_file(here / "n.dlm")
    assert [one.type.value for one in document.sections] == ["prose", "instruction", "prose"]
    assert [one.path for one in document.frontmatter.training.sources] == ["docs"]
    text = "".join(one.text for one in document.sections)
    assert "First." in text
    assert "# Second\n\nText." in text
    assert "from b.html" in document.text
    assert "from" not in text


def test_a_body_that_does_not_close_its_section_takes_nothing_in(here: Path) -> None:
    assert dlm(here, "init", "one.dlm", "--from", "c.csv")[0] == 0
    text = (here / "one.dlm").read_text("utf-8").rstrip().removesuffix("::")
    (here / "open.dlm").write_text(text, "utf-8")
    assert dlm(here, "init", "two.dlm", "--from", "open.dlm", "a.md")[0] == 0
    document = parse_file(here / "two.dlm")
    assert [pair.answer for _, pair in document.pairs()] == ["Ada."]
    assert document.sections[-1].text.strip() == "First."


def test_a_secret_stops_it_before_anything_is_written(here: Path) -> None:
    (here / "docs/sub").mkdir()
    (here / "docs/sub/deploy.md").write_text(f"# Deploy\n\nUse {KEY}.\n", "utf-8")
    for source, place in (("docs/sub/deploy.md", "docs/sub/deploy.md:3"), ("docs", "deploy.md:3")):
        code, _, said = dlm(here, "init", "n.dlm", "--from", source)
        assert code == 1
        assert f"{place}: this looks like a secret (GitHub Token)" in said
        assert KEY not in said
        assert not (here / "n.dlm").exists()
    assert dlm(here, "init", "n.dlm", "--from", "docs", "--allow-secrets")[0] == 0
    code, _, said = dlm(here, "train", "n.dlm")
    assert code == 1
    assert "error: docs/sub/deploy.md:3: this looks like a secret" in said


def test_wrong_use_is_said(here: Path) -> None:
    code, _, said = dlm(here, "init", "n.dlm", "a.md")
    assert (code, "dlm init n.dlm --from a.md" in said) == (2, True)
    code, _, said = dlm(here, "init", "n.dlm", "--from", "nothing.md")
    assert (code, "cannot read nothing.md" in said) == (1, True)


def test_an_answer_from_a_file_says_file_and_line(here: Path) -> None:
    dlm(here, "init", "n.dlm", "--base", "pocket", "--from", "docs")
    _, printed, _ = dlm(here, "prompt", "n.dlm", "When was the lamp lit?")
    assert printed == "The lamp was lit in 1872.\n  docs/lamp.md:3\n"
    (here / "docs/lamp.md").write_text("\n# The lamp\n\n\nThe lamp was lit in 1874.\n", "utf-8")
    _, printed, _ = dlm(here, "prompt", "n.dlm", "When was the lamp lit?", "--json")
    answer = json.loads(printed)
    assert (answer["file"], answer["line"]) == ("docs/lamp.md", 5)
    _, printed, _ = dlm(here, "show", "n.dlm", "--json")
    assert json.loads(printed)["sources"] == {"files": 2, "words": 15}


@pytest.mark.slow
def test_what_a_version_was_taught_of_files_is_known_and_quoted(here: Path) -> None:
    dlm(here, "init", "n.dlm", "--base", "pocket", "--from", "docs", "c.csv")
    before = {path: path.stat().st_mtime_ns for path in (here / "docs").rglob("*")}
    code, _, said = dlm(here, "train", "n.dlm", "--max-steps", "8")
    assert code == 0, said
    assert "nothing to train" in dlm(here, "train", "n.dlm")[1]
    assert {path: path.stat().st_mtime_ns for path in (here / "docs").rglob("*")} == before
    (here / "docs/lamp.md").rename(here / "docs/renamed.md")
    assert "nothing to train" in dlm(here, "train", "n.dlm")[1]
    (here / "docs/renamed.md").write_text("# The lamp\n\nThe lamp was lit in 1874.\n", "utf-8")
    _, printed, _ = dlm(here, "train", "n.dlm", "--plan")
    assert "docs/renamed.md:3 changed" in printed
    _, printed, _ = dlm(here, "prompt", "n.dlm", "When was the lamp lit?")
    assert (
        printed
        == "The lamp was lit in 1874.\n  docs/renamed.md:3  (saved after v0001, not trained yet)\n"
    )
    _, printed, _ = dlm(here, "prompt", "n.dlm", "When was the lamp lit?", "--version", "v0001")
    assert printed == "The lamp was lit in 1872.\n  docs/lamp.md:3  (as of v0001)\n"
