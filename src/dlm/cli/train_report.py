"""What `dlm train` says before and after: the plan, the scorecard, triples, what was refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dlm.cli.common import note, print_json, print_table
from dlm.errors import TrainingError
from dlm.text.words import count

if TYPE_CHECKING:
    from dlm.doc.document import Document
    from dlm.store.records import Version
    from dlm.train.figures import PhaseFigures, Standing
    from dlm.train.options import TrainOptions
    from dlm.train.plan import TrainingPlan
    from dlm.train.report import Refusal, TrainingReport
    from dlm.train.start import NothingToTrain, Start
    from dlm.train.triples import PreferencePlan


_SHOWN = 20  # decisions; --json has all


def show_plan(document: Document, options: TrainOptions, *, as_json: bool) -> None:
    """Plan the run as `dlm train` would, and print it."""
    from dlm.store.store import open_store
    from dlm.train.base import BaseCache
    from dlm.train.preview import preference_json, to_json
    from dlm.train.start import NothingToTrain, Start, prepare, prepare_preference

    base_cache, triples = BaseCache(), None
    with open_store(document) as store:
        current = store.current()
        start: Start | NothingToTrain | None = None
        if options.phase != "preference" or current is None:
            start = prepare(document, options, store, base_cache=base_cache)
        if options.phase != "sft":
            before = None if options.fresh else current
            triples = prepare_preference(document, options, store, before, base_cache)
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
    from dlm.train.preview import sources, triples_summary, triples_warnings

    print(triples_summary(plan, continues))
    print(f"  {'source':<24} {'triples':>7} {'weight':>23}")
    for origin, number, weight in sources(plan):
        print(f"  {origin:<24} {number:>7,} {weight:>23g}")
    upper = "at most " if plan.open_end else ""
    schedule, how = plan.schedule, plan.optimisation
    print(
        f"  {upper}{count(len(schedule.epoch_ends), 'epoch')}, {count(schedule.steps, 'step')} "
        f"of {how.rows_per_step} rows, learning rate {how.learning_rate:g}, seed {plan.seed}"
    )
    for text in triples_warnings(plan):
        note(f"warning: {text}")


def _print_decisions(plan: TrainingPlan) -> None:
    from dlm.train.preview import decisions

    found = decisions(plan.known)
    for one in found[:_SHOWN]:
        print(f"  {one.place:<10} {one.what:<8} {one.text}")
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


def say_nothing_to_train(document: Document, found: NothingToTrain, *, as_json: bool) -> None:
    """The current version knows it all; what was removed stays known until it is forgotten."""
    if as_json:
        kept = [
            {"line": item.line, "file": item.file, "text": item.first_words} for item in found.kept
        ]
        refused = {"refused": found.refused.to_json()} if found.refused else {}
        preferred = {"preferred": found.preferred.to_json()} if found.preferred else {}
        print_json(
            {"version": None, "unchanged": not refused, "kept": kept, **refused, **preferred}
        )
        return
    if found.refused:
        print_refusal(found.refused)
        return
    print(f"nothing to train: {found.version.name} knows all that {document.path} says")
    if found.preferred:
        print(f"  {preferred_sentence(found.preferred)}")
    for item in found.kept:
        print(f"  still known, though removed: {item.first_words}")
    if found.kept:
        note("hint: `dlm train --forget` makes it forget what was removed")
    else:
        note("hint: edit the document, or use --fresh to start over from the base")


def print_report(document: Document, report: TrainingReport) -> None:
    """The scorecard, one line each, then what was lost and what is not learned yet."""
    from dlm.cli.eval import figure_rows, print_questions

    if report.earlier:
        print_report(document, report.earlier)
    outcome = report.outcome
    print(f"{report.version.name} of {document.path}")
    rows = figure_rows(outcome.card, report.compared)
    if report.preference:
        rows = {**preference_rows(report.preference), **rows}
    work = f"{count(len(outcome.epochs), 'epoch')}, {count(outcome.steps, 'step')}"
    rows["stopped"] = f"{outcome.stop_reason} ({work}, {outcome.seconds:.0f} s)"
    print_table(rows)
    print_questions(outcome.card, report.compared, document.path)
    for reason in report.despite:
        print(f"  kept by --force, although {reason}")
    if report.preferred:
        print(preferred_sentence(report.preferred))
    if report.refused:
        print_refusal(report.refused)


def preference_rows(figures: PhaseFigures) -> dict[str, str]:
    """Aligned `name  value` rows for `print_table`."""
    before, after = figures.before, figures.after
    triples = count(figures.new, "triple")
    if figures.replayed:
        triples += f", {figures.replayed} known ones replayed"
    rows = {
        "triples": f"{triples}, {figures.method}",
        "preferred": f"{before.preferred} → {after.preferred} of {after.n} chosen answers; "
        f"margin {before.margin:+.2f} → {after.margin:+.2f} nats a token",
        "likelihood": f"chosen {_loss(before, after, 'chosen_nll')}, "
        f"rejected {_loss(before, after, 'rejected_nll')} nats a token lost",
    }
    if figures.seen:
        rows["agreement"] = (
            f"{figures.seen_right} of {figures.seen} were preferred more before they were trained "
            "themselves"
        )
    if before.tokens is not None and after.tokens is not None:
        rows["answers"] = f"{before.tokens:.1f} → {after.tokens:.1f} tokens long"
    rows["balance"] = str(figures.balance)
    return rows


def preferred_sentence(found: Standing) -> str:
    """Why new triples needed no training."""
    return (
        f"{count(found.n, 'triple')}: preferred as wanted already, by {found.margin:+.2f} nats a "
        "token; nothing to do"
    )


def print_refusal(refusal: Refusal) -> None:
    """What the refused phase came to; the sentences follow as an error."""
    if refusal.figures is not None:
        print("preference phase, not kept")
        print_table(preference_rows(refusal.figures))


def refusal_error(document: Document, refusal: Refusal) -> TrainingError:
    """The reasons in one sentence, what stays, and what can be done."""
    again = "was refused before" if refusal.before else "is refused"
    return TrainingError(
        f"the preference phase {again}: {'; '.join(refusal.reasons)}. "
        f"{refusal.version.name} stays current",
        hint=f"change the triples of {document.path or 'the document'}, "
        "or keep the phase all the same: dlm train --force",
    )


def _loss(before: Standing, after: Standing, name: str) -> str:
    return f"{getattr(before, name):.2f} → {getattr(after, name):.2f}"
