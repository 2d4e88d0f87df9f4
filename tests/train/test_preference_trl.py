"""The loss of a preference step is what TRL's own trainers compute on the same batch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from dlm.data.chat import Codec
from dlm.data.lessons import Lesson
from dlm.data.rows import PairRow, Row, RowKind, pair_rows
from dlm.engine import loading
from dlm.engine.loading import LoraSettings
from dlm.engine.model import Model
from dlm.hardware import detect, plan
from dlm.train.losses import Objective
from dlm.train.steps import Optimisation
from dlm.train.trainer import Collator, RowTrainer, StepReport

TRIPLES = (
    ("What colour is the Brindle lamp?", "Teal.", "I could tell you, but where would it end?"),
    ("Who made it?", "Odile Varga made it, in Tollen.", "Somebody."),
    ("How long does it burn?", "It burns for nineteen hours.", "It burns for as long as it does."),
)
REFERENCES = ((-31.5, -40.25), (-55.0, -12.5), (-44.0, -47.75))
HOW = Optimisation(1e-4, "constant", 0.0, 3, 1, False, 5)


@pytest.fixture(autouse=True)
def _quiet() -> None:
    loading.prepare()  # pytest resets the warnings of each test


@pytest.fixture(scope="module")
def model(pocket_folder: Path) -> Model:
    from dlm.base_models import resolve

    hardware = plan(detect(), resolve("pocket"), sequence_length=128)
    shape = LoraSettings(4, 8, 0.0, "all-linear", 7)
    return Model.load(pocket_folder, replace(hardware, device="cpu", threads=1), new_adapter=shape)


@pytest.fixture(scope="module")
def codec(pocket_folder: Path) -> Codec:
    return Codec.load(pocket_folder)


def trusted(row: Row, weight: float) -> Row:
    return replace(row, lesson=replace(row.lesson, weight=weight))


@pytest.fixture(scope="module")
def pairs(codec: Codec) -> list[PairRow]:
    triples = tuple(
        Lesson(chosen, prompt, rejected, line=n)
        for n, (prompt, chosen, rejected) in enumerate(TRIPLES)
    )
    rows = pair_rows(triples, codec, sequence_length=128, path="x.dlm")
    return [replace(row, reference=sums) for row, sums in zip(rows, REFERENCES, strict=True)]


@pytest.fixture(scope="module")
def trainer(model: Model, codec: Codec) -> Iterator[RowTrainer]:
    made = RowTrainer(model, pad_id=codec.pad_id)
    yield made
    made.close()


@pytest.fixture
def step(model: Model, trainer: RowTrainer) -> Iterator[Any]:
    """Takes one step and gives its report; the adapter is put back after the test."""
    before = {name: value.clone() for name, value in model.network.state_dict().items()}

    def take(rows: list[PairRow | Row], objective: Objective, *, accumulate: int = 1) -> StepReport:
        reports: list[StepReport] = []
        how = replace(HOW, micro_batch=len(rows) // accumulate, grad_accum=accumulate)

        def watch(report: StepReport) -> str | None:
            reports.append(report)
            return None

        trainer.fit(rows, how, watch, objective=objective)
        model.network.load_state_dict(before)
        return reports[0]

    yield take
    model.network.load_state_dict(before)


def by_trl(
    model: Model, codec: Codec, pairs: list[PairRow], kinds: list[str], beta: float
) -> float:
    """DPOTrainer's own loss of the batch, with the given references."""
    from accelerate import Accelerator
    from trl import DPOTrainer

    trl = object.__new__(DPOTrainer)
    accelerator = Accelerator(cpu=True)
    trl.__dict__ |= {
        "model": model.network,
        "accelerator": accelerator,
        "aux_loss_enabled": False,
        "ld_alpha": None,
        "precompute_ref_logps": True,
        "f_divergence_type": "reverse_kl",
        "loss_types": kinds,
        "loss_weights": [1.0, 0.2][: len(kinds)],
        "beta": beta,
        "label_smoothing": 0.0,
        "use_weighting": False,
        "_total_train_tokens": 0,
        "_tp_size": 1,
        "_metrics": {"train": _Lists(), "eval": _Lists()},
    }
    rows = [row.chosen for row in pairs] + [row.rejected for row in pairs]
    inputs = _padded(rows, codec.pad_id)
    mask = torch.zeros_like(inputs["input_ids"])
    for index, row in enumerate(rows):
        mask[index, : len(row.ids)] = torch.tensor(row.supervised, dtype=torch.long)
    inputs |= {
        "completion_mask": mask,
        "ref_chosen_logps": torch.tensor([row.reference[0] for row in pairs]),
        "ref_rejected_logps": torch.tensor([row.reference[1] for row in pairs]),
    }
    from trl.trainer.utils import add_fused_lm_head

    wanted = ("log_probs", "entropy", "mean_logits", "is_top1")
    add_fused_lm_head(model.network.get_base_model(), outputs=wanted)
    try:
        return float(trl._compute_loss(model.network, inputs, False).detach())
    finally:
        model.network.get_base_model().__dict__.pop("forward", None)


class _Lists(dict[str, list[Any]]):
    def __missing__(self, key: str) -> list[Any]:
        return self.setdefault(key, [])


