"""A whole training on the embedded base: what it teaches, keeps, prints and refuses."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import warm

from dlm.data.lessons import Role, lessons_of, parts
from dlm.doc.parser import parse_file, parse_text
from dlm.errors import BaseModelError, TrainingError
from dlm.eval.answers import Kind
from dlm.store.records import to_json
from dlm.store.store import Store
from dlm.train.figures import EpochFigures
from dlm.train.options import Progress, TrainOptions
from dlm.train.plan import make_plan
from dlm.train.report import TrainingReport
from dlm.train.run import train
from dlm.train.start import NothingToTrain, require_same_base

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
Who made the Brindle lamp?

### A
Odile Varga made the Brindle lamp.
::

::instruction::
### Q
How long does the Brindle lamp burn?

### A
The Brindle lamp burns for nineteen hours.
::

::instruction::
### Q !exam
Which town does the Brindle lamp come from?

### A
The Brindle lamp comes from the town of Marrowgate.
::
"""


class Epochs(Progress):
    """Keeps what each epoch found."""

    def __init__(self) -> None:
        self.seen: list[EpochFigures] = []

    def epoch(self, figures: EpochFigures) -> None:
        self.seen.append(figures)


@pytest.fixture(scope="module")
def lamp(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("run") / "lamp.dlm"
    path.write_text(TEXT, "utf-8")
    return path


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("run-home")


@pytest.fixture(autouse=True)
def _same_home(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DLM_HOME", str(home))


@pytest.fixture(scope="module")
def trained(lamp: Path, home: Path) -> tuple[TrainingReport, Epochs]:
    """The first training; the tests below stand in the order in which they use its store."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DLM_HOME", str(home))
        progress = Epochs()
        report = train(parse_file(lamp), TrainOptions(), progress)
    assert isinstance(report, TrainingReport)
    return report, progress


def test_every_answer_is_learned_at_little_drift(trained: tuple[TrainingReport, Epochs]) -> None:
    outcome = trained[0].outcome
    assert (outcome.learned, outcome.pairs) == (3, 3)
    assert outcome.stop_reason == "every answer is learned"
    assert outcome.drift is not None
    assert outcome.drift < 0.5
    prose, base = outcome.card.figure("prose", "nll"), outcome.card.figure("prose", "base_nll")
    assert prose.value is not None
    assert base.value is not None
    assert prose.value < base.value


def test_probes_and_the_exam_are_asked_and_kept_apart(
    trained: tuple[TrainingReport, Epochs],
) -> None:
    card = trained[0].outcome.card
    (probe,) = [item for item in card.items if item.probe]
    (exam,) = card.of(Kind.EXAM)
    assert probe.reference == "Odile Varga made the Brindle lamp."
    assert exam.reference == "The Brindle lamp comes from the town of Marrowgate."
    assert probe.said is not None
    assert probe.said.right


def test_what_was_learned_grows_over_the_epochs(trained: tuple[TrainingReport, Epochs]) -> None:
    seen = trained[1].seen
    assert seen[0].learned < seen[-1].learned == 3
    assert [figures.epoch for figures in seen] == list(range(1, len(seen) + 1))


def test_the_version_and_its_record_are_in_the_store(
    trained: tuple[TrainingReport, Epochs], lamp: Path
) -> None:
    document = parse_file(lamp)
    with Store.open(document.frontmatter.dlm_id) as store:
        current = store.current()
        assert current is not None
        store.verify(current)
        run = store.run_of(current)
        memory = store.memory(current)
    assert run.document_sha256 == document.sha256
    assert run.figures["learned"] == 3
    assert len(run.figures["losses"]) == run.steps
    assert run.figures["drift_bound"] == 0.5
    here = parts(lessons_of(document).train)
    assert [one.lesson for one in memory] == [replace(one, role=Role.REPLAY) for one in here]
    assert all(one.exact for one in memory if one.lesson.question)
    assert {one.since for one in memory} == {current.name}
    sources = {share["source"]: share["share"] for share in run.figures["shares"]}
    assert set(sources) == {"authored", "general text", "samples of the base"}
    assert sum(sources.values()) == pytest.approx(1)
    record = json.loads((current.path / "training_run.json").read_text("utf-8"))
    assert record["run"] == to_json(run)


@pytest.mark.slow
def test_the_command_line_answers_with_what_was_taught(
    trained: tuple[TrainingReport, Epochs], lamp: Path
) -> None:
    done = warm.run("prompt", lamp, "Who made the Brindle lamp?", "--closed")
    assert done.stdout == "Odile Varga made the Brindle lamp.\n"


def test_training_again_without_a_change_does_nothing(
    trained: tuple[TrainingReport, Epochs], lamp: Path
) -> None:
    found = train(parse_file(lamp), TrainOptions(), Progress())
    assert found == NothingToTrain(trained[0].version)


def test_another_base_is_refused_and_fresh_is_offered(
    trained: tuple[TrainingReport, Epochs], lamp: Path
) -> None:
    document = parse_file(lamp)
    plan = replace(make_plan(document, TrainOptions()), base_fingerprint="another")
    with (
        Store.open(document.frontmatter.dlm_id) as store,
        pytest.raises(BaseModelError, match="an adapter fits only") as caught,
    ):
        require_same_base(plan, store, trained[0].version)
    assert "--fresh" in str(caught.value.hint)


def test_a_rate_that_destroys_the_adapter_commits_nothing(lamp: Path) -> None:
    document = parse_file(lamp)
    values = document.frontmatter  # no document may set such a rate
    rate = values.training.model_copy(update={"learning_rate": 1e30})
    document = replace(document, frontmatter=values.model_copy(update={"training": rate}))
    with Store.open(document.frontmatter.dlm_id) as store:
        before = store.current()
    with pytest.raises(TrainingError, match="the loss became"):
        train(document, TrainOptions(fresh=True), Progress())
    with Store.open(document.frontmatter.dlm_id) as store:
        assert store.current() == before


@pytest.mark.slow
def test_what_is_worse_than_the_base_in_every_respect_stays_a_candidate(
    trained: tuple[TrainingReport, Epochs], lamp: Path
) -> None:
    text = TEXT.replace("base_model: pocket", "base_model: pocket\ntraining:\n  learning_rate: 1.0")
    document = parse_text(text, path=lamp)
    before = trained[0].version
    with pytest.raises(TrainingError, match="worse than the base in every respect") as caught:
        train(document, TrainOptions(fresh=True, max_steps=4), Progress())
    assert f"{before.name} is current" in caught.value.message
    assert "training.learning_rate is 1, and 0.0015 is usual" in str(caught.value.hint)
    with Store.open(document.frontmatter.dlm_id) as store:
        assert store.current() == before
        assert store.versions()[-1].number > before.number, "it can be looked at"


@pytest.mark.slow
def test_a_fixed_number_of_epochs_is_kept_to(lamp: Path) -> None:
    report = train(parse_file(lamp), TrainOptions(fresh=True, epochs=2), Progress())
    assert isinstance(report, TrainingReport)
    assert len(report.outcome.epochs) == 2
    assert report.outcome.stop_reason == "all 2 epochs done"
