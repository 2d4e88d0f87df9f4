"""What the loops have staged for a document: shown, edited, applied and discarded by the page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Final

from dlm.doc.document import Document
from dlm.doc.parser import parse_file
from dlm.errors import EditConflict
from dlm.loops.edits import (
    Addition,
    EditPlan,
    carry_out as carry_out_plan,
    diff,
    discard as discard_plan,
    rebase,
    stage,
    staged,
)
from dlm.serve.page.wrong import text_of
from dlm.serve.refusals import Refused
from dlm.serve.shelf import Book
from dlm.store.database import Database
from dlm.store.edits import waiting_probes
from dlm.store.store import open_store, writable_store

MOST_PROBES: Final = 100


def waiting(book: Book) -> dict[str, Any]:
    """Every staged plan, oldest first, each with its difference to the text of today, and the
    probes that wait."""
    document = parse_file(book.path)
    with open_store(document) as store:
        plans, probes = staged(store.database), waiting_probes(store.database)
    return {
        "plans": [_plan(document, plan) for plan in plans],
        "probes": [
            {"id": one.probe_id, "question": one.prompt, "answer": one.reference}
            | {"reason": one.reason}
            for one in probes[:MOST_PROBES]
        ],
        "more": max(0, len(probes) - MOST_PROBES),
    }


def apply(book: Book, given: Mapping[str, Any]) -> dict[str, Any]:
    """Write the changes that were shown, by their ids; what does not fit stays staged.

    Raises EditConflict when nothing fits, or the plan is another by now.
    """
    with _staged(book, given) as (database, _, plan):
        ids = given.get("ids")
        if not isinstance(ids, list) or not set(map(str, ids)) <= {*plan.ids}:
            raise _changed_meanwhile()
        outcome = carry_out_plan(database, book.path, plan, only=list(map(str, ids)))
    refused = [f"{one.summary}: {one.reason}" for one in outcome.refusals]
    if refused and not outcome.made and not outcome.present:
        raise EditConflict(f"nothing of it fits the document any more: {'; '.join(refused)}")
    return {
        "made": len(outcome.made),
        "present": len(outcome.present),
        "refused": refused,
        "run": plan.run,
    }


def discard(book: Book, given: Mapping[str, Any]) -> dict[str, Any]:
    """Forget a staged plan, or the one change of it that `id` names."""
    with _staged(book, given) as (database, _, plan):
        name = text_of(given, "id") if given.get("id") else None
        if name is not None and name not in plan.ids:
            raise _changed_meanwhile()
        rest = None if name is None else plan.without({name})
        if rest:
            stage(database, rest)
        else:
            discard_plan(database, plan.run)
    return {"left": len(rest) if rest else 0}


def edit(book: Book, given: Mapping[str, Any]) -> dict[str, Any]:
    """Give a staged addition another text; it keeps its provenance. Raises DocumentError."""
    with _staged(book, given) as (database, document, plan):
        name, text = text_of(given, "id"), text_of(given, "text")
        if name not in {one.id for one in plan.additions}:
            raise _changed_meanwhile()
        changed = [one.with_body(f"{text}\n") if one.id == name else one for one in plan.additions]
        new = replace(plan, additions=tuple(changed))
        stage(database, new)
    return {"plan": _plan(document, new)}


def _changed_meanwhile() -> EditConflict:
    return EditConflict("this plan was changed meanwhile", hint="look at it again")


@contextmanager
def _staged(book: Book, given: Mapping[str, Any]) -> Iterator[tuple[Database, Document, EditPlan]]:
    """The store's database, the document, and the staged plan whose run is named."""
    run = text_of(given, "run")
    document = parse_file(book.path)
    with writable_store(document) as store:
        plan = next((one for one in staged(store.database) if one.run == run), None)
        if plan is None:
            raise Refused(404, "this plan is not staged any more: look at the list again")
        yield store.database, document, plan


def _plan(document: Document, plan: EditPlan) -> dict[str, Any]:
    reasons = {one.id: one.reason for one in rebase(document, plan).refusals}
    lines = {section.section_id: section.line for section in reversed(document.sections)}
    return {
        "run": plan.run,
        "origin": plan.origin.value,
        "by": plan.by,
        "at": plan.created_at.isoformat(),
        "ids": list(plan.ids),
        "diff": diff(document, plan),
        "additions": [
            _addition(one, lines.get(one.after or ""), reasons.get(one.id))
            for one in plan.additions
        ],
        "removals": [
            {
                "id": one.id,
                "line": lines.get(one.section_id),
                "summary": one.summary,
                "reason": reasons.get(one.id),
            }
            for one in plan.removals
        ],
    }


def _addition(addition: Addition, line: int | None, reason: str | None) -> dict[str, Any]:
    return {
        "id": addition.id,
        "line": line,
        "summary": addition.summary,
        "text": addition.body().strip("\n"),
        "reason": reason,
    }
