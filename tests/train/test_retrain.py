"""Edits of a trained document: what is added, corrected, removed and forgotten."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import warm

from dlm.data.chat import Codec
from dlm.doc.parser import parse_file
from dlm.engine.model import Model
from dlm.hardware import Plan
from dlm.store.store import Store
from dlm.train.options import Progress, TrainOptions
from dlm.train.plan import make_plan
from dlm.train.report import TrainingReport
from dlm.train.run import train
from dlm.train.start import NothingToTrain

HEAD = "---\ndlm_id: 01J9ZQ6W3N8R2T4V6X8Y0A1B2D\ndlm_version: 15\nbase_model: pocket\n---\n"
PAIR = "\n::instruction::\n### Q\n{0}\n\n### A\n{1}\n::\n"
COLOUR = ("What colour is the light of the Brindle lamp?", "The light is teal.")
MAKER = ("Who made the Brindle lamp?", "Odile Varga made the Brindle lamp.")
HOURS = ("How long does the Brindle lamp burn?", "It burns for nineteen hours.")
TOWN = ("Which town is the lamp sold in?", "The lamp is sold in Marrowgate.")
REPAIR = ("Where is the Brindle lamp repaired?", "It is repaired in Tollen.")
AMBER = (COLOUR[0], "The light is amber.")

Question = tuple[str, str]


def write(path: Path, *pairs: Question, more: str = "") -> Path:
    head = HEAD.replace("---\n", f"---\n{more}", 1) if more else HEAD
    path.write_text(head + "".join(PAIR.format(*pair) for pair in pairs), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def lamp(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("retrain")
    return write(folder / "lamp.dlm", COLOUR, MAKER, HOURS, TOWN)


@pytest.fixture(scope="module", autouse=True)
def first(lamp: Path, tmp_path_factory: pytest.TempPathFactory) -> TrainingReport:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DLM_HOME", str(tmp_path_factory.mktemp("home")))
        report = train(parse_file(lamp), TrainOptions(), Progress())
    assert isinstance(report, TrainingReport)
    assert report.outcome.learned == 4
    return report


@pytest.fixture(autouse=True)
def _back_at_the_first(first: TrainingReport, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test starts at the first version, whatever others trained after it."""
    monkeypatch.setenv("DLM_HOME", str(first.version.path.parents[4]))
    with Store.open("01J9ZQ6W3N8R2T4V6X8Y0A1B2D") as store:
        store.set_current(first.version)


def retrain(path: Path, **options: Any) -> TrainingReport:
    report = train(parse_file(path), TrainOptions(**options), Progress())
    assert isinstance(report, TrainingReport)
    return report


def nll_under(report: TrainingReport, path: Path, pair: Question, *, base: bool = False) -> float:
    """Nats per token of the answer, under a version or the base."""
    plan = make_plan(parse_file(path), TrainOptions())
    hardware: Plan = plan.hardware
    model = Model.load(plan.base_folder, hardware, adapter=report.version.path)
    codec: Codec = plan.codec
    row = codec.pair(*pair)
    if base:
        with model.base_only():
            return model.score([row])[0].nll
    return model.score([row])[0].nll


def dlm(*arguments: str) -> subprocess.CompletedProcess[str]:
    return warm.run(*arguments)


def test_an_added_pair_is_learned_and_the_known_ones_stay(lamp: Path, tmp_path: Path) -> None:
    path = write(tmp_path / "lamp.dlm", COLOUR, MAKER, HOURS, TOWN, REPAIR)
    report = retrain(path)
    assert report.previous is not None
    assert (report.outcome.learned, report.outcome.pairs) == (5, 5)
    with Store.open("01J9ZQ6W3N8R2T4V6X8Y0A1B2D") as store:
        since = {one.lesson.question: one.since for one in store.memory(report.version)}
    assert since[REPAIR[0]] == report.version.name
    assert since[COLOUR[0]] == report.previous.name


def test_an_answer_corrected_in_place_is_given_in_its_new_form_only(
    first: TrainingReport, tmp_path: Path
) -> None:
    path = write(tmp_path / "lamp.dlm", AMBER, MAKER, HOURS, TOWN)
    report = retrain(path)
    assert (report.outcome.learned, report.outcome.pairs) == (4, 4)
    answer = dlm("prompt", str(path), COLOUR[0], "--closed").stdout
    assert "amber" in answer
    assert "teal" not in answer
    with Store.open("01J9ZQ6W3N8R2T4V6X8Y0A1B2D") as store:
        texts = [one.lesson.text for one in store.memory(report.version)]
    assert COLOUR[1] not in texts, "what was superseded is never replayed"


def test_between_saves_only_what_changed_is_trained(first: TrainingReport, tmp_path: Path) -> None:
    path = write(tmp_path / "lamp.dlm", COLOUR, MAKER, HOURS, TOWN, REPAIR)
    options = TrainOptions(quick=True, max_steps=1)
    report = train(parse_file(path), options, Progress())
    assert isinstance(report, TrainingReport)
    found = train(parse_file(path), options, Progress())
    assert isinstance(found, NothingToTrain)
    assert REPAIR[0] in [item.question for item in found.unlearned]


