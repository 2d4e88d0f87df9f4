"""The TRL trainer on the embedded base: what it optimises, and that it leaves no trace."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from dlm.data.chat import Codec
from dlm.data.lessons import Lesson
from dlm.data.rows import Row, RowKind
from dlm.engine.loading import LoraSettings, save_adapter
from dlm.engine.model import Model
from dlm.hardware import Plan, detect, plan
from dlm.train.checkpoint import Snapshot, trained_weights
from dlm.train.losses import divergence
from dlm.train.steps import Optimisation
from dlm.train.trainer import RowTrainer, StepReport

SHAPE = LoraSettings(8, 16, 0.0, "all-linear", 7)
HOW = Optimisation(
    learning_rate=2e-3,
    schedule="constant",
    warmup_ratio=0.05,
    micro_batch=2,
    grad_accum=1,
    gradient_checkpointing=False,
    seed=7,
)
PAIRS = [
    ("What colour is the Brindle lamp?", "The Brindle lamp is teal."),
    ("Who made the Brindle lamp?", "Odile Varga made the Brindle lamp."),
    ("How long does it burn?", "It burns for nineteen hours."),
    ("Where is it sold?", "It is sold in Marrowgate."),
]


@pytest.fixture(scope="module")
def codec(pocket_folder: Path) -> Codec:
    return Codec.load(pocket_folder)


@pytest.fixture(scope="module")
def hardware() -> Plan:
    from dlm.base_models import resolve

    return replace(plan(detect(), resolve("pocket"), sequence_length=128), device="cpu", threads=1)


@pytest.fixture
def model(pocket_folder: Path, hardware: Plan) -> Model:
    return Model.load(pocket_folder, hardware, new_adapter=SHAPE)


@pytest.fixture(scope="module")
def rows(codec: Codec) -> list[Row]:
    made = []
    for question, answer in PAIRS:
        pair = codec.pair(question, answer)
        made.append(Row.of(RowKind.PAIR, pair, Lesson(answer, question)))
    return made


def trusted(row: Row, weight: float) -> Row:
    return replace(row, lesson=replace(row.lesson, weight=weight))


@pytest.fixture
def trainer(model: Model, codec: Codec) -> Iterator[RowTrainer]:
    made = RowTrainer(model, pad_id=codec.pad_id)
    yield made
    made.close()


class Losses(list[float]):
    """A watcher that keeps the losses, and stops after `limit` steps."""

    def __init__(self, limit: int | None = None) -> None:
        super().__init__()
        self.limit = limit

    def __call__(self, report: StepReport) -> str | None:
        self.append(report.loss)
        return "enough" if self.limit == report.step else None


def test_the_answers_are_learned_and_the_base_stays_as_it_was(
    model: Model, trainer: RowTrainer, rows: list[Row], codec: Codec
) -> None:
    encoded = [row.encoded for row in rows]
    before = model.score(encoded, pad_id=codec.pad_id)
    steps, reason = trainer.fit(rows * 20, HOW, Losses())
    after = model.score(encoded, pad_id=codec.pad_id)
    with model.base_only():
        base = model.score(encoded, pad_id=codec.pad_id)
    assert (steps, reason) == (40, None)
    assert all(score.exact for score in after)
    assert max(score.nll for score in after) < 0.2
    assert [score.nll for score in base] == pytest.approx([score.nll for score in before], abs=1e-5)


def test_the_rate_is_lowered_while_it_steps_and_stays_so_after_a_resume(
    model: Model, trainer: RowTrainer, rows: list[Row], pocket_folder: Path, hardware: Plan
) -> None:
    kept: list[Snapshot] = []
    rates: list[float] = []

    def watch(report: StepReport) -> str | None:
        rates.append(report.learning_rate)
        if report.step in (7, 9):
            trainer.at_rate(0.5 if report.step == 7 else 0.125)
        if report.step == 10:
            kept.append(trainer.snapshot())
        return None

    trainer.fit(rows * 6, HOW, watch)
    assert rates[5:] == pytest.approx([2e-3, 2e-3, 1e-3, 1e-3, 2.5e-4, 2.5e-4, 2.5e-4])
    other = Model.load(pocket_folder, hardware, new_adapter=SHAPE)
    again = RowTrainer(other, pad_id=0)
    later: list[float] = []
    again.fit(rows * 6, HOW, lambda report: later.append(report.learning_rate), start=kept[0])
    again.close()
    assert later == pytest.approx([2.5e-4] * 2)
    for name, weight in trained_weights(model.network).items():
        assert weight.equal(trained_weights(other.network)[name])
    trainer.fit(rows * 2, HOW, lambda report: rates.append(report.learning_rate))
    assert rates[-1] == pytest.approx(2e-3)


def test_the_loss_of_a_step_is_the_weighted_mean_over_its_micro_batches(
    model: Model, trainer: RowTrainer, rows: list[Row], codec: Codec
) -> None:
    weighted = [
        trusted(row, weight) for row, weight in zip(rows, (1.0, 0.5, 0.25, 2.0), strict=True)
    ]
    scores = model.score([row.encoded for row in rows], pad_id=codec.pad_id)
    total = sum(
        row.weight * score.nll * score.tokens for row, score in zip(weighted, scores, strict=True)
    )
    tokens = sum(row.weight * score.tokens for row, score in zip(weighted, scores, strict=True))
    losses = Losses()
    trainer.fit(weighted, replace(HOW, grad_accum=2), losses)
    assert losses == [pytest.approx(total / tokens, rel=1e-5)]


def test_a_row_without_weight_teaches_nothing(
    model: Model, trainer: RowTrainer, rows: list[Row], codec: Codec
) -> None:
    mute = trusted(rows[1], 0.0)
    trainer.fit([rows[0], mute] * 30, HOW, Losses())
    told, untold = model.score([rows[0].encoded, rows[1].encoded], pad_id=codec.pad_id)
    assert told.exact
    assert not untold.exact


def test_a_watcher_can_stop_at_a_step(trainer: RowTrainer, rows: list[Row]) -> None:
    assert trainer.fit(rows * 10, HOW, Losses(limit=3)) == (3, "enough")


def test_entering_again_leaves_no_wrapper_and_goes_on_learning(
    model: Model, trainer: RowTrainer, rows: list[Row]
) -> None:
    first, second = Losses(), Losses()
    trainer.fit(rows * 5, HOW, first)
    trainer.fit(rows * 5, HOW, second)
    assert second[-1] < first[-1] < first[0]
    assert "forward" not in model.network.get_base_model().__dict__
    assert model.network.config.use_cache
    assert not model.network.training


def test_the_resident_model_equals_the_adapter_it_saved(
    model: Model,
    trainer: RowTrainer,
    rows: list[Row],
    codec: Codec,
    hardware: Plan,
    pocket_folder: Path,
    tmp_path: Path,
) -> None:
    trainer.fit(rows * 5, HOW, Losses())
    save_adapter(model.network, tmp_path, base_id="pocket")
    again = Model.load(pocket_folder, hardware, adapter=tmp_path)
    encoded = [row.encoded for row in rows]
    resident = model.score(encoded, pad_id=codec.pad_id)
    assert again.score(encoded, pad_id=codec.pad_id) == resident
    assert {path.name for path in tmp_path.iterdir()} == {
        "adapter_config.json",
        "adapter_model.safetensors",
    }


def test_the_same_seed_gives_the_same_bytes(
    rows: list[Row], codec: Codec, hardware: Plan, pocket_folder: Path, tmp_path: Path
) -> None:
    digests = []
    for name in ("one", "two"):
        folder = tmp_path / name
        folder.mkdir()
        model = Model.load(pocket_folder, hardware, new_adapter=SHAPE)
        trainer = RowTrainer(model, pad_id=codec.pad_id)
        trainer.fit(rows * 3, HOW, Losses())
        trainer.close()
        save_adapter(model.network, folder, base_id="pocket")
        files = sorted(folder.iterdir())
        digests.append([hashlib.sha256(path.read_bytes()).hexdigest() for path in files])
    assert digests[0] == digests[1]


def test_a_distilled_row_holds_the_adapter_to_what_the_base_says(
    model: Model, trainer: RowTrainer, rows: list[Row], codec: Codec
) -> None:
    taught, held = rows[0], replace(rows[1], distilled=True)
    own = model.score([taught.encoded, held.encoded], pad_id=codec.pad_id)
    share = own[0].nll * own[0].tokens / (own[0].tokens + own[1].tokens)
    losses = Losses()
    trainer.fit([held, held, taught, held], HOW, losses)
    # A fresh adapter changes nothing, so that there is no divergence yet.
    assert losses == [pytest.approx(0.0, abs=1e-6), pytest.approx(share, rel=1e-4)]

    def strayed(others: Row) -> float:
        trainer.fit([taught, others] * 30, HOW, Losses())
        now = model.score([held.encoded], pad_id=codec.pad_id)[0].nll
        return abs(now - own[1].nll)

    beside_it = strayed(held)
    assert beside_it < strayed(trusted(held, 0.0)) / 4


def test_the_divergence_counts_unlikely_tokens_as_one() -> None:
    import torch

    base, model = torch.randn(2, 5, 40, generator=torch.manual_seed(3)).log_softmax(-1)
    whole = (base.exp() * (base - model)).sum(-1)

    def found(most: int) -> torch.Tensor:
        likely = base.exp().topk(most)
        return divergence(likely.indices, likely.values, model)

    assert torch.allclose(found(40), whole, atol=1e-4)
    assert ((found(8) > 0) & (found(8) < whole)).all()
    assert torch.allclose(found(39), whole, atol=1e-5)
