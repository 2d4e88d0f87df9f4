"""`dlm preference import` through the command line."""

from __future__ import annotations

import io
import json
import sys
from contextlib import chdir, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

import pytest

from dlm.cli.app import main
from dlm.doc.parser import parse_file

HEAD = "---\ndlm_id: 01J9ZQ6W3N8R2T4V6X8Y0A1B2C\ndlm_version: 15\nbase_model: pocket\n---\n\n"
TALK = (
    "Where does the spare key hang?",
    "It hangs behind the door.",
    "That's wrong. It hangs inside the drainpipe.",
    "Sorry about that! It hangs inside the drainpipe.",
    "Who counts the money?",
    "Wren counts the money.",
)


@dataclass(frozen=True, slots=True)
class Done:
    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "notes.dlm").write_text(f"{HEAD}# Shed\n\nNine lockers.", "utf-8")
    (tmp_path / "chat.jsonl").write_text(f"{line(*TALK)}\nnot json\n", "utf-8")
    return tmp_path


def line(*texts: str) -> str:
    roles = ("user", "assistant")
    said = [{"role": roles[place % 2], "content": text} for place, text in enumerate(texts)]
    return json.dumps({"messages": said})


def dlm(folder: Path, *arguments: str) -> Done:
    """The command line in this process, in `folder`."""
    out, err, code = io.StringIO(), io.StringIO(), 0
    with chdir(folder), redirect_stdout(out), redirect_stderr(err):
        try:
            with patch.object(sys, "argv", ["dlm", "preference", *arguments]):
                main()
        except SystemExit as stop:
            code = int(stop.code or 0)
    return Done(code, out.getvalue(), err.getvalue())


def test_staged_listed_applied_and_reverted(folder: Path) -> None:
    path = folder / "notes.dlm"
    before = path.read_bytes()
    done = dlm(folder, "import", "chat.jsonl", "--pairs")
    assert done.returncode == 0, done.stderr
    assert "+### Rejected\n+It hangs behind the door.\n" in done.stdout
    assert "staged 2 additions as run import-" in done.stdout
    assert "malformed: chat.jsonl:2: this line is not JSON" in done.stderr
    assert "1 correction and 1 plain exchange → 1 triple and 1 pair" in done.stderr
    assert path.read_bytes() == before
    assert "imported" in dlm(folder, "list").stdout
    assert dlm(folder, "apply").returncode == 0
    sections = parse_file(path).sections[-2:]
    assert [len(section.triples) for section in sections] == [1, 0]
    assert all(section.provenance and section.provenance.by == "messages" for section in sections)
    again = dlm(folder, "import", "notes.dlm", "chat.jsonl", "--pairs", "--json")
    assert json.loads(again.stdout)["additions"] == []
    assert "asks it already" in again.stderr
    assert dlm(folder, "revert").returncode == 0
    assert path.read_bytes() == before


def test_a_one_sided_log_is_named(folder: Path) -> None:
    agreeing = [
        line(
            f"Is the boat number {number} of {place} blue?",
            "It is painted green all over.",
            "That's wrong, it is blue.",
            "Of course, the boat is blue.",
        )
        for number, place in enumerate(("Pell Quay", "Otterton", "Marsh End", "Ferry Lane", "Rye"))
    ]
    (folder / "chat.jsonl").write_text("\n".join(agreeing), "utf-8")
    done = dlm(folder, "import", "chat.jsonl", "--dry-run", "--json")
    assert json.loads(done.stdout)["origin"] == "imported"
    assert "warning: one-sided: 5 of 5 triples prefer agreeing" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("gone.json",), 1, "there is no chat log gone.json"),
        (("notes.dlm",), 1, "notes.dlm:1: this is neither JSON nor a table"),
        (("chat.jsonl", "--format", "slack"), 1, "there is no chat format 'slack'"),
        (("chat.jsonl", "--format", "claude"), 1, "chat.jsonl:1: this is no conversation of"),
        (("chat.jsonl", "--apply", "--dry-run"), 2, "cannot go together"),
        (("empty.jsonl",), 1, "this chat log is empty"),
        (("idle.jsonl",), 0, "hint: --pairs takes the plain exchanges"),
    ],
)
def test_errors_are_one_sentence(
    folder: Path, arguments: tuple[str, ...], code: int, says: str
) -> None:
    (folder / "empty.jsonl").write_text(" \n", "utf-8")
    (folder / "idle.jsonl").write_text(line(*TALK[4:]), "utf-8")
    done = dlm(folder, "import", *arguments)
    assert done.returncode == code, done.stderr
    assert says in done.stderr
    assert "Traceback" not in done.stderr
