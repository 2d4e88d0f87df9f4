"""`dlm train --plan`: what a training would use, in which shares, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dlm.cli.common import count, note, print_json

if TYPE_CHECKING:
    from dlm.doc.document import Document
    from dlm.train.options import TrainOptions
    from dlm.train.plan import TrainingPlan

_SHOWN = 20  # decisions; --json has all


def show_plan(document: Document, options: TrainOptions, *, as_json: bool) -> None:
    """Plan the run as `dlm train` would, and print it."""
    from dlm.cli.train import say_nothing_to_train
    from dlm.store.store import Store
    from dlm.train.preview import summary, to_json, warnings
    from dlm.train.start import NothingToTrain, prepare

    frontmatter = document.frontmatter
    with Store.open(frontmatter.dlm_id, base_model=frontmatter.base_model) as store:
        start = prepare(document, options, store)
    if isinstance(start, NothingToTrain):
        say_nothing_to_train(document, start, as_json=as_json)
        return
    if as_json:
        continues = start.previous.name if start.previous else None
        print_json({**to_json(start.plan), "continues": continues})
        return
    print(summary(start.plan, start.previous))
    _print_decisions(start.plan)
    _print_shares(start.plan)
    for text in (*warnings(start.plan), *start.notes):
        note(f"warning: {text}")


def _print_decisions(plan: TrainingPlan) -> None:
    from dlm.train.preview import decisions

    found = decisions(plan.known)
    for one in found[:_SHOWN]:
        print(f"  line {one.line:<5} {one.what:<8} {one.text}")
        print(f"  {'':<10} {'':<8} {one.why}")
    if len(found) > _SHOWN:
        print(f"  and {len(found) - _SHOWN} more; --json lists all")


def _print_shares(plan: TrainingPlan) -> None:
    from dlm.train.preview import shares

    schedule = plan.schedule
    print(f"  {'source':<24} {'rows':>7} {'tokens':>9} {'share':>6} {'weight':>6}")
    for one in shares(schedule.rows):
        print(
            f"  {one.source:<24} {one.rows:>7,} {one.tokens:>9,} {one.share:>6.0%} {one.weight:>6g}"
        )
    upper = "at most " if plan.limits else ""
    print(
        f"  {upper}{count(len(schedule.epoch_ends), 'epoch')}, {count(schedule.steps, 'step')} "
        f"of {plan.optimisation.rows_per_step} rows, learning rate "
        f"{plan.optimisation.learning_rate:g}, seed {plan.seed}"
    )
