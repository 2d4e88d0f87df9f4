"""Contrasts as an edit plan: one preference section each, behind the question it comes from."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from dlm.doc.document import Document
from dlm.doc.provenance import Origin, Provenance
from dlm.doc.render import render_triple
from dlm.doc.sections import SectionType
from dlm.eval.answers import normalise
from dlm.loops.edits import Addition, EditPlan
from dlm.loops.mine.candidates import AUTHORED, Contrast, Mined

CHOSEN_FROM: Final = "chosen_from"
REJECTED_FROM: Final = "rejected_from"


def make_plan(
    document: Document,
    mined: Sequence[Mined],
    *,
    run: str,
    judge: str,
    at: datetime,
    note: Mapping[str, Any],
) -> EditPlan:
    """The plan that puts every contrast that is kept into the document."""
    additions = [
        _addition(each, each.contrast, run=run, judge=judge, at=at)
        for each in mined
        if each.contrast and each.kept
    ]
    return EditPlan(
        run, Origin.MINED, judge, at, document.sha256, tuple(additions), note=dict(note)
    )


def run_id(document: Document, identity: str, options: object) -> str:
    """The same for the same document, model and options, so that a rerun replaces its plan."""
    told = "\0".join([document.sha256, identity, repr(options)])
    return f"mine-{hashlib.sha256(told.encode('utf-8', 'replace')).hexdigest()[:10]}"


def _addition(mined: Mined, found: Contrast, *, run: str, judge: str, at: datetime) -> Addition:
    chosen_from = found.chosen.source
    if chosen_from != AUTHORED and normalise(found.chosen.text) == normalise(mined.answer):
        chosen_from = f"{chosen_from}, as authored"
    provenance = Provenance(
        origin=Origin.MINED,
        by=judge,
        run=run,
        at=at,
        derived_from=mined.example.section_id,
        scores={
            "chosen": round(found.chosen.score, 4),
            "rejected": round(found.rejected.score, 4),
        },
        extra={CHOSEN_FROM: chosen_from, REJECTED_FROM: found.rejected.source},
    )
    return Addition.of(
        SectionType.PREFERENCE,
        render_triple(mined.prompt, found.chosen.text, found.rejected.text),
        provenance,
        after=mined.example.section_id,
        summary=mined.prompt.strip().split("\n", 1)[0],
    )
