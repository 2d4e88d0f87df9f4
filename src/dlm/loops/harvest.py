"""Failing probes of an evaluation become sections of the document: a plan, and why the rest stays.

A pair that the document does not ask is added as a probe. A pair of its own that failed is repeated
once, in a section that names where it stands: what stands twice is trained with twice the weight.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from dlm.doc.document import Document
from dlm.doc.provenance import Origin, Provenance
from dlm.doc.render import escape_body, normalise, render_pair, render_triple
from dlm.doc.sections import PairRole, SectionType
from dlm.errors import DocumentError
from dlm.loops.asked import AskedAlready, normal
from dlm.loops.edits import Addition, EditPlan, new_run_id
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
    """The sections of one run as they come together."""

    document: Document
    tag: str
    by: str
    run: str
    at: datetime
    origin: Origin
    additions: list[Addition] = field(default_factory=list)
    unusable: list[Unusable] = field(default_factory=list)

    def add(self, type: SectionType, body: str, one: Recovered | Preferred, **extra: str) -> None:
        scores = one.scores if isinstance(one, Recovered) else {}
        provenance = Provenance(
            self.origin,
            by=self.by,
            run=self.run,
            at=self.at,
            derived_from=f"{self.tag}/{one.probe}",
            scores=scores,
            extra={"how": one.how, **extra},
        )
        summary = next(iter(one.prompt.strip().split("\n")))
        self.additions.append(Addition.of(type, body, provenance, summary=summary))


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
    asked = AskedAlready(document)
    batch = _Batch(document, tag, by, new_run_id(at), at, origin)
    sure = [one for one in recovery.pairs if one.confidence >= min_confidence]
    skipped = [
        Skipped(one.probe, one.prompt, f"its confidence is {one.confidence:g}")
        for one in recovery.pairs
        if one.confidence < min_confidence
    ]
    new, known = _sorted(sure, asked, skipped)
    exam = seal(new, sealed, asked.teaching)
    for one in new:
        _add_pair(batch, one, PairRole.EXAM if normal(one.prompt) in exam else PairRole.PROBE)
    added = len(batch.additions)
    for one in known:
        _add_pair(batch, one, PairRole.PROBE, raises=asked.section_of(one.prompt))
    for triple in _triples_to_raise(recovery.triples, asked, skipped):
        body = render_triple(triple.prompt, triple.chosen, triple.rejected)
        section = asked.section_of_triple(triple)
        batch.add(SectionType.PREFERENCE, body, triple, **({"raises": section} if section else {}))
    roles = [pair.role for item in batch.additions for pair in item.block().pairs]
    plan = EditPlan(
        batch.run, origin, by, at, document.sha256, tuple(batch.additions), note=_note(skipped)
    )
    return Harvest(
        plan,
        candidates=len(sure) + len(recovery.triples),
        added=added,
        raised=len(batch.additions) - added,
        sealed=roles.count(PairRole.EXAM),
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


def _add_pair(batch: _Batch, one: Recovered, role: PairRole, **extra: str) -> None:
    """Add a section; a text that no document can hold is named instead."""
    try:
        body = _spaced(one.prompt, render_pair(one.prompt, one.reference, role))
        batch.add(SectionType.INSTRUCTION, body, one, **extra)
    except DocumentError as error:
        batch.unusable.append(Unusable(one.probe, error.message))


def _spaced(prompt: str, body: str) -> str:
    """The body of a pair with a blank line between question and answer."""
    asked = body.index("\n") + 1 + len(escape_body(normalise(prompt))) + 1
    return f"{body[:asked]}\n{body[asked:]}"


def _note(skipped: Sequence[Skipped]) -> Mapping[str, Any]:
    return {
        "skipped": [
            {"probe": each.probe, "prompt": each.prompt, "reason": each.reason} for each in skipped
        ]
    }
