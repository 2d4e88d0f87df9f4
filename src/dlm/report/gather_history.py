"""What happened to a document: its trainings, its syntheses and its rounds of improvement."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from dlm.doc.document import Document
from dlm.doc.provenance import Origin
from dlm.doc.sections import Section
from dlm.eval.figures import Figure
from dlm.report.facts import EpochFacts, RoundFacts, RunFacts, SynthFacts
from dlm.store import metrics
from dlm.store.completions import SynthRun, synth_runs
from dlm.store.database import Database
from dlm.store.edits import DocumentEdit, document_edits, staged_plans
from dlm.store.improving import Round, rounds
from dlm.store.metrics import Evaluation, MetricRun, RunOutcome
from dlm.store.records import RunRecord, Version, name_of, version_name
from dlm.store.store import Store

SHOWN = 50
"""How many of the newest trainings are told of."""


def runs_of(store: Store) -> tuple[RunFacts, ...]:
    """The newest trainings, oldest first: those with metrics, and those whose metrics were lost."""
    records = {record.run_id: record for record in store.runs(SHOWN)}
    versions = {version.run_id: version for version in store.versions()}
    known = metrics.runs(store.database, SHOWN)
    found = [_training(store, run, records.get(run.run_id)) for run in known]
    lost = records.keys() - {run.run_id for run in known}
    lost_runs = [_recorded(records[run_id], versions.get(run_id)) for run_id in lost]
    found += [_training(store, run, records[run.run_id]) for run in lost_runs]
    return tuple(sorted(found, key=lambda run: run.started_at)[-SHOWN:])


def _training(store: Store, run: MetricRun, record: RunRecord | None) -> RunFacts:
    """A training as its metrics tell it, and its record beside the version where it has one."""
    steps = metrics.steps(store.database, run.run_id)
    measured = metrics.evaluations(store.database, run.run_id)
    last = steps[-1].step if steps else measured[-1].step if measured else 0
    lasted = (run.ended_at - run.started_at).total_seconds() if run.ended_at else None
    losses = tuple((step.step, step.loss) for step in steps if step.loss is not None)
    figures = record.figures if record else {}
    return RunFacts(
        run_id=run.run_id,
        started_at=run.started_at,
        mode=run.mode,
        outcome=run.outcome,
        version=run.version,
        why=record.stop_reason if record else run.detail,
        steps=record.steps if record else last,
        seconds=record.seconds if record else lasted,
        losses=losses or _recorded_losses(figures),
        epochs=tuple(_epoch(one) for one in measured) or _recorded_epochs(figures),
        shares=_shares(figures),
        drift_bound=_number(figures.get("drift_bound")),
        drift=_number(figures.get("drift")),
        drift_texts=_count(figures.get("drift_texts")),
    )


def _recorded(record: RunRecord, version: Version | None) -> MetricRun:
    """What the metrics of a training said before they were lost."""
    return MetricRun(
        record.run_id,
        record.mode,
        record.base_key,
        record.document_path,
        record.started_at,
        outcome=RunOutcome.COMMITTED,
        version=version.name if version else None,
    )


def _epoch(one: Evaluation) -> EpochFacts:
    return _epoch_of(one.epoch, one.step, one.figures)


def _epoch_of(epoch: int, step: int | None, figures: Mapping[str, Any]) -> EpochFacts:
    return EpochFacts(
        epoch=epoch,
        step=step,
        answer_nll=_number(figures.get("answer_nll")),
        held_out_nll=_number(figures.get("held_out_nll")),
        drift=_number(figures.get("drift")),
        learned=_count(figures.get("learned")),
        pairs=_count(figures.get("pairs")),
    )


def _recorded_losses(figures: Mapping[str, Any]) -> tuple[tuple[int, float], ...]:
    return tuple(
        (step, float(loss))
        for step, loss in enumerate(_list(figures.get("losses")), start=1)
        if _number(loss) is not None
    )


def _recorded_epochs(figures: Mapping[str, Any]) -> tuple[EpochFacts, ...]:
    return tuple(
        _epoch_of(int(one["epoch"]), None, one)
        for one in _mappings(figures.get("by_epoch"))
        if _count(one.get("epoch")) is not None
    )


def _shares(figures: Mapping[str, Any]) -> tuple[Mapping[str, Any], ...]:
    """What a training read, by source; rows of an older shape are left out."""
    return tuple(
        one
        for one in _mappings(figures.get("shares"))
        if isinstance(one.get("source"), str) and _number(one.get("tokens")) is not None
    )


def _mappings(value: object) -> Iterable[Mapping[str, Any]]:
    return [one for one in _list(value) if isinstance(one, Mapping)]


def _list(value: object) -> Sequence[Any]:
    return value if isinstance(value, list | tuple) else ()


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def _count(value: object) -> int | None:
    return value if isinstance(value, int) else None


WRITTEN = "written"  # the attribute of a marker with the id of the section as it was written


def synths_of(document: Document, store: Store) -> tuple[SynthFacts, ...]:
    """Every synthesis whose funnel was kept, oldest first."""
    database = store.database
    staged = {plan.run: plan for plan in staged_plans(database)}
    edits = document_edits(database)
    written: dict[str, list[Section]] = {}
    for section in document.sections:
        made = section.provenance
        if made is not None and made.origin is Origin.SYNTHESIZED:
            written.setdefault(made.run, []).append(section)
    return tuple(
        _synth(
            run,
            written.get(run.run, []),
            len(staged[run.run].plan.get("additions", ())) if run.run in staged else 0,
            [edit for edit in edits if edit.run == run.run],
        )
        for run in _whole(synth_runs(database))
    )


def _whole(runs: Iterable[SynthRun]) -> Iterable[SynthRun]:
    """The runs, those that were done in several parts as one."""
    found: dict[str, SynthRun] = {}
    for run in runs:
        found[run.run] = _joined(found[run.run], run) if run.run in found else run
    return found.values()


def _joined(one: SynthRun, other: SynthRun) -> SynthRun:
    names = dict.fromkeys([*one.teacher.split(", "), other.teacher])
    funnels = [Counter(run.note.get("funnel", {})) for run in (one, other)]
    funnel = {name: funnels[0][name] + funnels[1][name] for name in funnels[0] | funnels[1]}
    return replace(
        one,
        teacher=", ".join(names),
        planned=one.planned + other.planned,
        note={**one.note, "funnel": funnel},
        samples=(*one.samples, *other.samples),
    )


def _synth(
    run: SynthRun, sections: list[Section], staged: int, edits: list[DocumentEdit]
) -> SynthFacts:
    return SynthFacts(
        run=run,
        standing=len(sections),
        edited=sum(_is_edited(section) for section in sections),
        staged=staged,
        applied_at=_last(edits, "apply"),
        reverted_at=_last(edits, "revert"),
    )


def _last(edits: list[DocumentEdit], action: str) -> datetime | None:
    return max((edit.at for edit in edits if edit.action == action), default=None)


def _is_edited(section: Section) -> bool:
    written = section.provenance.extra.get(WRITTEN) if section.provenance else None
    return written is not None and written != section.section_id


_EXAMINED = ("champion", "challenger", "teacher")


def rounds_of(database: Database) -> tuple[RoundFacts, ...]:
    """Every round, oldest first."""
    return tuple(_round(one) for one in rounds(database))


def _round(one: Round) -> RoundFacts:
    verdict = _mapping(one.facts.get("verdict"))
    contest = _mapping(verdict.get("contest"))
    exam = _mapping(one.facts.get("exam"))
    scores = {who: _figure(_mapping(exam.get(who)).get("overall")) for who in _EXAMINED}
    p = contest.get("p")
    brings = one.facts.get("brings")
    return RoundFacts(
        name=one.name,
        step=one.step.value,
        started_at=one.started_at,
        teacher=one.teacher,
        strategy=one.strategy,
        champion=version_name(one.champion),
        challenger=name_of(one.challenger),
        brings=brings if isinstance(brings, str) else None,
        scores={who: figure for who, figure in scores.items() if figure is not None},
        difference=_figure(contest.get("difference")),
        p=float(p) if isinstance(p, int | float) else None,
        met=_texts(verdict.get("met")),
        reasons=_texts(verdict.get("reasons")) or _texts(one.facts.get("reasons")),
        diversity=_numbers(one.facts.get("diversity")),
    )


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _figure(value: object) -> Figure | None:
    """A kept figure; None where there is none."""
    try:
        figure = Figure.from_json(_mapping(value))
    except (KeyError, TypeError, ValueError):
        return None
    return figure if figure.value is not None else None


def _texts(value: object) -> tuple[str, ...]:
    return tuple(str(one) for one in value) if isinstance(value, list) else ()


def _numbers(value: object) -> dict[str, float]:
    found = _mapping(value).items()
    return {str(name): float(one) for name, one in found if isinstance(one, int | float)}
