"""What a training decides before anything heavy is loaded."""

from __future__ import annotations

import pytest

from dlm.data.rows import RowKind
from dlm.doc.parser import parse_text
from dlm.errors import TrainingError
from dlm.train.options import TrainOptions
from dlm.train.plan import TrainingPlan, make_plan
from dlm.train.preview import warnings

HEAD = "---\ndlm_id: 01J9ZQ6W3N8R2T4V6X8Y0A1B2C\ndlm_version: 15\nbase_model: pocket\n{more}---\n"
PAIR = (
    "::instruction::\n### Q\nWhat is the number of box {n}?\n\n### A\nBox {n} is number {n}.\n::\n"
)


def _plan(pairs: int, more: str = "", **options: int) -> TrainingPlan:
    text = HEAD.format(more=more) + "".join(PAIR.format(n=n) for n in range(pairs))
    return make_plan(parse_text(text), TrainOptions(**options))  # type: ignore[arg-type]


def test_a_small_document_may_take_forty_epochs() -> None:
    plan = _plan(5)
    assert plan.limits is not None
    assert (plan.limits.min_epochs, len(plan.schedule.epoch_ends)) == (8, 40)


def test_a_large_document_is_gone_through_fewer_times() -> None:
    plan = _plan(2500)
    assert plan.limits is not None
    assert len(plan.schedule.epoch_ends) == plan.limits.max_epochs == 12
    assert sum(row.kind is RowKind.PAIR for row in plan.schedule.rows) < 32_000


def test_a_fixed_count_has_no_open_end_and_decays_its_rate() -> None:
    for plan in (_plan(3, "training:\n  num_epochs: 4\n"), _plan(3, epochs=4)):
        assert plan.limits is None
        assert len(plan.schedule.epoch_ends) == 4
        assert plan.optimisation.schedule == "linear"
    assert _plan(3).optimisation.schedule == "constant"


def test_a_limit_on_steps_cuts_the_schedule() -> None:
    plan = _plan(20, max_steps=5)
    assert plan.capped
    assert plan.schedule.steps == 5
    assert len(plan.schedule.rows) == 5 * plan.optimisation.rows_per_step


def test_the_frontmatter_decides_rate_rank_batch_and_rehearsal() -> None:
    more = (
        "training:\n  learning_rate: 0.0005\n  micro_batch_size: 2\n  grad_accum: 3\n"
        "  rehearsal:\n    enabled: false\n  seed: 9\n"
    )
    plan = _plan(4, more)
    assert plan.optimisation.learning_rate == 0.0005
    assert (plan.optimisation.micro_batch, plan.optimisation.grad_accum) == (2, 3)
    assert plan.seed == 9
    assert all(row.kind is not RowKind.GENERAL for row in plan.schedule.rows)


def test_a_length_beyond_what_the_base_reads_is_told_of() -> None:
    plan = _plan(20, "training:\n  sequence_len: 4096\n")
    (said,) = (text for text in warnings(plan) if "sequence_len" in text)
    assert f"sequence_len is 4096, and pocket reads {plan.sequence_length} tokens" in said
    assert not any("sequence_len" in text for text in warnings(_plan(20)))


def test_a_pair_beyond_the_sequence_length_is_refused_by_line() -> None:
    text = HEAD.format(more="training:\n  sequence_len: 64\n") + PAIR.format(n="7 " * 60)
    with pytest.raises(TrainingError, match=r"document:9: this pair takes \d+ tokens"):
        make_plan(parse_text(text), TrainOptions())
