"""Failing probes of an evaluation become sections of the document: a plan, and why the rest stays.

A pair that the document does not ask is added as a probe. A pair of its own that failed is repeated
once, in a section that names where it stands: what stands twice is trained with twice the weight.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from dlm.doc.document import Document
from dlm.doc.provenance import Origin
from dlm.doc.sections import PairRole
from dlm.errors import DocumentError
from dlm.loops.edits import Addition, EditPlan, NewPair, NewTriple, new_run_id
from dlm.loops.proposals import Existing, Proposer, seal
from dlm.loops.reports import Preferred, Recovered, Recovery, Unusable
from dlm.text.words import caseless

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
    proposer = Proposer(new_run_id(at), origin, by, at)
    existing = Existing(document)
    sure = [one for one in recovery.pairs if one.confidence >= min_confidence]
    skipped = [
        Skipped(one.probe, one.prompt, f"its confidence is {one.confidence:g}")
        for one in recovery.pairs
        if one.confidence < min_confidence
    ]
    new, known = _sorted(sure, existing, skipped)
    exam = seal([_pair(one) for one in new], sealed, existing.lessons)
    wanted: list[_Wanted] = []
    for one in new:
        role = PairRole.EXAM if _pair(one) in exam else PairRole.PROBE
        wanted.append((one, replace(_pair(one), role=role), {}))
    for one in known:
        raises = existing.asks(one.prompt) or ""
        wanted.append((one, replace(_pair(one), role=PairRole.PROBE), {"raises": raises}))
    for triple in _triples_to_raise(recovery.triples, existing, skipped):
        section = existing.holds(_triple(triple))
        wanted.append((triple, _triple(triple), {"raises": section} if section else {}))
    additions, unusable = _additions(wanted, proposer, tag)
    pairs = [pair for each in additions for pair in each.pairs if "raises" not in _extra(each)]
    return Harvest(
        proposer.plan(document, additions, candidates=len(sure), skipped=len(skipped)),
        candidates=len(sure) + len(recovery.triples),
        added=len(pairs),
        raised=len(additions) - len(pairs),
        sealed=sum(pair.role is PairRole.EXAM for pair in pairs),
        skipped=tuple(skipped),
        unusable=(*recovery.unusable, *unusable),
    )


_Wanted = tuple[Recovered | Preferred, NewPair | NewTriple, Mapping[str, str]]
"""What a report gave, as it is to stand in the document, and what its marker says besides."""


def _additions(
    wanted: Iterable[_Wanted], proposer: Proposer, tag: str
) -> tuple[list[Addition], list[Unusable]]:
    """The sections of what is wanted; a text that no document can hold is named instead."""
    additions: list[Addition] = []
    unusable: list[Unusable] = []
    for one, content, extra in wanted:
        source, told = f"{tag}/{one.probe}", {"how": one.how, **extra}
        try:
            if isinstance(content, NewTriple):
                additions.append(proposer.triple(content, source, extra=told))
            else:
                scores = one.scores if isinstance(one, Recovered) else {}
                additions.append(proposer.pair(content, source, scores=scores, extra=told))
        except DocumentError as error:
            unusable.append(Unusable(one.probe, error.message))
    return additions, unusable


def _sorted(
    pairs: Iterable[Recovered], existing: Existing, skipped: list[Skipped]
) -> tuple[list[Recovered], list[Recovered]]:
    """The pairs that are new to the document, and those of its own to be raised; others skipped."""
    new: list[Recovered] = []
    known: dict[str, Recovered] = {}
    for one in pairs:
        own = one.own and existing.asks(one.prompt) is not None
        if own:
            reason = existing.why_not_raise(one.prompt)
        else:
            reason = existing.why_not(_pair(one), rewords=one.rewords)
        if reason is not None:
            skipped.append(Skipped(one.probe, one.prompt, reason))
        elif own:
            known.setdefault(caseless(one.prompt), one)  # named by two probes, and raised once
        else:
            existing.take(_pair(one), one.probe)
            new.append(one)
    return new, list(known.values())


def _triples_to_raise(
    triples: Iterable[Preferred], existing: Existing, skipped: list[Skipped]
) -> list[Preferred]:
    found: dict[NewTriple, Preferred] = {}
    for one in triples:
        if reason := existing.why_not_raise_triple(_triple(one)):
            skipped.append(Skipped(one.probe, one.prompt, reason))
        else:
            found.setdefault(_triple(one), one)
    return list(found.values())


def _pair(one: Recovered) -> NewPair:
    return NewPair(one.prompt, one.reference)


def _triple(one: Preferred) -> NewTriple:
    return NewTriple(one.prompt, one.chosen, one.rejected)


def _extra(addition: Addition) -> Mapping[str, str]:
    return addition.provenance.extra
