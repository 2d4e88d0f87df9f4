"""Plans applied to document files and taken out of them, and those that wait in the store.

The file is read again under its lock, changed, and replaced whole; when an editor saved it
meanwhile, nothing is written. Whether a section is in the document is known from the document
alone: a crash between writing the file and noting it leaves the plan staged, and applied again it
is found to stand there already.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Final, NamedTuple

from dlm.doc.document import Document
from dlm.doc.parser import parse_file
from dlm.doc.provenance import Origin
from dlm.errors import CorruptStore, DlmError, DocumentError
from dlm.files import sweep_leftovers, write_atomic
from dlm.loops.edits.applying import Refusal, Reverted, fitted, rebase, reverted
from dlm.loops.edits.plan import EditPlan, Place, plan_from_json, plan_to_json
from dlm.store.database import Database
from dlm.store.edits import (
    DocumentEdit,
    StagedPlan,
    drop_plan,
    record_edit,
    stage_plan,
    staged_plans,
)
from dlm.store.locks import document_lock
from dlm.store.records import now

_STALE_SECONDS: Final = 60.0


class Applied(NamedTuple):
    """What became of a plan: the file before and after, and which changes were made.

    `present` are additions that stood in the file already, edited or not.
    """

    before: Document
    after: Document
    made: EditPlan
    refusals: tuple[Refusal, ...] = ()
    present: tuple[str, ...] = ()


def apply_to_file(
    path: Path,
    plan: EditPlan,
    *,
    only: Collection[str] | None = None,
    place: Place = "after",
    last_check: Callable[[], None] = lambda: None,
) -> Applied:
    """Carry out what fits of a plan, or of the changes that `only` names, in the file.

    The plan need not have been made on the text the file has now. Changes that do not fit are
    returned, and leave no trace in the file. Raises DocumentError, EditConflict, LockHeld or
    DlmError; then the file is as it was.
    """
    with document_lock(path):
        before = parse_file(path)
        rebased = rebase(before, plan, only, place)
        after = fitted(before, rebased.plan, place)
        _replace(path, before, after, last_check)
    return Applied(before, after, rebased.plan, rebased.refusals, rebased.present)


def revert_to_file(
    path: Path, origins: Collection[Origin], run: str | None = None, *, force: bool = False
) -> Reverted:
    """Take what these origins wrote, or one run of theirs, out of the file; see `reverted`."""
    with document_lock(path):
        before = parse_file(path)
        result = reverted(before, origins, run, force=force)
        _replace(path, before, result.document)
    return result


def replace_document(path: Path, before: Document, after: Document) -> None:
    """Write `after` unless the file changed since `before` was read from it."""
    with document_lock(path):
        _replace(path, before, after)


def stage(database: Database, plan: EditPlan) -> None:
    """Keep a plan until it is applied or discarded; one of the same run is replaced."""
    kept = StagedPlan(plan.run, plan.origin.value, plan.created_at, plan_to_json(plan))
    stage_plan(database, kept)


def staged(database: Database, origins: Collection[Origin] = tuple(Origin)) -> list[EditPlan]:
    """The plans of these origins that wait, oldest first."""
    wanted = {origin.value for origin in origins}
    return [_plan(each) for each in staged_plans(database) if each.origin in wanted]


def discard(database: Database, run: str) -> bool:
    """Forget the staged plan of a run; False when there is none."""
    return drop_plan(database, run)


def carry_out(
    database: Database,
    path: Path,
    plan: EditPlan,
    *,
    only: Collection[str] | None = None,
    place: Place = "after",
) -> Applied:
    """Apply a staged plan to the file and note it; what was not applied stays staged."""
    outcome = apply_to_file(path, plan, only=only, place=place)
    rest = plan.without({*outcome.made.ids, *outcome.present})
    with database.transaction():
        if rest:
            stage(database, rest)
        else:
            discard(database, plan.run)
        if outcome.made:
            record_edit(database, edit_of(plan, outcome))
    return outcome


def edit_of(plan: EditPlan, outcome: Applied) -> DocumentEdit:
    """What the history of edits keeps of a plan that was applied."""
    return DocumentEdit(
        plan.run,
        plan.origin,
        plan.by,
        now(),
        "apply",
        tuple(addition.section_id for addition in outcome.made.additions),
        tuple(removal.section_id for removal in outcome.made.removals),
        outcome.before.sha256,
        outcome.after.sha256,
    )


def take_back(
    database: Database,
    path: Path,
    origins: Collection[Origin],
    run: str | None = None,
    *,
    force: bool = False,
) -> Reverted:
    """Take runs out of the file, as `revert_to_file`, and note it."""
    outcome = revert_to_file(path, origins, run, force=force)
    removed: dict[tuple[str, Origin, str], list[str]] = {}
    for section in outcome.removed:
        if section.provenance is not None:
            key = (section.provenance.run, section.provenance.origin, section.provenance.by)
            removed.setdefault(key, []).append(section.section_id)
    shas = (outcome.before.sha256, outcome.document.sha256)
    with database.transaction():
        for (name, origin, by), ids in removed.items():
            edit = DocumentEdit(name, origin, by, now(), "revert", (), tuple(ids), *shas)
            record_edit(database, edit)
    return outcome


def _replace(
    path: Path, before: Document, after: Document, last_check: Callable[[], None] = lambda: None
) -> None:
    if after.text == before.text:
        return
    if not os.access(path, os.W_OK) or not path.stat().st_mode & 0o222:
        raise DlmError(
            f"{path} is read-only; nothing was written", hint="allow writing to it, and try again"
        )

    sweep_leftovers(path, older_than=_STALE_SECONDS)
    write_atomic(path, after.to_bytes(), last_check=last_check, expected=before.to_bytes())


def _plan(kept: StagedPlan) -> EditPlan:
    try:
        return plan_from_json(kept.plan)
    except (ValueError, TypeError, KeyError, DocumentError) as error:
        raise CorruptStore(
            f"the staged plan {kept.run} is damaged: {error}",
            hint=f"discard it: discard {kept.run}",
        ) from error
