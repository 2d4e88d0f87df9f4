"""Every training of a document: its curve, what it read, and why it ended."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from dlm.report.facts import EpochFacts, RunFacts
from dlm.store import metrics
from dlm.store.metrics import Evaluation, MetricRun, RunOutcome
from dlm.store.records import RunRecord, Version
from dlm.store.store import Store

SHOWN = 50
"""How many of the newest trainings are told of."""


def runs_of(store: Store) -> tuple[RunFacts, ...]:
    """The newest trainings, oldest first: those with metrics, and those whose metrics were lost."""
    records = {record.run_id: record for record in store.runs(SHOWN)}
    versions = {version.run_id: version for version in store.versions()}
    known = metrics.runs(store.database, SHOWN)
    found = [_run(store, run, records.get(run.run_id)) for run in known]
    lost = records.keys() - {run.run_id for run in known}
    found += [_recorded(records[run_id], versions.get(run_id)) for run_id in lost]
    return tuple(sorted(found, key=lambda run: run.started_at)[-SHOWN:])


def _run(store: Store, run: MetricRun, record: RunRecord | None) -> RunFacts:
    steps = metrics.steps(store.database, run.run_id)
    losses = tuple((step.step, step.loss) for step in steps if step.loss is not None)
    figures = record.figures if record else {}
    measured = metrics.evaluations(store.database, run.run_id)
    last = steps[-1].step if steps else measured[-1].step if measured else 0
    lasted = run.ended_at - run.started_at if run.ended_at else None
    return RunFacts(
        run_id=run.run_id,
        started_at=run.started_at,
        mode=run.mode,
        outcome=run.outcome,
        version=run.version,
        why=record.stop_reason if record else run.detail,
        steps=record.steps if record else last,
        seconds=record.seconds if record else lasted.total_seconds() if lasted else None,
        losses=losses or _recorded_losses(figures),
        epochs=tuple(_epoch(one) for one in measured) or _recorded_epochs(figures),
        shares=_shares(figures),
        drift_bound=_number(figures.get("drift_bound")),
        drift=_number(figures.get("drift")),
        drift_texts=_count(figures.get("drift_texts")),
    )


def _recorded(record: RunRecord, version: Version | None) -> RunFacts:
    """A training of which only its record beside the version is left."""
    return RunFacts(
        run_id=record.run_id,
        started_at=record.started_at,
        mode=record.mode,
        outcome=RunOutcome.COMMITTED,
        version=version.name if version else None,
        why=record.stop_reason,
        steps=record.steps,
        seconds=record.seconds,
        losses=_recorded_losses(record.figures),
        epochs=_recorded_epochs(record.figures),
        shares=_shares(record.figures),
        drift_bound=_number(record.figures.get("drift_bound")),
        drift=_number(record.figures.get("drift")),
        drift_texts=_count(record.figures.get("drift_texts")),
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
