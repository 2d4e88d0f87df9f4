"""A model that stays in memory between trainings is the one that lies on the disk."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from dlm.doc.parser import parse_file
from dlm.engine.model import Model
from dlm.store.store import Store
from dlm.train.options import Progress, TrainOptions
from dlm.train.report import TrainingReport
from dlm.train.run import ResidentTrainer

DLM_ID = "01J9ZQ6W3N8R2T4V6X8Y0A1B2C"
HEAD = f"---\ndlm_id: {DLM_ID}\ndlm_version: 15\nbase_model: pocket\n---\n"
QUICK = TrainOptions(quick=True, max_steps=12)


def text(colour: str) -> str:
    pairs = {
        "What colour is the shed?": f"The shed is {colour}.",
        "Who keeps the key of the boathouse?": "Ines keeps the key.",
    }
    return HEAD + "".join(
        f"\n::instruction::\n### Q !probe\n{q}\n\n### A\n{a}\n::\n" for q, a in pairs.items()
    )


@pytest.fixture(scope="module")
def resident() -> Iterator[ResidentTrainer]:
    with ResidentTrainer() as trainer:
        yield trainer


def cycle(resident: ResidentTrainer, path: Path, colour: str, options: TrainOptions) -> object:
    path.write_text(text(colour))
    return resident.train(parse_file(path), options, Progress())


@pytest.mark.slow
def test_cycles_reuse_the_model_and_it_equals_what_was_committed(
    resident: ResidentTrainer, tmp_path: Path
) -> None:
    path = tmp_path / "shed.dlm"
    first = cycle(resident, path, "teal", replace(QUICK, max_steps=3))
    assert isinstance(first, TrainingReport)
    assert resident.workshop.loads == 1
    for colour in ("amber", "violet"):
        report = cycle(resident, path, colour, QUICK)
        assert isinstance(report, TrainingReport)
        assert report.outcome.card.asked_pairs <= 2
        assert report.outcome.drift is None, "a quick measurement leaves drift out, and says none"
    assert resident.workshop.loads == 1
    assert resident.workshop.holds(report.version)
    assert _logits_differ(resident, report) == 0.0
    assert len(report.outcome.card.items) == 2

    # Another process goes back: what is in memory is no longer what to go on from.
    with Store.open(DLM_ID) as store:
        store.set_current(first.version)
    report = cycle(resident, path, "ochre", QUICK)
    assert isinstance(report, TrainingReport)
    assert report.previous == first.version
    assert resident.workshop.loads == 2
    assert _logits_differ(resident, report) == 0.0


def _logits_differ(resident: ResidentTrainer, report: TrainingReport) -> float:
    import torch

    bench = resident.workshop._bench
    assert bench is not None
    tools = resident.workshop.base_cache._tools
    assert tools is not None
    reloaded = Model.load(tools.folder, bench.model.plan, adapter=report.version.path)
    ids = torch.tensor([tools.codec.pair("What colour is the shed?", "The shed is teal.").ids])
    with torch.no_grad():
        return float((bench.model.network(ids).logits - reloaded.network(ids).logits).abs().max())


def test_a_fitting_pair_and_one_that_is_too_long(resident: ResidentTrainer, tmp_path: Path) -> None:
    path = tmp_path / "shed.dlm"
    path.write_text(text("teal"))
    fits = resident.fits(parse_file(path))
    assert fits("Who?", "They.") is None
    assert "tokens" in (fits("Who?", "They do. " * 5000) or "")
