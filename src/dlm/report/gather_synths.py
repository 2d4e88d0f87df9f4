"""Every synthesis that is known of, and what became of its pairs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from dlm.doc.document import Document
from dlm.doc.provenance import Origin
from dlm.doc.sections import Section
from dlm.report.facts import SynthFacts
from dlm.store import staged_plans
from dlm.store.completions import SynthRun, synth_runs
from dlm.store.staged_plans import DocumentEdit
from dlm.store.store import Store

WRITTEN = "written"  # the attribute of a marker with the id of the section as it was written


def synths_of(document: Document, store: Store) -> tuple[SynthFacts, ...]:
    """Every synthesis whose funnel was kept, oldest first."""
    database = store.database
    staged = {plan.run: plan for plan in staged_plans.staged_plans(database)}
    edits = staged_plans.document_edits(database)
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