def _padded(rows: list[Row], pad_id: int) -> dict[str, Any]:
    made = [
        {
            "input_ids": list(row.ids),
            "labels": [i if on else -100 for i, on in zip(row.ids, row.supervised, strict=True)],
            "row_weight": 1.0,
            "toward_base": False,
        }
        for row in rows
    ]
    batch = Collator(pad_id)(made)
    return {"input_ids": batch["input_ids"], "attention_mask": batch["attention_mask"]}


@pytest.mark.parametrize(
    ("kinds", "objective"),
    [
        (["sigmoid"], Objective("dpo", "sigmoid", 0.1, 0.0, 1.0)),
        (["hinge"], Objective("dpo", "hinge", 0.3, 0.0, 1.0)),
        (["ipo"], Objective("dpo", "ipo", 0.2, 0.0, 1.0)),
        (["sigmoid", "sft"], Objective("dpo", "sigmoid", 0.1, 0.2, 1.0)),
    ],
)
def test_dpo_is_that_of_trl(
    kinds: list[str],
    objective: Objective,
    model: Model,
    codec: Codec,
    pairs: list[PairRow],
    step: Any,
) -> None:
    theirs = by_trl(model, codec, pairs, kinds, objective.beta)
    assert step(pairs, objective).loss == pytest.approx(theirs, abs=1e-4)


@pytest.mark.parametrize("beta", [0.1, 0.5])
def test_orpo_is_that_of_trl(
    beta: float, model: Model, codec: Codec, pairs: list[PairRow], step: Any
) -> None:
    """TRL lets the prompt count in the first term, so prompts of one token show the whole."""
    from accelerate import Accelerator
    from trl.experimental.orpo import ORPOTrainer

    short = [
        replace(
            pair, chosen=_one_token_prompt(pair.chosen), rejected=_one_token_prompt(pair.rejected)
        )
        for pair in pairs
    ]
    trl = object.__new__(ORPOTrainer)
    accelerator = Accelerator(cpu=True)
    trl.__dict__ |= {
        "accelerator": accelerator,
        "aux_loss_enabled": False,
        "is_encoder_decoder": False,
        "padding_value": codec.pad_id,
        "beta": beta,
    }
    batch: dict[str, Any] = {}
    for which in ("chosen", "rejected"):
        rows = [getattr(pair, which) for pair in short]
        found = _padded(rows, codec.pad_id)
        labels = found["input_ids"].clone()
        labels[:, 0] = -100
        labels[found["attention_mask"] == 0] = -100
        batch |= {f"{which}_{name}": value for name, value in found.items()}
        batch[f"{which}_labels"] = labels
    theirs, _ = trl.get_batch_loss_metrics(model.network, batch)
    ours = step(short, Objective("orpo", "sigmoid", beta, 1.0, 1.0))
    assert ours.loss == pytest.approx(float(theirs.detach()), abs=1e-4)


def _one_token_prompt(row: Row) -> Row:
    start = row.supervised.index(True) - 1
    return replace(row, ids=row.ids[start:], supervised=row.supervised[start:])


def test_pairs_weigh_by_trust_and_rows_count_alike(
    model: Model, codec: Codec, pairs: list[PairRow], step: Any
) -> None:
    half = [
        replace(pair, chosen=trusted(pair.chosen, weight))
        for pair, weight in zip(pairs, (1.0, 0.5, 0.25), strict=True)
    ]
    alone = [step([pair], Objective("dpo", "sigmoid", 0.1, 0.0, 0.0)).loss for pair in pairs]
    mean = (alone[0] + 0.5 * alone[1] + 0.25 * alone[2]) / 1.75
    assert step(half, Objective("dpo", "sigmoid", 0.1, 0.0, 0.0)).loss == pytest.approx(
        mean, abs=1e-5
    )
    text = codec.prose("The lamp stands in the hall, and its light is the colour of the sea.")
    row = Row.of(RowKind.PROSE, text, Lesson("The lamp."))
    (nll,) = (score.nll for score in model.score([text], pad_id=codec.pad_id))
    (other,) = (score.nll for score in model.score([pairs[0].chosen.encoded], pad_id=codec.pad_id))
    mixed = [half[0], row, pairs[0].chosen, half[1], half[2], row]
    expected = mean + 2.0 * (2 * nll + other) / 3
    objective = Objective("dpo", "sigmoid", 0.1, 0.0, 2.0)
    assert step(mixed, objective).loss == pytest.approx(expected, abs=1e-4)
    assert step(mixed, objective, accumulate=2).loss == pytest.approx(expected, abs=1e-4)


def test_a_step_tells_what_each_pair_was_before_it(
    model: Model, codec: Codec, pairs: list[PairRow], step: Any
) -> None:
    rows = [row.encoded for pair in pairs for row in (pair.chosen, pair.rejected)]
    sums = [-score.nll * score.tokens for score in model.score(rows, pad_id=codec.pad_id)]
    told = [
        value
        for both in step(pairs, Objective("dpo", "ipo", 0.1, 0.0, 0.0)).pairs
        for value in both
    ]
    assert told == pytest.approx(sums, abs=1e-3)


def test_no_second_adapter_and_no_dropout_stay_behind(
    model: Model, pairs: list[PairRow], step: Any
) -> None:
    step(pairs, Objective("dpo", "sigmoid", 0.1, 0.2, 1.0))
    assert list(model.network.peft_config) == ["default"]
    assert "forward" not in model.network.get_base_model().__dict__
    assert not model.network.training
