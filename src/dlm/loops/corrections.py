"""A correction that a program or a reader proposes: one pair, to be applied by the owner."""

from __future__ import annotations

from datetime import datetime

from dlm.doc.document import Document
from dlm.doc.provenance import Origin
from dlm.errors import EditConflict
from dlm.index import Index
from dlm.loops.edits import EditPlan, NewPair
from dlm.loops.proposals import Existing, Proposer, run_id


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


def _section_of(document: Document, question: str) -> str | None:
    """The section that speaks of what is asked, None when none does."""
    index = Index(document)
    best = next(iter(index.quotes(question)), None)
    if best is None or index.fit(question, best) < 0:
        return None
    return best.passage.section_id
