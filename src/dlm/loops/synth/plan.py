"""Accepted candidates as an edit plan: one instruction section a pair, behind its source."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from dlm.doc.document import Document
from dlm.doc.provenance import Origin, Provenance
from dlm.doc.render import render_pair
from dlm.doc.sections import SectionType
from dlm.loops.edits import Addition, EditPlan
from dlm.loops.synth.candidates import Candidate

SOURCE: Final = "source"  # the sentence that supports a pair, among the extra attributes
STRATEGY: Final = "synth_strategy"
JUDGE: Final = "judge"
_LONGEST_SOURCE: Final = 600  # characters


def make_plan(
    document: Document,
    candidates: Sequence[Candidate],
    *,
    run: str,
    teacher: str,
    judge: str,
    at: datetime,
    note: Mapping[str, Any],
) -> EditPlan:
    """The plan that puts every candidate that was not dropped into the document."""
    additions = [
        _addition(candidate, run=run, teacher=teacher, judge=judge, at=at)
        for candidate in candidates
        if not candidate.dropped
    ]
    return EditPlan(
        run, Origin.SYNTHESIZED, teacher, at, document.sha256, tuple(additions), note=dict(note)
    )


def run_id(document: Document, identity: str, options: object) -> str:
    """The same for the same document, teacher and options, so that a rerun replaces its plan."""
    told = "\0".join([document.sha256, identity, repr(options)])
    return f"synth-{hashlib.sha256(told.encode('utf-8', 'replace')).hexdigest()[:10]}"


def _addition(
    candidate: Candidate, *, run: str, teacher: str, judge: str, at: datetime
) -> Addition:
    extra = {STRATEGY: candidate.strategy.value}
    if candidate.sentence:
        extra[SOURCE] = candidate.sentence[:_LONGEST_SOURCE]
    if "judge" in candidate.scores:
        extra[JUDGE] = judge
    provenance = Provenance(
        origin=Origin.SYNTHESIZED,
        by=teacher,
        run=run,
        at=at,
        derived_from=candidate.source.id,
        scores={name: round(score, 3) for name, score in candidate.scores.items()},
        extra=extra,
    )
    return Addition.of(
        SectionType.INSTRUCTION,
        render_pair(candidate.question, candidate.answer),
        provenance,
        after=candidate.source.id,
        summary=candidate.question,
    )
