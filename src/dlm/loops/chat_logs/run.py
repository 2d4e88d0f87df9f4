"""From the conversations of a log to an edit plan: triples, and pairs where they are asked for."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime

from dlm.data.preferences import Balance, balance
from dlm.doc.document import Document
from dlm.doc.provenance import Origin, Provenance
from dlm.doc.render import render_pair, render_triple
from dlm.doc.sections import SectionType
from dlm.errors import DocumentError
from dlm.loops.asked import AskedAlready, normal
from dlm.loops.chat_logs.exchanges import Corrected, Exchange, Unused, found_in
from dlm.loops.chat_logs.values import Log
from dlm.loops.edits import Addition, EditPlan
from dlm.loops.reports.values import Recovered
from dlm.loops.synth.duplicates import Exam


@dataclass(frozen=True, slots=True)
class Imported:
    """The plan, and what became of everything else that was found.

    `balance` is that of the document's triples with the new ones.
    """

    plan: EditPlan
    conversations: int
    corrections: int
    exchanges: int
    triples: int
    pairs: int
    balance: Balance
    unused: tuple[Unused, ...] = ()


def import_log(document: Document, log: Log, *, pairs: bool, at: datetime) -> Imported:
    """Plan what a log adds to the document. Pure: nothing is read or written.

    Exam questions, and what stands in the document already, are left out and named.
    """
    found = [one for conversation in log.conversations for one in found_in(conversation)]
    corrected = [one for one in found if isinstance(one, Corrected)]
    exchanges = [one for one in found if isinstance(one, Exchange)]
    unused = [one for one in found if isinstance(one, Unused)]
    batch = _Batch(log.format, _run_id(document, found, pairs), at)
    for triple in _new_triples(document, corrected, unused):
        batch.add_triple(triple)
    triples = len(batch.additions)
    for pair in _new_pairs(document, exchanges, unused) if pairs else ():
        batch.add_pair(pair)
    plan = EditPlan(
        batch.run,
        Origin.IMPORTED,
        log.format,
        at,
        document.sha256,
        tuple(batch.additions),
        note={"conversations": len(log.conversations), "corrections": len(corrected)},
    )
    standing = [triple for section in document.sections for triple in section.triples]
    added = [triple for item in plan.additions for triple in item.block().triples]
    return Imported(
        plan,
        len(log.conversations),
        len(corrected),
        len(exchanges),
        triples,
        len(batch.additions) - triples,
        balance([*standing, *added]),
        (*unused, *batch.unusable),
    )


@dataclass(slots=True)
class _Batch:
    """The sections of one run as they come together; a text no document can hold is named."""

    by: str
    run: str
    at: datetime
    additions: list[Addition] = field(default_factory=list)
    unusable: list[Unused] = field(default_factory=list)

    def add_triple(self, one: Corrected) -> None:
        how = f"corrected: {one.cue}"
        with self._named(one):
            body = render_triple(one.prompt, one.chosen, one.rejected)
            self._add(SectionType.PREFERENCE, body, one, how)

    def add_pair(self, one: Exchange) -> None:
        with self._named(one):
            self._add(SectionType.INSTRUCTION, render_pair(one.prompt, one.answer), one, "exchange")

    def _add(self, type: SectionType, body: str, one: Corrected | Exchange, how: str) -> None:
        provenance = Provenance(
            Origin.IMPORTED, self.by, self.run, self.at, one.where, extra={"how": how}
        )
        summary = one.prompt.split("\n", 1)[0]
        self.additions.append(Addition.of(type, body, provenance, summary=summary))

    @contextmanager
    def _named(self, one: Corrected | Exchange) -> Iterator[None]:
        try:
            yield
        except DocumentError as error:
            self.unusable.append(Unused(one.where, one.prompt, error.message))


def _new_triples(
    document: Document, found: Iterable[Corrected], unused: list[Unused]
) -> Iterator[Corrected]:
    """Those that the document does not hold, and whose question its exam does not ask."""
    exam = Exam(document)
    known = {
        (normal(triple.prompt), normal(triple.chosen), normal(triple.rejected))
        for section in document.sections
        for triple in section.triples
    }
    for one in found:
        key = (normal(one.prompt), normal(one.chosen), normal(one.rejected))
        if key in known:
            unused.append(Unused(one.where, one.prompt, "it stands in the document already"))
        elif where := exam.repeated(one.prompt, one.chosen):
            unused.append(Unused(one.where, one.prompt, f"it nearly repeats {where}"))
        else:
            known.add(key)
            yield one


def _new_pairs(
    document: Document, found: Sequence[Exchange], unused: list[Unused]
) -> Iterator[Exchange]:
    """Those whose question neither the document nor its exam asks, each once."""
    pairs = [Recovered(one.prompt, one.answer, one.where, "exchange") for one in found]
    asked = AskedAlready(document, pairs)
    known: set[str] = set()
    for one, pair in zip(found, pairs, strict=True):
        again = "it was asked before in the log" if normal(one.prompt) in known else None
        if reason := asked.why_not(pair) or again:
            unused.append(Unused(one.where, one.prompt, reason))
        else:
            known.add(normal(one.prompt))
            yield one


def _run_id(document: Document, found: object, pairs: bool) -> str:
    """The same for the same document and log, so that a second import replaces its plan."""
    told = f"{document.sha256}\0{found!r}\0{pairs}"
    return f"import-{hashlib.sha256(told.encode('utf-8', 'replace')).hexdigest()[:10]}"
