"""Asking with the notes open: quoted with their line, declined, followed while they are edited."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import warm

import dlm.engine.notes as notes
import dlm.engine.open_book as open_book
from dlm.cli.asking import Choice, ask_one
from dlm.engine.answer import Sampling

HEAD = "---\ndlm_id: 01J9ZQ6W3N8R2T4V6X8Y0A1B2C\ndlm_version: 15\nbase_model: pocket\n---\n"
TEXT = f"""{HEAD}
# The Brindle lamp

The Brindle lamp burns rapeseed oil. It was made by Una Corrigan in 1841.

::instruction::
### Q
Where does the spare wick lie?

### A
The spare wick lies in the blue tin.
::
"""
WICK = "Where does the spare wick lie?"


@pytest.fixture
def lamp(tmp_path: Path) -> Path:
    path = tmp_path / "lamp.dlm"
    path.write_text(TEXT, "utf-8")
    return path


def asked(path: Path, question: str, *more: str) -> dict[str, object]:
    done = warm.run("prompt", path, question, "--json", *more)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert isinstance(answer, dict)
    return answer


def test_an_untrained_document_answers_from_its_notes(lamp: Path) -> None:
    done = warm.run("prompt", lamp, "Who made the Brindle lamp?")
    assert done.returncode == 0
    assert done.stdout.splitlines() == [
        "It was made by Una Corrigan in 1841.",
        "  lamp.dlm:9",
    ]
    assert "not trained yet" in done.stderr


def test_what_the_notes_do_not_say_is_declined(lamp: Path) -> None:
    answer = asked(lamp, "How many parrots fly over Lisbon?")
    assert answer["declined"] is True
    assert answer["answer"] == "The notes do not say."
    assert answer["line"] is None
    assert answer["version"] is None
    assert "--closed" in warm.run("prompt", lamp, "How many parrots fly over Lisbon?").stdout


def test_edits_are_answered_at_once_and_said_to_be_untrained(lamp: Path) -> None:
    assert warm.run("train", lamp, "--max-steps", "1").returncode == 0
    before = asked(lamp, WICK)
    assert (before["version"], before["trained"], before["line"]) == ("v0001", True, 16)
    lamp.write_text(TEXT.replace("blue tin", "green jar"), "utf-8")
    after = warm.run("prompt", lamp, WICK)
    assert after.stdout.splitlines() == [
        "The spare wick lies in the green jar.",
        "  lamp.dlm:16  (saved after v0001, not trained yet)",
    ]
    then = warm.run("prompt", lamp, WICK, "--version", "v0001")
    assert then.stdout.splitlines() == [
        "The spare wick lies in the blue tin.",
        "  lamp.dlm:16  (as of v0001)",
    ]


def test_a_session_follows_the_file(lamp: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "dlm.cli.app", "repl", str(lamp)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as repl:
        assert repl.stdin is not None
        assert repl.stdout is not None

        def answer() -> str:
            repl.stdin.write(f"{WICK}\n")
            repl.stdin.flush()
            return repl.stdout.readline() + repl.stdout.readline()

        assert "blue tin" in answer()
        lamp.write_text(TEXT.replace("blue tin", "green jar"), "utf-8")
        assert "green jar" in answer()
        lamp.write_text(TEXT.replace("pocket", "[pocket"), "utf-8")
        assert "green jar" in answer()
        repl.stdin.close()
        assert repl.wait(30) == 0


def test_a_file_of_questions_is_answered_line_by_line(lamp: Path, tmp_path: Path) -> None:
    questions = tmp_path / "questions.jsonl"
    questions.write_text(
        f'{{"id": 7, "question": "{WICK}"}}\n\n{{"question": "Who made the lamp?"}}\n', "utf-8"
    )
    done = warm.run("prompt", lamp, "--batch", questions, "--json")
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row.get("id") for row in rows] == [7, None]
    assert [row["line"] for row in rows] == [16, 9]
    questions.write_text('{"question": "fine?"}\n{"query": "x"}\n', "utf-8")
    refused = warm.run("prompt", lamp, "--batch", questions)
    assert refused.returncode == 1
    assert f"{questions}:2: there is no question in this row" in refused.stderr
    assert warm.run("prompt", lamp, "What?", "--batch", questions).returncode == 2
    assert warm.run("prompt", lamp, "--batch", tmp_path / "none.jsonl").returncode == 1
    assert "the question is empty" in warm.run("prompt", lamp, " ").stderr


def test_a_document_of_style_is_asked_closed(lamp: Path) -> None:
    lamp.write_text(TEXT.replace("pocket\n", "pocket\ntraining:\n  open_book: false\n"), "utf-8")
    done = warm.run("prompt", lamp, WICK)
    assert done.returncode == 1
    assert "not trained yet" in done.stderr


def test_a_base_that_can_read_is_shown_the_passages(
    lamp: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert warm.run("train", lamp, "--max-steps", "1").returncode == 0
    monkeypatch.setattr(notes, "READS_FROM", 1)
    choice = Choice(Sampling(max_tokens=8), None, base_only=False, closed=False)
    ask_one(str(lamp), WICK, choice, batch=None, as_json=True)
    answer = json.loads(capsys.readouterr().out)
    assert answer["engine"] == "numpy"
    assert answer["passages"][0]["text"].startswith("Q: Where does the spare wick lie?")
    shown = open_book.messages("Why?", ["likeliest", "other"])
    assert shown[-1]["content"] == "Notes:\n\nother\n\nlikeliest\n\nQuestion: Why?"
