"""Commands that take a while say how far they are and when they will end, on standard error."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

import pytest
from mine_kit import write_version
from strategies import DLM_ID

from dlm.cli import working
from dlm.cli.app import main
from dlm.data.lessons import lessons_of
from dlm.doc.document import Document
from dlm.doc.parser import parse_file, parse_text
from dlm.eval.probes import exam_questions
from dlm.loops.improve.context import Context
from dlm.loops.improve.options import Clock, ImproveOptions, ImproveProgress
from dlm.store.store import Store

HEAD = f"---\ndlm_id: {DLM_ID}\ndlm_version: 15\nbase_model: pocket\n---\n"
PAIR = "### Q{mark}\nWhat colour is lamp {n}?\n### A\nLamp {n} is {colour}.\n"
COLOURS = ("teal", "amber", "white", "green", "blue", "red")
TEACHER = """
import json, sys
json.load(sys.stdin)
print(json.dumps({"completions": ["Q: How tall is the mast?\\nA: The mast is nine yards tall."]}))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trained document with its store."""
    folder = tmp_path_factory.mktemp("work")
    pairs = "".join(
        PAIR.format(n=n, colour=colour, mark=" !exam" if n > 3 else "")
        for n, colour in enumerate(COLOURS)
    )
    prose = "".join(f"\n## Part {n}\n\nThe mast is nine yards tall.\n" for n in range(4))
    (folder / "notes.dlm").write_text(f"{HEAD}{prose}\n::instruction::\n{pairs}::\n", "utf-8")
    (folder / "teach.py").write_text(TEACHER, "utf-8")
    probe = {"kind": "recall", "verdict": "fail"}
    probes = [
        {
            **probe,
            "name": f"p{n}",
            "evidence": {"prompt": f"Who is keeper {n}?", "reference": "Agnes."},
        }
        for n in range(200)
    ]
    (folder / "report.json").write_text(json.dumps({"probes": probes}), "utf-8")
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("DLM_HOME", str(folder / "home"))
        write_version(parse_file(folder / "notes.dlm"), steps=2)
    return folder


@pytest.fixture
def document(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Document:
    """Where all that is told is shown, in a log."""
    monkeypatch.setenv("DLM_HOME", str(folder / "home"))
    monkeypatch.chdir(folder)
    monkeypatch.setattr(working, "_SOON", 0.0)
    monkeypatch.setattr(working, "RARELY", 0.0)
    return parse_file(folder / "notes.dlm")


@pytest.mark.parametrize(
    ("command", "work"),
    [
        (
            ("synth", "instructions", "--teacher", f"cli:{sys.executable} teach.py", "--dry-run"),
            "asking cli:",
        ),
        (("harvest", "--sway-json", "report.json"), "comparing with the document"),
        (("preference", "mine", "--dry-run", "--samples", "2"), "asking self:v0001"),
        (("eval",), "answering"),
    ],
)
def test_commands_say_how_far_they_are(
    document: Document,
    capsys: pytest.CaptureFixture[str],
    command: tuple[str, ...],
    work: str,
) -> None:
    with patch.object(sys, "argv", ["dlm", *command, "--json"]), pytest.raises(SystemExit) as left:
        main()
    assert not left.value.code
    captured = capsys.readouterr()
    json.loads(captured.out)
    lines = [line for line in captured.err.splitlines() if "%, about" in line]
    assert [line for line in lines if line.startswith(f"  {work}")], captured.err


class Told(ImproveProgress):
    """Keeps what it is told."""

    def __init__(self) -> None:
        super().__init__()
        self.works: list[str] = []

    def working(self, what: str, done: int, of: int) -> None:
        if 0 < done < of:
            self.works.append(what)


@pytest.mark.parametrize(
    "stage",
    [
        lambda context: context.result_of(1),
        lambda context: context.card_of(1, parse_text(context.document.text + "\nMore.\n")),
    ],
    ids=["the exam", "the scorecard"],
)
def test_an_improvement_says_how_far_its_measuring_is(
    document: Document, stage: Callable[[Context], object]
) -> None:
    told = Told()
    exam = tuple(exam_questions(lessons_of(document), 10))
    assert document.path is not None
    with Store.open(DLM_ID, base_model="pocket") as store:
        options, clock = ImproveOptions(), Clock(None)
        stage(
            Context(document.path, document, options, store, exam, told, clock, lambda step: None)
        )
    assert "answering" in told.works
