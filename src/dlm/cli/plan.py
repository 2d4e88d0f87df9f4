"""`dlm train --plan`: what a training would use, in which shares, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dlm.cli.common import count, note, print_json

if TYPE_CHECKING:
    from dlm.doc.document import Document
    from dlm.store.records import Version
    from dlm.train.options import TrainOptions
    from dlm.train.plan import TrainingPlan
    from dlm.train.preference.plan import PreferencePlan
    from dlm.train.start import Start

_SHOWN = 20  # decisions; --json has all


def show_plan(document: Document, options: TrainOptions, *, as_json: bool) -> None:
    """Plan the run as `dlm train` would, and print it."""
    from dlm.cli.train import say_nothing_to_train
    from dlm.store.store import Store
    from dlm.train.preference.preview import preference_json
    from dlm.train.preference.start import prepare_preference
    from dlm.train.preview import to_json
    from dlm.train.start import NothingToTrain, Start, prepare
    from dlm.train.tools import Toolbox

    frontmatter = document.frontmatter
    toolbox, triples = Toolbox(), None
    with Store.open(frontmatter.dlm_id, base_model=frontmatter.base_model) as store:
        current = store.current()
        start: Start | NothingToTrain | None = None
        if options.phase != "preference" or current is None:
            start = prepare(document, options, store, toolbox=toolbox)
        if options.phase != "sft":
            before = None if options.fresh else current
            triples = prepare_preference(document, options, store, before, toolbox)
    if not isinstance(start, Start) and triples is None:
        assert current is not None
        nothing = start or NothingToTrain(current)
        say_nothing_to_train(document, nothing, as_json=as_json)
        return
    if as_json:
        facts: dict[str, object] = {"continues": current.name if current else None}
        if isinstance(start, Start):
            continues = start.previous.name if start.previous else None
            facts = {**to_json(start.plan), "continues": continues}
        if triples:
            facts["preference"] = preference_json(triples)
        print_json(facts)
        return
    if isinstance(start, Start):
        _print_start(start)
    if triples:
        _print_triples(triples, None if isinstance(start, Start) else current)


def _print_start(start: Start) -> None:
    from dlm.train.preview import summary, warnings

    print(summary(start.plan, start.previous))
    _print_decisions(start.plan)
    _print_shares(start.plan)
    for text in (*warnings(start.plan), *start.notes):
        note(f"warning: {text}")


def _print_triples(plan: PreferencePlan, continues: Version | None) -> None:
    from dlm.train.preference.preview import sources, summary, warnings

    print(summary(plan, continues))
    print(f"  {'source':<24} {'triples':>7} {'weight':>23}")
    for origin, number, weight in sources(plan):
        print(f"  {origin:<24} {number:>7,} {weight:>23g}")
    upper = "at most " if plan.open_end else ""
    schedule, how = plan.schedule, plan.optimisation
    print(
        f"  {upper}{count(len(schedule.epoch_ends), 'epoch')}, {count(schedule.steps, 'step')} "
        f"of {how.rows_per_step} rows, learning rate {how.learning_rate:g}, seed {plan.seed}"
    )
    for text in warnings(plan):
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
