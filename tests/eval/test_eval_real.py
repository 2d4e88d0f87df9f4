"""The scorecard of a real training on the embedded base: measured, kept, compared, shown."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import dlm.cli.eval as eval_command
from dlm.cli.train_report import print_report
from dlm.doc.parser import parse_file
from dlm.errors import BaseModelError, CorruptStore, StoreError
from dlm.eval.answers import Kind
from dlm.eval.comparison import kept, with_current
from dlm.eval.scorecard import Scorecard
from dlm.store.store import Store
from dlm.train.options import Progress, TrainOptions
from dlm.train.report import TrainingReport
from dlm.train.run import train

TEXT = """---
dlm_id: 01J9ZQ6W3N8R2T4V6X8Y0A1B2C
dlm_version: 15
base_model: pocket
---

# The Brindle lamp

The Brindle lamp was made by Odile Varga in the town of Marrowgate. It burns for nineteen hours on
one cell and gives a teal light.

::instruction::
### Q
What colour is the light of the Brindle lamp?

### A
The light of the Brindle lamp is teal.
::

::instruction::
### Q !probe
Who made the Brindle lamp in the old town?

### A
Odile Varga made the Brindle lamp.
::

::instruction::
### Q
How long does the Brindle lamp burn on one cell?

### A
The Brindle lamp burns for nineteen hours.
::
"""
PAIR = "\n::instruction::\n### Q\nWhere is it mended?\n\n### A\nIt is mended in Tollen.\n::\n"


@pytest.fixture(scope="module")
def lamp(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("eval") / "lamp.dlm"
    path.write_text(TEXT, "utf-8")
    return path


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("eval-home")


@pytest.fixture(autouse=True)
def _same_home(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DLM_HOME", str(home))


@pytest.fixture(scope="module")
def report(lamp: Path, home: Path) -> TrainingReport:
    """The first training; the tests below stand in the order in which they use its store."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DLM_HOME", str(home))
        found = train(parse_file(lamp), TrainOptions(), Progress())
    assert isinstance(found, TrainingReport)
    return found


@pytest.fixture(scope="module")
def card(report: TrainingReport) -> Scorecard:
    return report.outcome.card


def test_a_trained_document_is_recalled_with_every_figure_counted(card: Scorecard) -> None:
    recall = card.figure("recall", "right")
    assert (recall.value, recall.n, recall.low) == (1.0, 3, None)
    assert card.figure("probes", "right").n == 1
    texts = card.figure("drift", "texts")
    assert texts.n == 60
    assert texts.low is not None
    assert texts.value is not None
    assert texts.high is not None
    assert texts.low < texts.value < texts.high
    assert card.figure("drift", "questions").n == 100
    assert card.figure("coherence", "coherence").n == 3 + 3 + 30
    overall = card.figure("overall", "overall").value
    assert overall is not None
    assert 0 < overall <= 1


def test_adapter_and_base_are_measured_apart(card: Scorecard) -> None:
    for item in card.of(Kind.TRAINED, Kind.PROSE):
        assert item.fit.nll < item.fit.base_nll
    for item in card.of(Kind.TRAINED):
        assert item.fit.exact
        assert item.said is not None
        assert item.said.exact
        # The answer is the reference, so the base likes it as little as that.
        assert item.said.base_nll == pytest.approx(item.fit.base_nll, abs=1e-3)


def test_the_scorecard_is_kept_as_it_was_measured(report: TrainingReport) -> None:
    with Store.open("01J9ZQ6W3N8R2T4V6X8Y0A1B2C") as store:
        assert kept(store, report.version) == report.outcome.card


def test_the_record_beside_the_adapter_holds_none_of_the_text(report: TrainingReport) -> None:
    record = (report.version.path / "training_run.json").read_text("utf-8")
    assert "Brindle" not in record
    assert '"scorecard"' in record


