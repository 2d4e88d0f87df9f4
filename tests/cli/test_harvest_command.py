"""`dlm harvest` through the real command line: exit codes, what is printed, and the file."""

from __future__ import annotations

import io
import json
import sys
from contextlib import chdir, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from dlm.cli.app import main
from dlm.doc.parser import parse_file

CASES = Path(__file__).parent.parent / "cases" / "reports"
PROBE = {"name": "pears", "kind": "recall", "verdict": "fail"}
GOOD = {**PROBE, "evidence": {"prompt": "Who presses the cider?", "reference": "Agnes."}}
BARE = {**PROBE, "name": "bare", "evidence": {"prompt": "Why?"}}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "notes.dlm").write_bytes((CASES / "orchard.dlm").read_bytes())
    return tmp_path


@dataclass(frozen=True, slots=True)
class Done:
    returncode: int
    stdout: str
    stderr: str


def dlm(folder: Path, *arguments: str) -> Done:
    """The command line in this process, in `folder`."""
    out, err, code = io.StringIO(), io.StringIO(), 0
    with chdir(folder), redirect_stdout(out), redirect_stderr(err):
        try:
            with patch.object(sys, "argv", ["dlm", "harvest", *arguments]):
                main()
        except SystemExit as stop:
            code = int(stop.code or 0)
    return Done(code, out.getvalue(), err.getvalue())


def report(folder: Path, *probes: dict[str, Any]) -> str:
    (folder / "report.json").write_text(json.dumps({"probes": probes}))
    return "report.json"


def test_the_default_shows_a_diff_and_writes_nothing(folder: Path) -> None:
    before = (folder / "notes.dlm").read_bytes()
    done = dlm(folder, "--sway-json", report(folder, GOOD, BARE))
    assert done.returncode == 0
    assert "+### Q !probe\n+Who presses the cider?\n+\n+### A\n+Agnes.\n+::\n" in done.stdout
    assert "1 addition; nothing was changed: --apply writes them" in done.stdout
    assert "2 of 2 probes failed: 1 pair to learn" in done.stderr
    assert "nothing from: bare: its evidence has a prompt and no reference" in done.stderr
    assert (folder / "notes.dlm").read_bytes() == before


def test_apply_writes_once_and_revert_gives_back_the_bytes(folder: Path) -> None:
    path = folder / "notes.dlm"
    before = path.read_bytes()
    name = report(folder, GOOD)
    done = dlm(folder, "notes.dlm", "--sway-json", name, "--apply", "--tag", "ci")
    assert done.returncode == 0
    assert "added 1 section; `dlm harvest notes.dlm --revert --run " in done.stdout
    section = parse_file(path).sections[-1]
    assert (section.auto_harvest, section.harvest_source) == (True, "ci/pears")
    again = dlm(folder, "--sway-json", name, "--apply")
    assert (again.returncode, again.stdout) == (0, "nothing to change\n")
    assert "asks it already" in again.stderr
    run = section.provenance.run if section.provenance else ""
    assert dlm(folder, "--revert", "--run", "another").returncode == 1
    assert dlm(folder, "--revert", "--run", run).returncode == 0
    assert path.read_bytes() == before


def test_a_real_report_is_applied_and_all_of_it_taken_back(folder: Path) -> None:
    path = folder / "notes.dlm"
    before = path.read_bytes()
    source = str(CASES / "sway-orchard.json")
    done = dlm(folder, "--from", source, "--apply", "--json", "--seal", "0.4")
    facts = json.loads(done.stdout)
    assert (facts["applied"], facts["failing"], facts["tool"]) == (True, 7, "dlm-sway 0.1.0")
    assert (facts["pairs"], facts["sealed"], facts["raised"]) == (3, 2, 1)
    document = parse_file(path)
    assert sum(section.auto_harvest for section in document.sections) == 6
    assert len(facts["added"]) == 6
    assert dlm(folder, "--revert").returncode == 0
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        ([], 1, "there is no report to harvest"),
        (["--sway-json", "gone.json"], 1, "there is no report gone.json"),
        (["--sway-json", "notes.dlm"], 1, "notes.dlm:1: this is neither JSON nor a table"),
        (["--sway-json", "bare.json"], 2, "no failing probe with a reference"),
        (["--sway-json", "good.json", "--min-confidence", "1.5"], 2, "no failing probe"),
        (["--sway-json", "mixed.json", "--strict"], 1, "hint: --lax"),
        (["--sway-json", "mixed.json", "--lax"], 0, "nothing from: bare"),
        (["--sway-json", "good.json", "--strict"], 0, "1 pair to learn"),
        (["--revert", "--sway-json", "good.json"], 1, "cannot go together"),
        (["--revert", "--from", "good.json"], 1, "cannot go together"),
        (["--revert", "--apply"], 1, "cannot go together"),
        (["--from", "good.json", "--sway-json", "good.json"], 1, "cannot go together"),
        (["--from", "good.json", "--format", "csv"], 1, "names no column"),
        (["--from", "good.json", "--run", "r"], 1, "belong to --revert"),
        (["--sway-json", "good.json", "--apply", "--dry-run"], 2, "cannot go together"),
    ],
)
def test_exit_codes(folder: Path, arguments: list[str], code: int, says: str) -> None:
    for name, probes in (("good", [GOOD]), ("bare", [BARE]), ("mixed", [GOOD, BARE])):
        (folder / f"{name}.json").write_text(json.dumps({"probes": probes}))
    before = (folder / "notes.dlm").read_bytes()
    done = dlm(folder, *arguments)
    assert done.returncode == code, done.stderr
    assert says in done.stderr
    assert (folder / "notes.dlm").read_bytes() == before


def test_halves_of_characters_are_named_and_break_no_output(folder: Path) -> None:
    odd = {**PROBE, "name": "\ud800", "evidence": {"prompt": "\ud800?", "reference": "A."}}
    done = dlm(folder, "--sway-json", report(folder, odd, GOOD), "--json")
    facts = json.loads(done.stdout)
    assert (done.returncode, facts["pairs"], len(facts["unusable"])) == (0, 1, 1)
    done.stdout.encode()
    done.stderr.encode()


def test_an_unclosed_code_block_at_the_end_hides_nothing(folder: Path) -> None:
    path = folder / "notes.dlm"
    path.write_bytes(path.read_bytes() + b"\n```\nleft open\n")
    done = dlm(folder, "--sway-json", report(folder, GOOD), "--apply")
    assert done.returncode == 1
    assert "is not closed and hides it" in done.stderr
