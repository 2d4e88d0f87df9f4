"""Failing probes of an evaluation become sections of the document: a plan, and why the rest stays.

A pair that the document does not ask is added as a probe. A pair of its own that failed is repeated
once, in a section that names where it stands: what stands twice is trained with twice the weight.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from dlm.doc.document import Document
from dlm.doc.provenance import Origin
from dlm.doc.sections import PairRole
from dlm.errors import DocumentError
from dlm.loops.edits import Addition, EditPlan, NewPair, NewTriple, new_run_id
from dlm.loops.proposals import (
    Content,
    Existing,
    Proposal,
    Proposer,
    Unused,
    key_of,
    seal,
)
from dlm.loops.reports import Report
from dlm.working import Tell, told, untold

TAG: Final = "auto-harvest"


@dataclass(frozen=True, slots=True)
class Harvest:
    """The plan, and what became of everything else.

    `candidates` counts what the report gave before anything was found to stand there already;
    `added`, `raised` and `sealed` count the pairs and triples of the plan. `skipped` could be
    added and is not, `unusable` cannot.
    """

    plan: EditPlan
    candidates: int
    added: int
    raised: int
    sealed: int
    skipped: tuple[Unused, ...] = ()
    unusable: tuple[Unused, ...] = ()


def harvest(
    document: Document,
    report: Report,
    *,
    by: str,
    at: datetime,
    tag: str = TAG,
    min_confidence: float = 0.0,
    sealed: float = 0.0,
    origin: Origin = Origin.HARVESTED,
    tell: Tell = untold,
) -> Harvest:
    """Plan what a report adds to the document. Pure: nothing is read or written.

    `sealed` is the fraction of the new pairs that is kept as `!exam`, chosen by a hash.
    """
    existing = Existing(document)
    sure = [one for one in report.found if one.confidence >= min_confidence]
    skipped = [
        Unused(one.source, f"its confidence is {one.confidence:g}", one.prompt)
        for one in report.found
        if one.confidence < min_confidence
    ]
    wanted = _wanted(sure, existing, skipped, tell)
    new = [one.content for one, again in wanted if not again and isinstance(one.content, NewPair)]
    exam = seal(new, sealed, existing.lessons)
    proposer = Proposer(new_run_id(at), origin, by, at)
    additions: list[Addition] = []
    unusable = list(report.unusable)
    for one, again in wanted:
        told = {"how": one.how, "raises": again} if again else {"how": one.how}
        content, source = _with_role(one.content, exam), f"{tag}/{one.source}"
        try:
            additions.append(proposer.addition(content, source, scores=one.scores, extra=told))
        except DocumentError as error:
            unusable.append(Unused(one.source, error.message))
    added = [
        pair for each in additions for pair in each.pairs if "raises" not in each.provenance.extra
    ]
    return Harvest(
        proposer.plan(document, additions, candidates=len(sure), skipped=len(skipped)),
        candidates=len(sure),
        added=len(added),
        raised=len(additions) - len(added),
        sealed=sum(pair.role is PairRole.EXAM for pair in added),
        skipped=tuple(skipped),
        unusable=tuple(unusable),
    )


def _wanted(
    found: Sequence[Proposal], existing: Existing, skipped: list[Unused], tell: Tell
) -> list[tuple[Proposal, str | None]]:
    """What is to be added, and of what the document holds already, the section that does.

    New pairs stand first, then those that are repeated, then triples.
    """
    wanted: dict[tuple[str, ...], tuple[Proposal, str | None]] = {}
    for one in told("comparing with the document", found, tell):
        again = existing.holds(one.content) if one.own else None
        if again:
            reason = existing.why_not_raise(one.content)
        else:
            reason = existing.why_not(one.content, rewords=one.rewords)
        if reason is not None:
            skipped.append(Unused(one.source, reason, one.prompt))
            continue
        wanted.setdefault(key_of(one.content), (one, again))
        if not again:
            existing.take(one.content, one.source)
    return sorted(
        wanted.values(),
        key=lambda each: 2 if isinstance(each[0].content, NewTriple) else bool(each[1]),
    )


def _with_role(content: Content, exam: frozenset[NewPair]) -> Content:
    """A pair as an exam question if it is to be sealed, else as a probe."""
    if not isinstance(content, NewPair):
        return content
    return replace(content, role=PairRole.EXAM if content in exam else PairRole.PROBE)