def test_the_learned_map_of_a_kept_scorecard_loads_no_torch(
    report: TrainingReport, lamp: Path
) -> None:
    program = (
        "import sys, atexit; from dlm.cli.app import main; "
        f"sys.argv = ['dlm', 'show', {str(lamp)!r}, '--learned', '--json']; "
        "atexit.register(lambda: print('torch' in sys.modules, file=sys.stderr)); main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stderr.strip() == "False"
    sections = json.loads(done.stdout)["sections"]
    assert [one["type"] for one in sections] == ["prose", *["instruction"] * 3]
    assert {one["state"] for one in sections[1:]} <= {"learned", "partly"}
    assert all(one["right"] == one["pairs"] == 1 for one in sections[1:])


def test_eval_measures_the_same_again(
    report: TrainingReport, card: Scorecard, lamp: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    eval_command.run(str(lamp), version=None, by_section=False, as_json=True)
    found = json.loads(capsys.readouterr().out)
    again = Scorecard.from_json(found)
    assert (found["version"], found["document_changed"]) == ("v0001", False)
    for group, named in card.figures.items():
        for name, figure in named.items():
            value = again.figure(group, name).value
            assert value == pytest.approx(figure.value, abs=1e-4), (group, name)


def test_an_edited_document_is_measured_as_it_stands(
    report: TrainingReport, lamp: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    edited = lamp.with_name("edited.dlm")
    edited.write_text(TEXT + PAIR, "utf-8")
    eval_command.run(str(edited), version="v0001", by_section=True, as_json=False)
    printed = capsys.readouterr().out
    assert "which changed since it was trained" in printed
    assert "learned    3 of 4 answers word for word" in printed
    assert "not learned yet, line 37: Where is it mended?" in printed
    assert "not learned" in printed.splitlines()[-2]
    eval_command.show_learned(parse_file(edited), as_json=True)
    states = [one["state"] for one in json.loads(capsys.readouterr().out)["sections"]]
    assert states[-1] == "not learned"


def test_what_a_training_lost_is_named_and_rollback_is_offered(
    report: TrainingReport, lamp: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    document = parse_file(lamp)
    worse = train(document, TrainOptions(fresh=True, max_steps=1), Progress())
    assert isinstance(worse, TrainingReport)
    assert worse.compared is not None
    assert worse.compared.before == "v0001"
    assert len(worse.compared.lost) == 3
    print_report(document, worse)
    printed = capsys.readouterr().out
    assert "since v0001" in printed
    assert "lost 3" in printed
    line = next(pair.line for _, pair in document.pairs())
    assert f"lost, line {line}: What colour is the light of the Brindle lamp?" in printed
    assert "expected The light of the Brindle lamp is teal." in printed
    assert f"dlm rollback {lamp} v0001" in printed
    assert worse.to_json()["compared"]["lost"][0]["line"] == line


def test_a_version_that_is_not_there_or_not_whole_is_a_sentence(
    report: TrainingReport, lamp: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(StoreError, match="there is no version v0099"):
        eval_command.run(str(lamp), version="v0099", by_section=False, as_json=False)
    copy = home.with_name("damaged-home")
    shutil.copytree(home, copy)
    monkeypatch.setenv("DLM_HOME", str(copy))
    for weights in copy.rglob("v0001/adapter_model.safetensors"):
        data = bytearray(weights.read_bytes())
        data[-5] ^= 1
        weights.write_bytes(data)
    with pytest.raises(CorruptStore, match="v0001 is damaged"):
        eval_command.run(str(lamp), version="v0001", by_section=False, as_json=False)


def test_an_untrained_document_is_a_sentence(lamp: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.dlm"
    other.write_text(TEXT.replace("1B2C", "1B2D"), "utf-8")
    for call in (
        lambda: eval_command.run(str(other), version=None, by_section=False, as_json=False),
        lambda: eval_command.show_learned(parse_file(other), as_json=False),
    ):
        with pytest.raises(StoreError, match="is not trained yet"):
            call()


def test_another_base_is_refused(report: TrainingReport, lamp: Path) -> None:
    document = parse_file(lamp)
    with Store.open(document.frontmatter.dlm_id) as store:
        run = store.run_of("v0001")
        store.database.execute(
            "UPDATE runs SET base_fingerprint = 'other' WHERE run_id = ?", run.run_id
        )
        with pytest.raises(BaseModelError, match="is another model"):
            eval_command.measure_now(store, store.version("v0001"), document)
        store.database.execute(
            "UPDATE runs SET base_fingerprint = ? WHERE run_id = ?",
            run.base_fingerprint,
            run.run_id,
        )


def test_a_damaged_scorecard_counts_as_none(card: Scorecard, lamp: Path) -> None:
    with Store.open(parse_file(lamp).frontmatter.dlm_id) as store:
        current = store.current()
        assert current is not None
        assert with_current(store, card) is not None
        store.database.execute("UPDATE scorecard_items SET item = '{}'")
        assert kept(store, current) is None
        assert with_current(store, card) is None
