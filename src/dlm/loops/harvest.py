"""Failing probes of an evaluation become sections of the document: a plan, and why the rest stays.

A pair that the document does not ask is added as a probe. A pair of its own that failed is repeated
once, in a section that names where it stands: what stands twice is trained with twice the weight.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from dlm.doc.document import Document
from dlm.doc.provenance import Origin, Provenance
from dlm.doc.render import render_triple
from dlm.doc.sections import Pair, PairRole, SectionType
from dlm.errors import DocumentError
from dlm.loops.asked import AskedAlready, normal
from dlm.loops.edits import Addition, EditPlan, new_run_id
from dlm.loops.probe_section import probe_addition
from dlm.loops.reports import Preferred, Recovered, Recovery, Unusable
from dlm.loops.sealing import seal

TAG: Final = "auto-harvest"


@dataclass(frozen=True, slots=True)
class Skipped:
    """A pair of a report that is not added, and why."""

    probe: str
    prompt: str
    reason: str


@dataclass(frozen=True, slots=True)
class Harvest:
    """The plan, and what became of everything else.

    `candidates` counts what the report gave before anything was found to stand there already;
    `added`, `raised` and `sealed` count the pairs and triples of the plan.
    """

    plan: EditPlan
    candidates: int
    added: int
    raised: int
    sealed: int
    skipped: tuple[Skipped, ...] = ()
    unusable: tuple[Unusable, ...] = ()


@dataclass(slots=True)
class _Batch:
    """The sections of one run as they come together; a text no document can hold is named."""

    tag: str
    by: str
    run: str
    at: datetime
    origin: Origin
    additions: list[Addition] = field(default_factory=list)
    unusable: list[Unusable] = field(default_factory=list)

    def add_pair(self, one: Recovered, role: PairRole, **extra: str) -> None:
        try:
            provenance = self._provenance(one, one.scores, extra)
            self.additions.append(probe_addition(one.prompt, one.reference, provenance, role))
        except DocumentError as error:
            self.unusable.append(Unusable(one.probe, error.message))

    def add_triple(self, one: Preferred, **extra: str) -> None:
        try:
            body = render_triple(one.prompt, one.chosen, one.rejected)
            provenance = self._provenance(one, {}, extra)
            summary = one.prompt.strip().split("\n", 1)[0]
            self.additions.append(
                Addition.of(SectionType.PREFERENCE, body, provenance, summary=summary)
            )
        except DocumentError as error:
            self.unusable.append(Unusable(one.probe, error.message))

    def _provenance(
        self, one: Recovered | Preferred, scores: Mapping[str, float], extra: Mapping[str, str]
    ) -> Provenance:
        source = f"{self.tag}/{one.probe}"
        told = {"how": one.how, **extra}
        return Provenance(self.origin, self.by, self.run, self.at, source, scores, told)


def harvest(
    document: Document,
    recovery: Recovery,
    *,
    by: str,
    at: datetime,
    tag: str = TAG,
    min_confidence: float = 0.0,
    sealed: float = 0.0,
    origin: Origin = Origin.HARVESTED,
) -> Harvest:
    """Plan what a report adds to the document. Pure: nothing is read or written.

    `sealed` is the fraction of the new pairs that is kept as `!exam`, chosen by a hash.
    """
    batch = _Batch(tag, by, new_run_id(at), at, origin)
    sure = [one for one in recovery.pairs if one.confidence >= min_confidence]
    asked = AskedAlready(document, sure)
    skipped = [
        Skipped(one.probe, one.prompt, f"its confidence is {one.confidence:g}")
        for one in recovery.pairs
        if one.confidence < min_confidence
    ]
    new, known = _sorted(sure, asked, skipped)
    exam = seal(new, sealed, asked.teaching)
    for one in new:
        batch.add_pair(one, PairRole.EXAM if normal(one.prompt) in exam else PairRole.PROBE)
    added = len(batch.additions)
    for one in known:
        batch.add_pair(one, PairRole.PROBE, raises=asked.section_of(one.prompt))
    for triple in _triples_to_raise(recovery.triples, asked, skipped):
        section = asked.section_of_triple(triple)
        batch.add_triple(triple, **({"raises": section} if section else {}))
    plan = EditPlan(
        batch.run,
        origin,
        by,
        at,
        document.sha256,
        tuple(batch.additions),
        note={"candidates": len(sure), "skipped": len(skipped)},
    )
    return Harvest(
        plan,
        candidates=len(sure) + len(recovery.triples),
        added=added,
        raised=len(batch.additions) - added,
        sealed=sum(pair.role is PairRole.EXAM for pair in _pairs(plan)),
        skipped=tuple(skipped),
        unusable=(*recovery.unusable, *batch.unusable),
    )


def _sorted(
    pairs: Iterable[Recovered], asked: AskedAlready, skipped: list[Skipped]
) -> tuple[list[Recovered], list[Recovered]]:
    """The pairs that are new to the document, and those of its own to be raised; others skipped."""
    new: dict[str, Recovered] = {}
    known: dict[str, Recovered] = {}
    for one in pairs:
        key = normal(one.prompt)
        reason = asked.why_not(one)
        if reason is None and key in new:
            other = normal(new[key].reference) != normal(one.reference)
            reason = f"{new[key].probe} asks it too" + (", with another answer" if other else "")
        elif reason is None and key in known:
            continue  # named by two probes; raised once
        if reason is not None:
            skipped.append(Skipped(one.probe, one.prompt, reason))
        else:
            (known if one.own else new)[key] = one
    return list(new.values()), list(known.values())


def _triples_to_raise(
    triples: Iterable[Preferred], asked: AskedAlready, skipped: list[Skipped]
) -> list[Preferred]:
    found: dict[tuple[str, str, str], Preferred] = {}
    for one in triples:
        key = (normal(one.prompt), normal(one.chosen), normal(one.rejected))
        if reason := asked.why_not_triple(one):
            skipped.append(Skipped(one.probe, one.prompt, reason))
        else:
            found.setdefault(key, one)
    return list(found.values())


def _pairs(plan: EditPlan) -> Iterator[Pair]:
    for item in plan.additions:
        yield from item.block().pairs
