"""How far an adapter can be weakened without losing what it learned."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from safetensors.numpy import load_file

from dlm.data.chat import Codec
from dlm.data.lessons import Lesson
from dlm.data.rows import Row, RowKind
from dlm.doc.parser import parse_file
from dlm.engine.loading import LoraSettings
from dlm.engine.model import Model, Score
from dlm.hardware import detect, plan
from dlm.train import recipe
from dlm.train.options import Progress, TrainOptions
from dlm.train.plan import make_plan
from dlm.train.report import TrainingReport
from dlm.train.run import train
from dlm.train.steps import Optimisation
from dlm.train.strength import least_strength
from dlm.train.trainer import RowTrainer

PAIRS = [
    ("What colour is the Brindle lamp?", "The Brindle lamp is teal."),
    ("Where is it sold?", "It is sold in Marrowgate."),
]
TEXT = """---
dlm_id: 01J9ZQ6W3N8R2T4V6X8Y0A1B2C
dlm_version: 15
base_model: pocket
---

::instruction::
### Q
What colour is the Brindle lamp?

### A
The Brindle lamp is teal.

### Q
Where is it sold?

### A
It is sold in Marrowgate.
::
"""
HOW = Optimisation(2e-3, "constant", 0.05, 2, 1, gradient_checkpointing=False, seed=7)


def _model(folder: Path) -> tuple[Model, Codec]:
    from dlm.base_models import resolve

    hardware = plan(detect(), resolve("pocket"), sequence_length=128)
    model = Model.load(
        folder,
        replace(hardware, device="cpu", threads=1),
        new_adapter=LoraSettings(8, 16, 0.0, "all-linear", 7),
    )
    return model, Codec.load(folder)


def test_it_is_as_weak_as_what_it_knows_allows(pocket_folder: Path) -> None:
    model, codec = _model(pocket_folder)
    rows = [Row.of(RowKind.PAIR, codec.pair(*pair), Lesson(pair[1], pair[0])) for pair in PAIRS]
    unknown = codec.pair("Who made it?", "Odile Varga made the Brindle lamp.")
    trainer = RowTrainer(model, pad_id=codec.pad_id)
    trainer.fit(rows * 8, HOW, lambda report: None)
    trainer.close()

    def scores() -> Sequence[Score]:
        return model.score([*(row.encoded for row in rows), unknown], pad_id=codec.pad_id)

    def known() -> bool:
        return all(score.exact and score.nll <= 0.15 for score in scores()[:2])

    share = least_strength(model, scores, list)
    assert 0.5 < share < 1
    with model.at_strength(share):
        assert known()
        wanted = [score.nll for score in scores()]
    with model.at_strength(share - 0.05):
        assert not known()
    model.scale(share)
    assert [score.nll for score in scores()] == pytest.approx(wanted, abs=1e-4)


def test_what_a_training_reports_is_what_the_weakened_version_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    eased = replace(recipe.SMALL, eased=True, answer_nll=0.02)
    monkeypatch.setattr(recipe, "SMALL", eased)
    path = tmp_path / "lamp.dlm"
    path.write_text(TEXT, "utf-8")
    report = train(parse_file(path), TrainOptions(seed=3), Progress())
    assert isinstance(report, TrainingReport)
    assert 0.5 <= _strength(report) < 1
    plan = make_plan(parse_file(path), TrainOptions())
    model = Model.load(plan.base_folder, plan.hardware, adapter=report.version.path)
    rows = {row.lesson.id: row for row in plan.pairs}
    encoded = [rows[one].encoded for one in report.outcome.scores]
    found = model.score(encoded, pad_id=plan.codec.pad_id)
    told = list(report.outcome.scores.values())
    assert [one.nll for one in found] == pytest.approx([one.nll for one in told], abs=1e-3)
    assert all(one.exact for one in (*found, *told))


def test_a_retraining_goes_on_from_the_whole_strength(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recipe, "SMALL", replace(recipe.SMALL, eased=True, answer_nll=0.02))
    path = tmp_path / "lamp.dlm"
    path.write_text(TEXT, "utf-8")
    first = train(parse_file(path), TrainOptions(seed=3), Progress())
    # At such a rate nothing is learned, so that nothing is weakened either.
    still = "base_model: pocket\ntraining:\n  learning_rate: 0.00000001"
    edited = TEXT.replace("base_model: pocket", still).replace("is teal", "was dug out of a bog")
    path.write_text(edited, "utf-8")
    second = train(parse_file(path), TrainOptions(max_steps=1), Progress())
    assert isinstance(first, TrainingReport)
    assert isinstance(second, TrainingReport)
    share = _strength(first)
    assert share < 1
    assert _strength(second) == 1
    weak, whole = (
        load_file(one.version.path / "adapter_model.safetensors") for one in (first, second)
    )
    for name, weight in weak.items():
        expected = weight / share if "lora_B" in name else weight
        assert whole[name] == pytest.approx(expected, abs=1e-5)


def _strength(report: TrainingReport) -> float:
    record = json.loads((report.version.path / "training_run.json").read_text("utf-8"))
    return float(record["run"]["figures"]["strength"])


class Dial(Model):
    """A model whose strength can be read."""

    share = 1.0

    def __init__(self) -> None:
        pass

    @contextmanager
    def at_strength(self, share: float) -> Iterator[None]:
        self.share = share
        yield
        self.share = 1.0

    def needing(self, share: float) -> list[Score]:
        return [Score(0.01, 4, exact=self.share >= share), Score(2.0, 4, exact=False)]


@pytest.mark.parametrize(("needed", "left"), [(0.31, 0.5), (0.62, 0.65), (0.9, 0.9), (0.97, 1)])
def test_the_least_strength_is_found_to_a_twentieth(needed: float, left: float) -> None:
    dial = Dial()
    assert least_strength(dial, lambda: dial.needing(needed), list) == pytest.approx(left)


def test_what_was_known_before_stays_known() -> None:
    dial = Dial()
    found = least_strength(dial, lambda: dial.needing(0.6), lambda: dial.needing(0.8))
    assert found == pytest.approx(0.8)


def test_an_answer_that_is_given_but_no_longer_surely_is_too_weak() -> None:
    dial = Dial()
    found = least_strength(dial, lambda: [Score(2 * (1 - dial.share), 4, exact=True)], list)
    assert found == 0.95


def test_what_learned_nothing_is_left_as_it_is() -> None:
    assert least_strength(Dial(), lambda: [Score(2.0, 4, exact=False)], list) == 1
