"""What programs and readers push: probes from the queue, each exactly once, and corrections.

The marker of a section carries the id of its probe. So what stands in the document is known from
the document alone, and a kill between writing the file and marking the queue changes nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from dlm.doc.document import Document
from dlm.doc.parser import parse_file
from dlm.doc.provenance import Origin
from dlm.doc.sections import PairRole
from dlm.errors import DlmError, DocumentError, EditConflict
from dlm.index import Index
from dlm.loops.edits import (
    Addition,
    EditPlan,
    NewPair,
    apply_to_file,
    edit_of,
    new_run_id,
)
from dlm.loops.proposals import Existing, Proposer, run_id
from dlm.store.database import Database
from dlm.store.edits import (
    Probe,
    document_edits,
    drop_probes,
    mark_held,
    mark_waiting,
    mark_written,
    record_edit,
    waiting_probes,
    written_probes,
)

_BY: Final = "rpc"
_TRIES: Final = 5  # when somebody saves the file at the same moment
_APPLY, _REVERT = "apply", "revert"

Fits = Callable[[str, str], str | None]
"""Why a prompt with its reference cannot be trained, None when it can."""


@dataclass(frozen=True, slots=True)
class Drained:
    """What became of the probes that waited.

    `known` were asked by the document already; `held` stay in the queue, each with its reason;
    `put_back` are those of `added` that a save had dropped; `removed` were taken out by the owner.
    """

    added: tuple[Probe, ...] = ()
    known: tuple[Probe, ...] = ()
    held: tuple[Probe, ...] = ()
    put_back: tuple[Probe, ...] = ()
    removed: tuple[Probe, ...] = ()


def drain(
    database: Database,
    path: Path,
    *,
    fits: Fits = lambda prompt, reference: None,
    checkpoint: Callable[[str], None] = lambda step: None,
) -> Drained:
    """Write every probe that waits into the document, as far as it can stand there.

    What cannot be written stays in the queue, with the reason. Raises DocumentError when the
    document cannot be read; then all stay. `checkpoint` is called with the name of each step.
    """
    for turn in range(_TRIES):
        document = parse_file(path)
        removed = _settle(database, document)
        waiting = _not_in(database, document)
        if not waiting:
            return Drained(removed=removed)
        try:
            return replace(
                _write(database, path, document, waiting, fits, checkpoint), removed=removed
            )
        except EditConflict:
            if turn + 1 == _TRIES:
                raise
    raise AssertionError("not reached")


def propose_correction(
    document: Document, question: str, answer: str, *, by: str, at: datetime, reason: str = ""
) -> EditPlan:
    """The plan that adds the pair, behind the section that speaks of it, else at the end.

    The same correction makes the same run, so that it waits once. Raises EditConflict when the
    document or its exam asks the question already, or a text is empty, and DocumentError for
    text that no document can hold.
    """
    pair = NewPair(question.strip(), answer.strip())
    if not pair.question or not pair.answer:
        raise EditConflict("a correction needs a question and an answer")
    why_not = Existing(document).why_not(pair)
    if why_not is not None:
        raise EditConflict(
            f"the correction is not taken: {why_not}",
            hint="what stands in the document is changed by its owner, in an editor",
        )
    proposer = Proposer(
        run_id("correction", document, pair.question, pair.answer), Origin.PUSHED, by, at
    )
    extra = {"reason": reason.strip()} if reason.strip() else {}
    addition = proposer.addition(pair, None, after=_section_of(document, question), extra=extra)
    return proposer.plan(document, [addition])


def _settle(database: Database, document: Document) -> tuple[Probe, ...]:
    """Look at what was written before; returns the probes that the owner took out.

    A save that still holds any probe of an edit was made from the text with that edit: it is done
    with. A save that holds none of them was made from an older text, and they are put back, once.
    """
    here = set(_ids(document))
    removed: list[Probe] = []
    for run, probes in _by_run(written_probes(database)).items():
        ids = [probe.probe_id for probe in probes]
        edits = [edit for edit in document_edits(database) if edit.run == run]
        if any(e.action == _APPLY and e.after_sha256 == document.sha256 for e in edits):
            continue  # nobody saved the file since
        if here.isdisjoint(ids) and not any(edit.action == _REVERT for edit in edits):
            again = [probe.probe_id for probe in probes if not probe.put_back]
            mark_waiting(database, again)
            ids = [name for name in ids if name not in again]
        removed += [p for p in probes if p.probe_id in ids and p.probe_id not in here]
        drop_probes(database, ids)
    return tuple(removed)


def _not_in(database: Database, document: Document) -> list[Probe]:
    """The probes that wait and do not stand in the document; the others are marked so."""
    here = dict(_runs(document))
    waiting = waiting_probes(database)
    found = {p.probe_id: here[p.probe_id] for p in waiting if p.probe_id in here}
    if found:  # a kill came between the file and the mark
        mark_written(database, found)
    return [probe for probe in waiting if probe.probe_id not in found]


def _write(
    database: Database,
    path: Path,
    document: Document,
    waiting: list[Probe],
    fits: Fits,
    checkpoint: Callable[[str], None],
) -> Drained:
    at = datetime.now(UTC).replace(microsecond=0)
    proposer = Proposer(new_run_id(at), Origin.PUSHED, _BY, at)
    wanted, known, held = _sort(document, waiting, fits, proposer)
    added: list[Probe] = []
    if wanted:
        plan = proposer.plan(document, [addition for _, addition in wanted.values()])
        try:
            outcome = apply_to_file(path, plan)
        except EditConflict:
            raise
        except DlmError as error:  # locked, read-only or full: all wait
            held += [replace(probe, reason=error.message) for probe, _ in wanted.values()]
            checkpoint("document written")
        else:
            checkpoint("document written")
            added = [wanted[name][0] for name in outcome.made.ids]
            held += [replace(wanted[one.id][0], reason=one.reason) for one in outcome.refusals]
            if added:
                record_edit(database, edit_of(outcome.made, outcome))
                mark_written(database, {probe.probe_id: proposer.run for probe in added})
            checkpoint("marked")
    mark_held(database, {probe.probe_id: probe.reason for probe in held})
    drop_probes(database, [probe.probe_id for probe in known])
    put_back = tuple(probe for probe in added if probe.put_back)
    return Drained(tuple(added), tuple(known), tuple(held), put_back)


def _sort(
    document: Document, waiting: Sequence[Probe], fits: Fits, proposer: Proposer
) -> tuple[dict[str, tuple[Probe, Addition]], list[Probe], list[Probe]]:
    """Those to add, by the id of the addition; those asked already; those that cannot be added."""
    wanted: dict[str, tuple[Probe, Addition]] = {}
    known: list[Probe] = []
    held: list[Probe] = []
    existing = Existing(document)
    for probe in waiting:
        pair = NewPair(probe.prompt, probe.reference, PairRole.PROBE)
        if existing.answers(pair):
            known.append(probe)
        elif reason := existing.why_not(pair) or fits(probe.prompt, probe.reference):
            held.append(replace(probe, reason=reason))
        else:
            try:
                addition = proposer.addition(pair, probe.source, extra={})
            except DocumentError as error:
                held.append(replace(probe, reason=error.message))
            else:
                wanted[addition.id] = probe, addition
                existing.take(pair, "a probe before it")
    return wanted, known, held


def _runs(document: Document) -> Iterator[tuple[str, str]]:
    """The id of every pushed probe that stands in the document, with the edit that wrote it."""
    for section in document.sections:
        origin = section.provenance
        if origin is not None and origin.origin is Origin.PUSHED and origin.derived_from:
            yield origin.derived_from.rpartition("/")[2], origin.run


def _ids(document: Document) -> Iterator[str]:
    return (probe_id for probe_id, _ in _runs(document))


def _by_run(probes: Iterable[Probe]) -> dict[str, list[Probe]]:
    runs: defaultdict[str, list[Probe]] = defaultdict(list)
    for probe in probes:
        if probe.run is not None:
            runs[probe.run].append(probe)
    return runs


def _section_of(document: Document, question: str) -> str | None:
    """The section that speaks of what is asked, None when none does."""
    index = Index(document)
    best = next(iter(index.quotes(question)), None)
    if best is None or index.fit(question, best) < 0:
        return None
    return best.passage.section_id
