"""`dlm improve` on the command line, as far as no model is needed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import warm
from strategies import DLM_ID

from dlm.store.store import Store

HEAD = f"---\ndlm_id: {DLM_ID}\ndlm_version: 15\nbase_model: pocket\n%s---\n\n"
SHED = "# The shed\n\nThe shed has nine lockers. The spare key hangs inside the drainpipe.\n"
EXAM = "\n::instruction::\n" + "\n\n".join(
    f"### Q !exam\nWhat about number {n}?\n### A\nIt is {n}." for n in range(6)
)


def written(folder: Path, *, exam: str = EXAM, settings: str = "") -> Path:
    path = folder / "shed.dlm"
    path.write_text(f"{HEAD % settings}{SHED}{exam}\n", "utf-8")
    return path


def test_without_an_exam_it_is_refused_with_what_to_do(tmp_path: Path) -> None:
    done = warm.run("improve", written(tmp_path, exam=""))
    assert done.returncode == 1
    assert "has no exam" in done.stderr
    assert "### Q !exam" in done.stderr
    assert "training.held_out" in done.stderr
    assert done.stdout == ""


def test_a_dry_run_says_what_a_round_would_do_and_changes_nothing(tmp_path: Path) -> None:
    path = written(tmp_path)
    before = path.read_bytes()
    done = warm.run("improve", path, "--dry-run", "--strategy", "mixed", "--json")
    told = json.loads(done.stdout)
    assert told["teacher"] == "self"
    assert told["strategy"] == "extraction"
    assert (told["sections"], told["questions"], told["current"]) == (1, 6, None)
    assert path.read_bytes() == before
    with Store.open(DLM_ID) as store:
        assert store.versions() == ()


def test_the_frontmatter_says_it_and_an_option_says_otherwise(tmp_path: Path) -> None:
    path = written(
        tmp_path, settings="improve:\n  strategy: backtranslate\n  teacher: base\n  rounds: 4\n"
    )
    done = warm.run("improve", "run", path, "--dry-run")
    assert "up to 4 rounds" in done.stdout
    assert "base teaches by backtranslate" in done.stdout
    done = warm.run("improve", path, "--dry-run", "--teacher", "self", "--rounds", "1")
    assert "up to 1 round;" in done.stdout
    assert "self teaches by backtranslate" in done.stdout


@pytest.mark.parametrize(
    ("options", "status", "said"),
    [
        (["--strategy", "guess"], 2, "--strategy cannot be 'guess'"),
        (["--rounds", "0"], 2, "--rounds"),
        (["--teacher", "cli:no-such-program"], 1, "there is no command 'no-such-program'"),
        (["--improvement-threshold", "2"], 2, "--improvement-threshold"),
    ],
)
def test_what_makes_no_sense_is_refused_at_once(
    tmp_path: Path, options: list[str], status: int, said: str
) -> None:
    done = warm.run("improve", written(tmp_path), *options)
    assert done.returncode == status, done.stderr
    assert said in done.stderr


def test_the_history_of_a_document_that_was_never_improved(tmp_path: Path) -> None:
    path = written(tmp_path)
    done = warm.run("improve", "history", path)
    assert done.stdout == f"{path} was never improved\n"
    done = warm.run("improve", "history", path, "--json")
    assert json.loads(done.stdout) == {"teachers": [], "rounds": []}
    done = warm.run("improve", "rollback", path)
    assert done.returncode == 1
    assert "never improved" in done.stderr
