"""Plans that wait in the store, and the record of those that were carried out.

Whether a section is in the document is known from the document alone. A crash between writing the
file and noting it leaves the plan staged; applied again, it is found to stand there already.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from dlm.doc.provenance import Origin
from dlm.errors import CorruptStore
from dlm.loops.edits.codec import plan_from_json, plan_to_json
from dlm.loops.edits.files import Applied, TakenBack, apply_to_file, revert_to_file
from dlm.loops.edits.plan import EditPlan, Place
from dlm.store import staged_plans
from dlm.store.database import Database
from dlm.store.records import now
from dlm.store.staged_plans import DocumentEdit, StagedPlan


def stage(database: Database, plan: EditPlan) -> None:
    """Keep a plan until it is applied or discarded; one of the same run is replaced."""
    kept = StagedPlan(plan.run, plan.origin.value, plan.created_at, plan_to_json(plan))
    staged_plans.put(database, kept)


def staged(database: Database, origins: Collection[Origin] = tuple(Origin)) -> list[EditPlan]:
    """The plans of these origins that wait, oldest first."""
    wanted = {origin.value for origin in origins}
    return [_plan(each) for each in staged_plans.staged_plans(database) if each.origin in wanted]


def discard(database: Database, run: str) -> bool:
    """Forget the staged plan of a run; False when there is none."""
    return staged_plans.drop(database, run)


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
            staged_plans.record(database, _edit_of(plan, outcome))
    return outcome


def take_back(
    database: Database,
    path: Path,
    origins: Collection[Origin],
    run: str | None = None,
    *,
    force: bool = False,
) -> TakenBack:
    """Take runs out of the file, as `revert_to_file`, and note it."""
    outcome = revert_to_file(path, origins, run, force=force)
    removed: dict[tuple[str, Origin, str], list[str]] = {}
    for section in outcome.reverted.removed:
        if section.provenance is not None:
            key = (section.provenance.run, section.provenance.origin, section.provenance.by)
            removed.setdefault(key, []).append(section.section_id)
    shas = (outcome.before.sha256, outcome.reverted.document.sha256)
    with database.transaction():
        for (name, origin, by), ids in removed.items():
            edit = DocumentEdit(name, origin, by, now(), "revert", (), tuple(ids), *shas)
            staged_plans.record(database, edit)
    return outcome


def _edit_of(plan: EditPlan, outcome: Applied) -> DocumentEdit:
    return DocumentEdit(
        plan.run,
        plan.origin,
        plan.by,
        now(),
        "apply",
        tuple(addition.block().section_id for addition in outcome.made.additions),
        tuple(removal.section_id for removal in outcome.made.removals),
        outcome.before.sha256,
        outcome.after.sha256,
    )


def _plan(kept: StagedPlan) -> EditPlan:
    try:
        return plan_from_json(kept.plan)
    except (ValueError, TypeError, KeyError) as error:
        raise CorruptStore(
            f"the staged plan {kept.run} is damaged: {error}",
            hint=f"discard it: discard {kept.run}",
        ) from error
