"""list, apply, discard and revert on real files, as a loop offers them."""

from __future__ import annotations

import json
import os
import re
import stat
from pathlib import Path
from typing import Any

import pytest

from dlm.cli.edits import Mode, mode_of, present
from dlm.cli.edits_verbs import edits_app
from dlm.doc.document import Document
from dlm.doc.parser import parse_file
from dlm.doc.provenance import Origin, Provenance
from dlm.errors import DlmError, EditConflict, StoreError, UsageError
from dlm.loops.edits import Addition, EditPlan, NewPair, Removal
from dlm.store.records import now

TEXT = """---
dlm_id: 01J9ZQ6W3N8R2T4V6X8Y0A1B2C
dlm_version: 15
base_model: pocket
---

The lamp is lit at dusk.

::instruction::
### Q
Who lights it?
### A
Whoever is on duty.
::

The tide turns twice a day.
"""


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "lamp.dlm"
    path.write_text(TEXT, "utf-8", newline="")
    return path


class Shell:
    """The commands of one loop, run in this process."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys
        self.app = edits_app(["synthesized"], "synth")

    def __call__(self, *arguments: str) -> str:
        self._capsys.readouterr()
        self.app(list(arguments), standalone_mode=False)
        captured = self._capsys.readouterr()
        self.notes = captured.err
        return captured.out

    def json(self, *arguments: str) -> Any:
        return json.loads(self(*arguments, "--json"))


@pytest.fixture
def dlm(capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(capsys)


def planned(document: Document, run: str, *questions: str, after: int | None = 0) -> EditPlan:
    source = None if after is None else document.sections[after].section_id
    made = Provenance(Origin.SYNTHESIZED, "self:v0001", run, now(), source, {"grounding": 0.9})
    additions = tuple(
        Addition(made, pairs=(NewPair(question, "At dusk."),), after=source)
        for question in questions
    )
    return EditPlan(
        run, Origin.SYNTHESIZED, "self:v0001", now(), document.sha256, additions, note={"n": 1}
    )


def staged(file: Path, run: str = "r1", *questions: str, after: int | None = 0) -> EditPlan:
    document = parse_file(file)
    plan = planned(document, run, *(questions or ("When is it lit?", "What is lit?")), after=after)
    present(document, plan, Mode.STAGE, command="dlm synth")
    return plan


def test_a_plan_is_staged_listed_applied_and_taken_back(file: Path, dlm: Shell) -> None:
    plan = staged(file)
    assert file.read_text("utf-8") == TEXT
    listed = dlm("list")
    assert "staged   r1  synthesized by self:v0001" in listed
    assert f"{plan.additions[0].id}  after line 7      When is it lit?" in listed
    assert "applied 2 additions of run r1" in dlm("apply")
    document = parse_file(file)
    assert [pair.question for _, pair in document.pairs()] == [
        "When is it lit?",
        "What is lit?",
        "Who lights it?",
    ]
    assert "applied  r1  synthesized by self:v0001" in dlm("list")
    assert "nothing is staged" in dlm("apply")
    assert "took 2 sections out of" in dlm("revert")
    assert file.read_text("utf-8") == TEXT
    assert "nothing is staged, and nothing was applied" in dlm("list")


def test_the_diff_is_shown_before_anything_is_staged(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    document = parse_file(file)
    present(document, planned(document, "r1", "When?"), Mode.DRY_RUN, command="dlm synth")
    printed = capsys.readouterr().out
    assert "+### Q\n+When?\n+\n+### A\n+At dusk.\n+::\n" in printed
    assert printed.endswith("1 addition; nothing was changed (--dry-run)\n")
    assert "+When?" in printed
    assert file.read_text("utf-8") == TEXT
    assert not (Path(os.environ["DLM_HOME"]) / "store").exists()


def test_apply_at_once(file: Path, dlm: Shell) -> None:
    document = parse_file(file)
    present(document, planned(document, "r1", "When?"), Mode.APPLY, command="dlm synth")
    assert "When?" in file.read_text("utf-8")
    assert dlm.json("list")["staged"] == []


def test_single_changes_are_applied_by_id_and_the_others_stay_staged(
    file: Path, dlm: Shell
) -> None:
    plan = staged(file, "r1", "One?", "Two?", "Three?")
    ids = [each.id for each in plan.additions]
    dlm("apply", "--only", ids[2], "--only", ids[0])
    assert [item["id"] for item in dlm.json("list")["staged"][0]["additions"]] == [ids[1]]
    dlm("apply", str(file), "--only", ids[1])
    asked = [pair.question for _, pair in parse_file(file).pairs()]
    assert asked == ["One?", "Three?", "Two?", "Who lights it?"]
    with pytest.raises(UsageError, match="nothing that is staged is called nothere"):
        dlm("apply", "--only", "nothere")


def test_place_end_puts_additions_behind_everything(file: Path, dlm: Shell) -> None:
    staged(file)
    dlm("apply", "--place", "end")
    text = file.read_text("utf-8")
    assert text.startswith(TEXT + "\n::instruction::\n<!-- dlm-auto-synth: ")
    assert text.endswith("What is lit?\n\n### A\nAt dusk.\n::\n")
    with pytest.raises(UsageError, match="--place cannot be 'middle'"):
        dlm("apply", "--place", "middle")


def test_a_plan_is_rebased_on_what_its_owner_wrote_meanwhile(file: Path, dlm: Shell) -> None:
    staged(file, "r1", "When?")
    file.write_text(TEXT.replace("The tide", "New words.\n\nThe tide"), "utf-8")
    dlm("apply")
    assert "At dusk." in file.read_text("utf-8")
    dlm("revert", "--run", "r1")
    assert file.read_text("utf-8") == TEXT.replace("The tide", "New words.\n\nThe tide")


def test_a_change_whose_source_is_gone_is_refused_by_name(file: Path, dlm: Shell) -> None:
    document = parse_file(file)
    gone, stays = planned(document, "r1", "Gone?"), planned(document, "r1", "Stays?", after=2)
    both = EditPlan(
        "r1",
        Origin.SYNTHESIZED,
        "self",
        now(),
        document.sha256,
        gone.additions + stays.additions,
    )
    present(document, both, Mode.STAGE, command="dlm synth")
    file.write_text(TEXT.replace("at dusk", "at eight"), "utf-8")
    dlm("apply")
    assert f"not applied: {gone.additions[0].id} (Gone?): the section it was" in dlm.notes
    assert "Stays?" in file.read_text("utf-8")
    assert "Gone?" not in file.read_text("utf-8")
    assert [item["id"] for item in dlm.json("list")["staged"][0]["additions"]] == [
        gone.additions[0].id
    ]
    assert "does not fit" in dlm("list")
    before = file.read_bytes()
    with pytest.raises(EditConflict, match="nothing fits"):
        dlm("apply")
    assert file.read_bytes() == before


def test_applying_again_finds_what_stands_there_already(file: Path, dlm: Shell) -> None:
    plan = staged(file)
    dlm("apply")
    present(parse_file(file), plan, Mode.STAGE, command="dlm synth")  # as after a crash
    before = file.read_bytes()
    assert "2 additions stood there already" in dlm("apply")
    assert file.read_bytes() == before
    assert dlm.json("list")["staged"] == []


def test_reverting_one_of_two_runs_leaves_the_other(file: Path, dlm: Shell) -> None:
    staged(file, "second", "Two?", after=2)
    dlm("apply")
    alone = file.read_bytes()
    dlm("revert")
    staged(file, "first", "One?")
    dlm("apply")
    staged(file, "second", "Two?", after=3)
    dlm("apply", "--run", "second")
    dlm("revert", "--run", "first")
    assert _without_times(file.read_bytes()) == _without_times(alone)
    with pytest.raises(EditConflict, match="was written by run first"):
        dlm("revert", "--run", "first")


def test_what_the_owner_edited_is_kept_by_name_unless_forced(file: Path, dlm: Shell) -> None:
    staged(file, "r1", "One?", "Two?")
    dlm("apply")
    text = file.read_text("utf-8").replace(
        "One?\n\n### A\nAt dusk.", "One?\n\n### A\nAt nightfall."
    )
    file.write_text(text, "utf-8")
    assert "2 sections, 1 edited since" in dlm("list")
    dlm("revert")
    assert "(One?): line 9: it was edited since the machine wrote it" in dlm.notes
    assert "Two?" not in file.read_text("utf-8")
    with pytest.raises(EditConflict, match="every section was kept"):
        dlm("revert")
    dlm("revert", "--force")
    assert file.read_text("utf-8") == TEXT


def test_a_section_without_its_marker_belongs_to_the_owner(file: Path, dlm: Shell) -> None:
    staged(file, "r1", "Mine now?")
    dlm("apply")
    lines = file.read_text("utf-8").split("\n")
    file.write_text("\n".join(line for line in lines if "dlm-auto" not in line), "utf-8")
    assert "nothing to take back" in dlm("revert")
    assert "Mine now?" in file.read_text("utf-8")


def test_discard_forgets_one_run_or_all(file: Path, dlm: Shell) -> None:
    staged(file, "r1")
    staged(file, "r2", "Other?")
    assert dlm("discard", "r1") == "discarded r1\n"
    assert [item["run"] for item in dlm.json("list")["staged"]] == ["r2"]
    with pytest.raises(StoreError, match="no staged run is called r1"):
        dlm("discard", "lamp.dlm", "r1")
    assert dlm.json("discard") == {"discarded": ["r2"]}
    assert "nothing is staged" in dlm("discard")


def test_other_origins_are_left_alone(file: Path, dlm: Shell) -> None:
    staged(file)
    dlm("apply")
    mined = edits_app(["mined"], "preference")
    mined(["revert"], standalone_mode=False)
    mined(["discard"], standalone_mode=False)
    assert "When is it lit?" in file.read_text("utf-8")


def test_sections_can_be_removed_by_a_plan(file: Path, dlm: Shell) -> None:
    document = parse_file(file)
    removal = Removal(document.sections[1].section_id, summary="Who lights it?")
    plan = EditPlan("r1", Origin.SYNTHESIZED, "self", now(), document.sha256, removals=(removal,))
    present(document, plan, Mode.STAGE, command="dlm synth")
    assert "-Who lights it?\n" in dlm("apply", "--dry-run")
    dlm("apply")
    assert file.read_text("utf-8") == TEXT.replace(
        "::instruction::\n### Q\nWho lights it?\n### A\nWhoever is on duty.\n::\n\n", ""
    )


def test_json_tells_scores_and_what_was_done(file: Path, dlm: Shell) -> None:
    staged(file, "r1", "When?")
    done = dlm.json("apply")["applied"][0]
    assert (len(done["added"]), done["refused"]) == (1, [])
    listed = dlm.json("list")["applied"][0]
    assert listed["sections"][0]["scores"] == {"grounding": 0.9}
    assert listed["sections"][0]["edited"] is False
    assert [each["action"] for each in listed["edits"]] == ["apply"]
    assert listed["edits"][0]["after_sha256"] == parse_file(file).sha256
    assert dlm.json("revert")["changed"] is True


def test_permissions_and_a_symbolic_link_stay(file: Path, dlm: Shell) -> None:
    target = file.rename(file.with_name("real.txt"))
    file.symlink_to(target)
    target.chmod(0o640)
    staged(file)
    dlm("apply", "lamp.dlm")
    assert file.is_symlink()
    assert "When is it lit?" in target.read_text("utf-8")
    assert stat.S_IMODE(target.stat().st_mode) == 0o640


def test_a_file_that_is_read_only_or_gone_is_left_so(file: Path, dlm: Shell) -> None:
    staged(file)
    file.chmod(0o444)
    with pytest.raises(DlmError, match="read-only; nothing was written"):
        dlm("apply")
    assert file.read_text("utf-8") == TEXT
    file.unlink()
    with pytest.raises(DlmError, match="there is no file"):
        dlm("apply", "lamp.dlm")
    assert list(file.parent.iterdir()) == []


def test_a_document_that_no_longer_parses_is_left_alone(file: Path, dlm: Shell) -> None:
    staged(file)
    file.write_text(TEXT + "\n::instrution::\n", "utf-8")
    with pytest.raises(DlmError, match=r"lamp\.dlm:18:1"):
        dlm("apply")
    assert file.read_text("utf-8") == TEXT + "\n::instrution::\n"


def test_an_unclosed_code_block_refuses_what_it_would_hide(file: Path, dlm: Shell) -> None:
    staged(file, "r1", "When?", after=None)
    file.write_text(TEXT + "\n```\nnot closed\n", "utf-8")
    with pytest.raises(EditConflict, match="nothing fits"):
        dlm("apply")
    assert file.read_text("utf-8") == TEXT + "\n```\nnot closed\n"


def test_a_review_needs_a_terminal_and_one_mode(file: Path, dlm: Shell) -> None:
    with pytest.raises(UsageError, match="not a terminal"):
        dlm("apply", "--review")
    with pytest.raises(UsageError, match="not a terminal"):
        mode_of(dry_run=False, apply=False, review=True)
    with pytest.raises(UsageError, match="--dry-run and --apply"):
        mode_of(dry_run=True, apply=True, review=False)
    assert mode_of(dry_run=False, apply=False, review=False) is Mode.STAGE


def _without_times(data: bytes) -> bytes:
    return re.sub(rb'synth_at="[^"]*"', b"", data)
