"""`--review` on a pseudo-terminal."""

from __future__ import annotations

import contextlib
import os
import pty
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from dlm.cli.edits import open_database
from dlm.cli.edits_verbs import edits_app
from dlm.doc.parser import parse_file
from dlm.doc.provenance import Origin, Provenance
from dlm.loops.edits import Addition, EditPlan, NewPair, stage, staged
from dlm.store.records import now

TEXT = (
    "---\ndlm_id: 01J9ZQ6W3N8R2T4V6X8Y0A1B2C\ndlm_version: 15\nbase_model: pocket\n---\n"
    "The lamp is lit at dusk.\n"
)


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "lamp.dlm"
    path.write_text(TEXT, "utf-8")
    document = parse_file(path)
    source = document.sections[0].section_id
    made = Provenance(
        Origin.SYNTHESIZED,
        "self:v0001",
        "r1",
        now(),
        source,
        {"grounding": 0.9},
        {"why": "\x1b[2J"},
    )
    additions = tuple(
        Addition(made, pairs=(NewPair(question, "At dusk\x1b[2J."),), after=source)
        for question in ("One?", "Two?", "Three?")
    )
    plan = EditPlan("r1", Origin.SYNTHESIZED, "self:v0001", now(), document.sha256, additions)
    with open_database(document) as database:
        stage(database, plan)
    return path


@pytest.fixture
def review(file: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Answer a review with these lines, and return what the terminal showed."""

    def run(answers: str, **environment: str) -> str:
        leader, follower = pty.openpty()
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        os.write(leader, answers.encode())
        with os.fdopen(os.dup(follower)) as keyboard, os.fdopen(follower, "w") as screen:
            monkeypatch.setattr(sys, "stdin", keyboard)
            monkeypatch.setattr(sys, "stdout", screen)
            edits_app(["synthesized"], "synth")(
                ["apply", str(file), "--review"], standalone_mode=False
            )
        shown = b""
        with contextlib.suppress(OSError):  # the end of a pseudo-terminal is an error
            while chunk := os.read(leader, 65536):
                shown += chunk
        os.close(leader)
        return shown.decode()

    return run


def _asked(file: Path) -> list[str]:
    return [pair.question for _, pair in parse_file(file).pairs()]


def _waiting(file: Path) -> list[str]:
    with open_database(parse_file(file)) as database:
        return [each.summary for plan in staged(database) for each in plan.additions]


def test_accept_reject_and_quit(file: Path, review: Callable[..., str]) -> None:
    shown = review("?\na\nr\nq\n")
    assert "1 of 3" in shown
    assert "after line 6: The lamp is lit at dusk." in shown
    assert "grounding 0.9" in shown
    assert "reject it: it is forgotten" in shown
    assert "1 change accepted" in shown
    assert _asked(file) == ["One?"]
    assert _waiting(file) == ["Three?"]


def test_nothing_in_a_section_acts_on_the_terminal(file: Path, review: Callable[..., str]) -> None:
    shown = review("q\n")
    assert "\\x1b[2J." in shown
    assert "\x1b[2J" not in shown
    assert file.read_text("utf-8") == TEXT


def test_accept_all_the_rest(file: Path, review: Callable[..., str]) -> None:
    review("r\nA\n")
    assert _asked(file) == ["Two?", "Three?"]
    assert _waiting(file) == []


def test_edit_in_an_editor(file: Path, review: Callable[..., str]) -> None:
    shown = review("e\na\nq\n", EDITOR="sed -i s/One/Which/", VISUAL="")
    assert "Which?" in shown
    assert _asked(file) == ["Which?"]
    assert _waiting(file) == ["Two?", "Three?"]


def test_an_edit_that_breaks_the_section_changes_nothing(
    file: Path, review: Callable[..., str]
) -> None:
    shown = review("e\na\nq\n", EDITOR="sed -i s/^###.A$/::/", VISUAL="")
    assert "not changed: the text opens or closes a section" in shown
    assert _asked(file) == ["One?"]
    assert "failed" in review("e\nq\n", EDITOR="false", VISUAL="")


def test_ctrl_c_applies_nothing_and_keeps_all(
    file: Path, review: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter(["a"])

    def answer(prompt: str) -> str:
        for text in answers:
            return text
        raise KeyboardInterrupt

    monkeypatch.setattr("builtins.input", answer)
    review("")
    assert file.read_text("utf-8") == TEXT
    assert _waiting(file) == ["One?", "Two?", "Three?"]