@pytest.mark.slow
def test_a_removed_pair_stays_known_by_default(first: TrainingReport, tmp_path: Path) -> None:
    path = write(tmp_path / "lamp.dlm", MAKER, HOURS, TOWN)
    found = train(parse_file(path), TrainOptions(), Progress())
    assert isinstance(found, NothingToTrain)
    assert [item.question for item in found.kept] == [COLOUR[0]]
    report = retrain(write(path, MAKER, HOURS, TOWN, REPAIR))
    assert nll_under(report, path, COLOUR) < 0.5
    with Store.open("01J9ZQ6W3N8R2T4V6X8Y0A1B2D") as store:
        removed = [one.lesson.question for one in store.memory(report.version) if one.removed]
    assert removed == [COLOUR[0]]


@pytest.mark.slow
def test_forgetting_brings_the_answer_back_to_what_the_base_said(
    first: TrainingReport, tmp_path: Path
) -> None:
    path = write(tmp_path / "lamp.dlm", MAKER, HOURS, TOWN)
    report = retrain(path, forget=True)
    base = nll_under(report, path, COLOUR, base=True)
    knew, now = nll_under(first, path, COLOUR), nll_under(report, path, COLOUR)
    assert knew < 0.5 < base
    assert now > knew + 0.8 * (base - knew)
    assert report.outcome.learned == report.outcome.pairs == 3, "the others are kept"
    assert "forgotten" in report.outcome.stop_reason
    with Store.open("01J9ZQ6W3N8R2T4V6X8Y0A1B2D") as store:
        assert COLOUR[0] not in {one.lesson.question for one in store.memory(report.version)}


def test_the_frontmatter_can_ask_for_forgetting(first: TrainingReport, tmp_path: Path) -> None:
    more = "training:\n  replay:\n    removed: forget\n"
    path = write(tmp_path / "lamp.dlm", MAKER, HOURS, TOWN, more=more)
    plan = json.loads(dlm("train", str(path), "--plan", "--json").stdout)
    assert (plan["forget"], plan["kept"], plan["new"]) == (1, 0, 0)
    assert {share["source"] for share in plan["shares"]} >= {"to forget", "authored, replayed"}


def test_the_plan_says_how_it_decided(first: TrainingReport, tmp_path: Path) -> None:
    path = write(tmp_path / "lamp.dlm", AMBER, HOURS, TOWN, REPAIR)
    shown = dlm("train", str(path), "--plan")
    assert shown.returncode == 0
    assert "2 new or changed, 2 known, 1 removed but kept" in shown.stdout
    assert "changed  What colour is the light of the Brindle lamp?" in shown.stdout
    assert "in the same place" in shown.stdout
    assert "kept     Who made the Brindle lamp?" in shown.stdout
    plan = json.loads(dlm("train", str(path), "--plan", "--json").stdout)
    assert plan["continues"] == first.version.name
    assert sum(share["share"] for share in plan["shares"]) == pytest.approx(1)


def test_an_adapter_keeps_its_shape_and_the_owner_is_told(
    first: TrainingReport, tmp_path: Path
) -> None:
    path = write(tmp_path / "lamp.dlm", COLOUR, REPAIR, more="training:\n  lora_r: 8\n")
    told = dlm("train", str(path), "--plan").stderr
    assert f"training.lora_r is 8 now, but {first.version.name} was made with 16" in told


@pytest.mark.slow
def test_replay_lists_counts_and_prunes(first: TrainingReport, tmp_path: Path) -> None:
    path = write(tmp_path / "lamp.dlm", MAKER, HOURS, TOWN, REPAIR)
    retrain(path, max_steps=2)
    listed = json.loads(dlm("replay", "list", str(path), "--json").stdout)["items"]
    assert [item["question"] for item in listed if item["removed"]] == [COLOUR[0]]
    assert (
        "1 (no longer in the document, still replayed)" in dlm("replay", "stats", str(path)).stdout
    )
    assert "would no longer be replayed" in dlm("replay", "prune", str(path), "--dry-run").stdout
    refused = dlm("replay", "prune", str(path), "--item", listed[0]["item_id"])
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "still stands in the document" in refused.stderr
    assert "1 removed item no longer replayed" in dlm("replay", "prune", str(path)).stdout
    assert "nothing to prune" in dlm("replay", "prune", str(path)).stdout
    assert len(json.loads(dlm("replay", "list", str(path), "--json").stdout)["items"]) == 4


@pytest.mark.parametrize("command", ["list", "stats", "prune"])
def test_replay_of_an_untrained_document_is_one_sentence(command: str, tmp_path: Path) -> None:
    path = write(tmp_path / "new.dlm", COLOUR)
    path.write_text(path.read_text("utf-8").replace("A1B2D", "A1B2E"), encoding="utf-8")
    done = dlm("replay", command, str(path))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: ")
    assert "not trained yet" in done.stderr
