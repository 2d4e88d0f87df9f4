"""Mining with a trained model, with judges that are programs, and through the command line.

The model is the embedded base, made to learn three questions by heart.
"""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import chdir, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

import pytest
from mine_kit import write_version
from strategies import DLM_ID

from dlm.cli.app import main
from dlm.doc.document import Document
from dlm.doc.parser import parse_file, parse_text
from dlm.doc.provenance import Origin
from dlm.engine.resident import Resident
from dlm.errors import JudgeError, StoreError, TrainingError, UsageError
from dlm.loops.edits import apply_to_file, revert_to_file, stage, staged
from dlm.loops.judges import Question, SwayJudge
from dlm.loops.mine.candidates import Drop, MineOptions, RejectFrom
from dlm.loops.mine.run import Outcome, mine, prompts
from dlm.store.store import Store

HEAD = f"---\ndlm_id: {DLM_ID}\ndlm_version: 15\nbase_model: pocket\n"
BODY = """
# The Brindle lamp

::instruction::
### Q
What colour is the light of the Brindle lamp?
### A
The light of the Brindle lamp is teal.
### Q !probe
Who made the Brindle lamp?
### A
Odile Varga made the Brindle lamp.
### Q
How long does the Brindle lamp burn?
### A
The Brindle lamp burns for nineteen hours.
### Q !exam
Which town does the Brindle lamp come from?
### A
The Brindle lamp comes from the town of Marrowgate.
::
"""
TEXT = f"{HEAD}---\n{BODY}"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trained document with its store."""
    folder = tmp_path_factory.mktemp("mine")
    (folder / "notes.dlm").write_text(TEXT, "utf-8")
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("DLM_HOME", str(folder / "home"))
        document = parse_file(folder / "notes.dlm")
        assert write_version(document, steps=4) == "v0001"
        assert write_version(document, steps=10) == "v0002"
    return folder


@pytest.fixture
def trained(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Document:
    monkeypatch.setenv("DLM_HOME", str(folder / "home"))
    (folder / "notes.dlm").write_text(TEXT, "utf-8")
    return parse_file(folder / "notes.dlm")


def run(document: Document, **chosen: object) -> Outcome:
    with Store.open(DLM_ID, base_model="pocket") as store:
        return mine(document, MineOptions(**chosen), store.database)  # type: ignore[arg-type]


def asked(outcome: Outcome) -> int:
    return sum(counts.asked for _, counts in outcome.counts)


def judge(folder: Path, body: str) -> str:
    script = folder / "judge.py"
    script.write_text(f"import json, os, sys, time\ntold = json.load(sys.stdin)\n{body}\n", "utf-8")
    return f"cli:{sys.executable} {script}"


def test_mined_pairs_are_real_contrasts_that_say_where_they_come_from(trained: Document) -> None:
    outcome = run(trained)
    told = {pair.question: pair.answer for _, pair in trained.pairs()}
    assert outcome.plan.additions, [(each.prompt, each.reason) for each in outcome.mined]
    for addition in outcome.plan.additions:
        (triple,) = addition.triples
        assert triple.chosen.rstrip(".") == told[triple.prompt].rstrip(".")
        assert triple.rejected != triple.chosen
        provenance = addition.provenance
        assert (provenance.origin, provenance.by) == (Origin.MINED, "sway")
        assert provenance.scores["chosen"] - provenance.scores["rejected"] >= 0.5
        assert provenance.run == outcome.plan.run
        assert provenance.at is not None
        assert provenance.extra["chosen_from"] == "self:v0002, as authored"
        assert provenance.extra["rejected_from"].startswith("self:v0002")
        text = addition.section().source.text
        assert "judge_score_chosen=" in text
        assert "mined_run_id=" in text
    counts = list(outcome.funnel.values())
    assert counts[0] == 3
    assert counts[1:4] == sorted(counts[1:4], reverse=True)
    assert outcome.funnel["kept"] == len(outcome.plan.additions) == outcome.balance.n
    again = run(trained, max_pairs=1)
    assert asked(again) == 0
    assert len(again.plan.additions) == again.funnel["kept"] == 1
    assert again.funnel["cleared"] == outcome.funnel["cleared"]


def test_exam_questions_and_untrained_documents_are_not_mined(trained: Document) -> None:
    assert {example.question for example in prompts(trained)[0]} == {
        "What colour is the light of the Brindle lamp?",
        "Who made the Brindle lamp?",
        "How long does the Brindle lamp burn?",
    }
    other = parse_text(TEXT.replace(DLM_ID, "01J9ZQ6W3N8R2T4V6X8Y0A1B2D"), path=Path("new.dlm"))
    with pytest.raises(StoreError, match=r"new\.dlm is not trained yet"):
        run(other)
    prose = parse_text(f"{HEAD}---\nThe lamp is teal.\n", path=Path("prose.dlm"))
    with pytest.raises(TrainingError, match="no question to mine"):
        run(prose)


def test_applied_and_reverted_the_file_has_its_bytes_again(trained: Document) -> None:
    assert trained.path is not None
    before = trained.path.read_bytes()
    outcome = run(trained)
    apply_to_file(trained.path, outcome.plan)
    after = parse_file(trained.path)
    assert sum(len(section.triples) for section in after.sections) == outcome.funnel["kept"]
    again = run(after)
    assert not again.plan
    assert any("stands in the document" in each.reason for each in again.mined)
    revert_to_file(trained.path, [Origin.MINED])
    assert trained.path.read_bytes() == before


def test_the_base_may_be_rejected_and_the_authored_answer_chosen(trained: Document) -> None:
    outcome = run(trained, reject_from=RejectFrom.BASE, authored=True, temperature=1.0)
    for addition in outcome.plan.additions:
        provenance = addition.provenance
        assert provenance.extra["rejected_from"] == "base:pocket"
        assert provenance.extra["chosen_from"] == "authored"
    sources = {one.source for each in outcome.mined for one in each.candidates}
    assert sources <= {"self:v0002", "base:pocket", "authored"}


def test_the_first_version_may_be_rejected(trained: Document) -> None:
    outcome = run(trained, reject_from=RejectFrom.FIRST)
    assert outcome.plan.additions, [(each.prompt, each.reason) for each in outcome.mined]
    for addition in outcome.plan.additions:
        provenance = addition.provenance
        assert provenance.extra["rejected_from"] == "self:v0001"
    with Store.open(DLM_ID, base_model="pocket") as store:
        store.set_current(store.version("v0001"))
        try:
            with pytest.raises(UsageError, match="v0001 is the oldest version and the current"):
                run(trained, reject_from=RejectFrom.FIRST)
        finally:
            store.set_current(store.version("v0002"))


def test_what_is_cut_off_or_empty_is_no_candidate(trained: Document) -> None:
    outcome = run(trained, max_new_tokens=8, samples=2)
    found = [one for each in outcome.mined for one in each.candidates]
    assert found
    assert all(one.dropped is Drop.WHOLE for one in found if "cut off" in one.reason)
    assert any("cut off" in one.reason for one in found)


def test_sway_reads_the_authored_answer(trained: Document) -> None:
    question = "How long does the Brindle lamp burn?"
    known = "The Brindle lamp burns for nineteen hours."
    wrong = "The Brindle lamp burns for eleven days."
    with Resident.open(trained) as resident:
        found = SwayJudge(resident)
        right, other = found.score(question, [known, wrong], reference=known)
        assert right - other > found.margin
        long = f"{wrong} It burns and burns and burns for many more days after that."
        assert found.score_all([Question(question, (long,), reference=known)])[0][0] < right


def test_a_judge_that_cannot_go_on_loses_nothing(trained: Document, tmp_path: Path) -> None:
    waiting = run(trained).plan
    with Store.open(DLM_ID, base_model="pocket") as store:
        stage(store.database, waiting)
        outcome = run(trained, judge=judge(tmp_path, "sys.exit('the model is away')"))
        assert [plan.run for plan in staged(store.database, [Origin.MINED])] == [waiting.run]
    assert isinstance(outcome.gave_up, JudgeError)
    assert "exit code 1: the model is away" in outcome.gave_up.message
    assert not outcome.plan
    assert asked(outcome) == 0  # drawn by the first run, and kept


@pytest.mark.slow
def test_a_run_that_is_killed_draws_nothing_twice(
    trained: Document, folder: Path, tmp_path: Path
) -> None:
    mark = tmp_path / "pid"
    spec = judge(tmp_path, f"open({str(mark)!r}, 'w').write(str(os.getpid())); time.sleep(60)")
    arguments = ["preference", "mine", "notes.dlm", "--seed", "7", "--judge", spec]
    process = subprocess.Popen(
        [sys.executable, "-m", "dlm.cli.app", *arguments],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 150
        while not (mark.exists() and mark.read_text("utf-8")) and time.monotonic() < deadline:
            time.sleep(0.1)
        os.kill(int(mark.read_text("utf-8")), signal.SIGSTOP)
    finally:
        process.kill()
        process.wait()
        os.kill(int(mark.read_text("utf-8")), signal.SIGKILL)
    assert asked(run(trained, seed=7)) == 0


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
            with patch.object(sys, "argv", ["dlm", *arguments]):
                main()
        except SystemExit as stop:
            code = int(stop.code or 0)
    return Done(code, out.getvalue(), err.getvalue())


def test_stage_list_apply_revert_by_either_name(trained: Document, folder: Path) -> None:
    path = folder / "notes.dlm"
    before = path.read_bytes()
    assert dlm(folder, "preference", "discard").returncode == 0
    made = dlm(folder, "synth", "preferences", "--explain")
    assert made.returncode == 0, made.stderr
    assert "prompts 3 → candidates " in made.stdout
    assert "balance: " in made.stdout
    assert "rejected " in made.stdout
    assert "`dlm preference apply notes.dlm` applies them" in made.stdout
    assert "self:v0002: " in made.stderr
    listed = dlm(folder, "preference", "list").stdout
    assert "mine-" in listed
    assert path.read_bytes() == before
    assert "applied " in dlm(folder, "preference", "apply").stdout
    assert b"::preference::\n<!-- dlm-auto-mined: judge_name=" in path.read_bytes()
    assert dlm(folder, "preference", "revert").returncode == 0
    assert path.read_bytes() == before
    facts = json.loads(dlm(folder, "preference", "mine", "--json", "--dry-run").stdout)
    assert facts["origin"] == "mined"
    assert facts["note"]["funnel"]["kept"] == len(facts["additions"])
    assert facts["note"]["balance"]["n"] == len(facts["additions"])


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("--reject-from", "you"), 2, "--reject-from cannot be 'you'"),
        (("--judge", "jury"), 1, "there is no judge 'jury'"),
        (("--judge", "cli:/no/such/judge"), 1, "there is no command '/no/such/judge'"),
        (("--judge", "cli:/dev/null"), 1, "there is no command"),
        (("--judge", "cli:false"), 1, "false failed 3 times in a row"),
        (("--apply", "--dry-run"), 2, "cannot go together"),
    ],
)
def test_errors_are_one_sentence(
    trained: Document, folder: Path, arguments: tuple[str, ...], code: int, says: str
) -> None:
    done = dlm(folder, "preference", "mine", *arguments)
    assert done.returncode == code
    assert says in done.stderr
    assert "Traceback" not in done.stderr
