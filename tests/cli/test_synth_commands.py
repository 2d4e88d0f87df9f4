"""`dlm synth …` through the real command line, with a teacher that is a script."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import warm

HEAD = "---\ndlm_id: 01J9ZQ6W3N8R2T4V6X8Y0A1B2C\ndlm_version: 15\nbase_model: pocket\n---\n\n"
PROSE = "# Shed\n\nThe shed has nine lockers. The spare key hangs inside the drainpipe.\n"
PAIRS = [
    ("How many lockers does the shed have?", "The shed has nine lockers."),
    ("Where does the spare key hang?", "The spare key hangs inside the drainpipe."),
]


@pytest.fixture
def teacher(tmp_path: Path) -> str:
    text = "\n".join(f"Q: {question}\nA: {answer}" for question, answer in PAIRS)
    script = tmp_path / "teach.py"
    script.write_text(
        "import json, sys\n"
        "json.load(sys.stdin)\n"
        "open('calls', 'a').write('x')\n"
        f"print(json.dumps({{'completions': [{text!r}]}}))\n",
        "utf-8",
    )
    (tmp_path / "notes.dlm").write_text(HEAD + PROSE, "utf-8")
    return f"cli:{sys.executable} teach.py"


def dlm(*arguments: str, cwd: Path, code: int = 0) -> subprocess.CompletedProcess[str]:
    done = warm.run("synth", *arguments, cwd=cwd)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return done


def test_stage_list_apply_verify_revert(tmp_path: Path, teacher: str) -> None:
    path = tmp_path / "notes.dlm"
    before = path.read_bytes()
    told = ("--teacher", teacher, "--filter", "dedup-only")
    staged = dlm("instructions", *told, cwd=tmp_path)
    assert "generated 2 → parsed 2 → dedup 2 → grounded 2" in staged.stdout
    assert "staged 2 additions as run synth-" in staged.stdout
    assert "1 asked" in staged.stderr
    assert path.read_bytes() == before
    assert "synth-" in dlm("list", cwd=tmp_path).stdout
    assert "applied 2 additions" in dlm("apply", cwd=tmp_path).stdout
    assert PAIRS[0][0] in path.read_text("utf-8")
    unchecked = dlm("verify", cwd=tmp_path).stdout
    assert "2 pairs not checked" in unchecked
    assert "took 2 sections out" in dlm("revert", cwd=tmp_path).stdout
    assert path.read_bytes() == before


def test_a_second_run_asks_nothing_and_says_what_it_found(tmp_path: Path, teacher: str) -> None:
    told = ("--teacher", teacher, "--filter", "dedup-only", "--dry-run", "--json")
    first = json.loads(dlm("instructions", *told, cwd=tmp_path).stdout)
    again = json.loads(dlm("instructions", *told, "--explain", cwd=tmp_path).stdout)
    assert (tmp_path / "calls").read_text("utf-8") == "x"
    assert first["run"] == again["run"]
    assert again["note"]["calls"]["cached"] == 1
    assert [one["question"] for one in again["note"]["candidates"]] == [q for q, _ in PAIRS]
    assert first["note"]["funnel"]["accepted"] == len(first["additions"]) == 2


def test_estimate_asks_nothing(tmp_path: Path, teacher: str) -> None:
    said = dlm("instructions", "--teacher", teacher, "--estimate", cwd=tmp_path).stdout
    assert said.startswith("1 calls,")
    assert not (tmp_path / "calls").exists()
    left = dlm("instructions", "--teacher", teacher, "--max-calls", "0", cwd=tmp_path)
    assert "1 left out" in left.stderr
    assert "nothing to change" in left.stdout


def test_verify_fails_when_the_source_no_longer_says_so(tmp_path: Path) -> None:
    marker = (
        '<!-- dlm-auto-synth: synth_teacher="base" run="r1" synth_strategy="extraction" '
        'source="The shed has nine lockers." -->'
    )
    pair = f"::instruction::\n{marker}\n### Q\n{PAIRS[0][0]}\n### A\n{PAIRS[0][1]}\n::\n"
    path = tmp_path / "notes.dlm"
    path.write_text(f"{HEAD}{PROSE}\n{pair}", "utf-8")
    assert "1 pair of 1 supported" in dlm("verify", cwd=tmp_path).stdout
    path.write_text(f"{HEAD}{PROSE.replace('nine', 'ten')}\n{pair}", "utf-8")
    fallen = dlm("verify", cwd=tmp_path, code=1)
    assert "notes.dlm:13: How many lockers" in fallen.stdout
    assert "error: 1 pair of notes.dlm" in fallen.stderr
    found = json.loads(dlm("verify", "--json", cwd=tmp_path, code=1).stdout)
    assert [one["holds"] for one in found] == [False]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--strategy", "guess"), 2, "--strategy cannot be 'guess'"),
        (("--filter", "all"), 2, "--filter cannot be 'all'"),
        (("--scorer", "me"), 2, "--scorer cannot be 'me'"),
        (("--apply", "--dry-run"), 2, "cannot go together"),
        (("--sections", "beef"), 2, "is no prose section"),
        (("--judge", "jury"), 1, "there is no judge 'jury'"),
        (("--judge", "cli:/no/such"), 1, "there is no command '/no/such'"),
        (("--teacher", "self"), 1, "is not trained yet"),
        (("--teacher", "cli:/no/such"), 1, "there is no command '/no/such'"),
    ],
)
def test_wrong_use_is_one_sentence(
    tmp_path: Path, teacher: str, arguments: tuple[str, ...], code: int, said: str
) -> None:
    told = arguments if "--teacher" in arguments else ("--teacher", teacher, *arguments)
    failed = dlm("instructions", *told, cwd=tmp_path, code=code)
    assert said in failed.stderr
    assert "hint: " in failed.stderr


def test_a_teacher_that_gives_up_keeps_what_it_gave(tmp_path: Path, teacher: str) -> None:
    (tmp_path / "notes.dlm").write_text(
        HEAD + PROSE + "".join(f"\n## Part {n}\n\nBoat {n} is blue today.\n" for n in range(9)),
        "utf-8",
    )
    script = tmp_path / "teach.py"
    text = script.read_text("utf-8")
    script.write_text(
        text.replace(
            "json.load(sys.stdin)\n", "if 'Boat' in json.load(sys.stdin)['prompt']: 1/0\n"
        ),
        "utf-8",
    )
    told = ("--teacher", teacher, "--filter", "dedup-only", "--apply")
    failed = dlm("instructions", *told, cwd=tmp_path, code=1)
    assert "what it gave before is kept" in failed.stderr
    assert "applied 2 additions" in failed.stdout
