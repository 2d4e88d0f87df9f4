"""What happened to a document: its trainings, its syntheses and its rounds of improvement."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, TypeVar

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
from dlm.store.metrics import MetricRun, RunOutcome
from dlm.store.records import RunRecord, Version, from_json, name_of, version_name
from dlm.store.store import Store

SHOWN = 50
"""How many of the newest trainings are told of."""


WRITTEN = "written"  # the attribute of a marker with the id of the section as it was written
_EXAMINED = ("champion", "challenger", "teacher")
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class _Figures:
    """What the record of a training says, as far as the page tells of it."""

    losses: tuple[float | None, ...] = ()
    by_epoch: tuple[EpochFacts, ...] = ()
    shares: tuple[Mapping[str, Any], ...] = ()
    drift_bound: float | None = None
    drift: float | None = None
    drift_texts: int | None = None


@dataclass(frozen=True, slots=True)
class _Contest:
    """How challenger and champion compare."""

    difference: Figure | None = None
    p: float | None = None


@dataclass(frozen=True, slots=True)
class _Verdict:
    """What a round was decided by."""

    contest: _Contest | None = None
    met: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Told:
    """What a round has found so far."""

    verdict: _Verdict | None = None
    exam: Mapping[str, Mapping[str, Any] | None] | None = None
    brings: str | None = None
    reasons: tuple[str, ...] = ()
    diversity: Mapping[str, float] | None = None


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
    figures = _read(_Figures, record.figures if record else {}) or _Figures()
    epochs = [
        _read(EpochFacts, {**one.figures, "epoch": one.epoch, "step": one.step})
        or EpochFacts(one.epoch, one.step)
        for one in measured
    ]
    kept = [(step, loss) for step, loss in enumerate(figures.losses, 1) if loss is not None]
    return RunFacts(
        run_id=run.run_id,
        started_at=run.started_at,
        mode=run.mode,
        outcome=run.outcome,
        version=run.version,
        why=record.stop_reason if record else run.detail,
        steps=record.steps if record else last,
        seconds=record.seconds if record else lasted,
        losses=losses or tuple(kept),
        epochs=tuple(epochs) or figures.by_epoch,
        shares=figures.shares,
        drift_bound=figures.drift_bound,
        drift=figures.drift,
        drift_texts=figures.drift_texts,
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


def rounds_of(database: Database) -> tuple[RoundFacts, ...]:
    """Every round, oldest first."""
    return tuple(_round(one) for one in rounds(database))


def _round(one: Round) -> RoundFacts:
    told = _read(_Told, one.facts) or _Told()
    verdict = told.verdict or _Verdict()
    contest, exam = verdict.contest or _Contest(), told.exam or {}
    difference = contest.difference
    scores = {who: _read(Figure, (exam.get(who) or {}).get("overall")) for who in _EXAMINED}
    return RoundFacts(
        name=one.name,
        step=one.step.value,
        started_at=one.started_at,
        teacher=one.teacher,
        strategy=one.strategy,
        champion=version_name(one.champion),
        challenger=name_of(one.challenger),
        brings=told.brings,
        scores={who: found for who, found in scores.items() if found and found.value is not None},
        difference=difference if difference and difference.value is not None else None,
        p=contest.p,
        met=verdict.met,
        reasons=verdict.reasons or told.reasons,
        diversity=told.diversity or {},
    )


def _read(kind: type[_T], data: object) -> _T | None:
    """What the store keeps as `kind`; None for what is not there, or of another shape."""
    with contextlib.suppress(ValueError):
        return from_json(kind, data)
    return None
