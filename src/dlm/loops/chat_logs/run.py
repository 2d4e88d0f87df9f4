"""What a log teaches, as an edit plan: answers that were corrected, and plain good exchanges."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from dlm.data.preferences import Balance, Direction, balance, directions
from dlm.doc.document import Document
from dlm.doc.provenance import Origin
from dlm.errors import DocumentError
from dlm.loops.chat_logs.corrections import (
    correction,
    leans_on_more,
    why_not_better,
    without_apology,
    without_greeting,
)
from dlm.loops.chat_logs.values import ASSISTANT, USER, Comparison, Conversation, Log, Turn
from dlm.loops.edits import Addition, EditPlan, NewPair, NewTriple
from dlm.loops.proposals import Existing, Proposal, Proposer, Unused, run_id
from dlm.text.cleaning import clean
from dlm.text.near import repetition

_NOT_TO_LEARN = "its answer was cut off, stands in a canvas or picture, or is marked as bad"
_LEANS = "the question leans on what was said before it"
_MOST_REPEATED = 0.3  # share of word trigrams that stood in the answer before


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
    found += [found_between(comparison) for comparison in log.comparisons]
    unused = [one for one in found if isinstance(one, Unused)]
    given = [one for one in found if isinstance(one, Proposal)]
    corrected = [one for one in given if isinstance(one.content, NewTriple)]
    exchanges = [one for one in given if isinstance(one.content, NewPair)]
    proposer = Proposer(run_id("import", document, found, pairs), Origin.IMPORTED, log.format, at)
    existing = Existing(document)
    additions: list[Addition] = []
    for one in [*corrected, *(exchanges if pairs else ())]:
        try:
            if reason := existing.why_not(one.content):
                unused.append(Unused(one.source, reason, one.prompt))
            else:
                existing.take(one.content, one.source)
                additions.append(proposer.addition(one.content, one.source, extra={"how": one.how}))
        except DocumentError as error:
            unused.append(Unused(one.source, error.message, one.prompt))
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


def found_in(conversation: Conversation) -> Iterator[Proposal | Unused]:
    """What each question of a conversation gives, in order."""
    turns = conversation.turns
    at = next((place for place, turn in enumerate(turns) if turn.role == USER), len(turns))
    first = True
    while at + 1 < len(turns):
        chain = _chain(turns, at)
        if turns[at + 1].role == ASSISTANT:
            yield from _read(conversation.where, turns, chain, first=first)
        first = False
        at = chain[-1] + 2


def found_between(comparison: Comparison) -> Proposal | Unused:
    """What two answers give, of which a file says which is the better."""
    prompt = clean(comparison.turns[-1].text)
    if len(comparison.turns) > 1 and leans_on_more(prompt):
        return Unused(comparison.where, _LEANS, prompt)
    chosen, rejected = (clean(one).strip() for one in (comparison.chosen, comparison.rejected))
    return Proposal(NewTriple(prompt, chosen, rejected), comparison.where, "compared")


def _chain(turns: tuple[Turn, ...], at: int) -> list[int]:
    """The place of a question, and those of the corrections that follow one another after it."""
    chain = [at]
    while chain[-1] + 2 < len(turns) and _cue(turns, chain[-1] + 2):
        chain.append(chain[-1] + 2)
    return chain


def _cue(turns: tuple[Turn, ...], at: int) -> str | None:
    return correction(turns[at].text, answered=turns[at - 1].text)


def _read(
    where: str, turns: tuple[Turn, ...], chain: list[int], *, first: bool
) -> Iterator[Proposal | Unused]:
    prompt = without_greeting(clean(turns[chain[0]].text))
    earlier, corrected = turns[chain[0] + 1], len(chain) > 1
    if chain[-1] + 1 >= len(turns):
        yield Unused(where, "the conversation ends with a correction", prompt)
        return
    answer = turns[chain[-1] + 1]
    if not first and leans_on_more(prompt):
        if corrected:
            yield Unused(where, _LEANS, prompt)
        return
    if not corrected:
        if not answer.finished:
            yield Unused(where, _NOT_TO_LEARN, prompt)
        elif _is_good(answer) and len(prompt.split()) > 1:
            yield Proposal(NewPair(prompt, clean(answer.text).strip()), where, "exchange")
        return
    told = "\n".join(turns[place].text for place in chain[1:])
    chosen = clean(without_apology(answer.text)).strip()
    reason = why_not_better(earlier.text, told, chosen)
    if not reason and not _is_good(answer):
        reason = "the answer after it was cut off or repeats itself"
    if reason:
        yield Unused(where, reason, prompt)
        return
    cue = _cue(turns, chain[1]) or ""
    triple = NewTriple(prompt, chosen, clean(earlier.text).strip())
    yield Proposal(triple, where, f"corrected: {cue}")


def _is_good(answer: Turn) -> bool:
    return (
        answer.finished
        and Direction.DECLINING not in directions(answer.text)
        and repetition(answer.text) <= _MOST_REPEATED
    )
