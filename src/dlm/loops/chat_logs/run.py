"""From the conversations of a log to an edit plan: triples, and pairs where they are asked for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from dlm.data.preferences import Balance, balance
from dlm.doc.document import Document
from dlm.doc.provenance import Origin
from dlm.errors import DocumentError
from dlm.loops.chat_logs.exchanges import Corrected, Exchange, Unused, found_in
from dlm.loops.chat_logs.values import Log
from dlm.loops.edits import Addition, EditPlan, NewPair, NewTriple
from dlm.loops.proposals import Existing, Proposer, run_id


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
    proposer = Proposer(run_id("import", document, found, pairs), Origin.IMPORTED, log.format, at)
    existing = Existing(document)
    additions: list[Addition] = []
    for one in [*corrected, *(exchanges if pairs else ())]:
        try:
            if reason := _why_not(one, existing):
                unused.append(Unused(one.where, one.prompt, reason))
            else:
                additions.append(_addition(one, proposer))
        except DocumentError as error:
            unused.append(Unused(one.where, one.prompt, error.message))
    triples = [triple for each in additions for triple in each.triples]
    plan = proposer.plan(
        document, additions, conversations=len(log.conversations), corrections=len(corrected)
    )
    standing = [triple for section in document.sections for triple in section.triples]
    return Imported(
        plan,
        len(log.conversations),
        len(corrected),
        len(exchanges),
        len(triples),
        len(additions) - len(triples),
        balance([*standing, *triples]),
        tuple(unused),
    )


def _why_not(one: Corrected | Exchange, existing: Existing) -> str | None:
    """Why it is not to be added; what is added counts as held from now on."""
    if isinstance(one, Corrected):
        if reason := existing.why_not_triple(triple := _triple(one)):
            return reason
        existing.take_triple(triple, one.where)
    else:
        if reason := existing.why_not(pair := _pair(one)):
            return reason
        existing.take(pair, one.where)
    return None


def _addition(one: Corrected | Exchange, proposer: Proposer) -> Addition:
    if isinstance(one, Corrected):
        how = {"how": f"corrected: {one.cue}"}
        return proposer.triple(_triple(one), one.where, extra=how)
    return proposer.pair(_pair(one), one.where, extra={"how": "exchange"})


def _triple(one: Corrected) -> NewTriple:
    return NewTriple(one.prompt, one.chosen, one.rejected)


def _pair(one: Exchange) -> NewPair:
    return NewPair(one.prompt, one.answer)
