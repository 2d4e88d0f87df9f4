"""The bodies of apply, discard and revert, for the origins of one loop."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dlm.cli.common import count, read_document
from dlm.cli.edits import (
    carry_out_all,
    document_path,
    open_database,
    refusal_json,
    require_review,
    review,
    say,
    tell_refused,
)
from dlm.cli.terminal import one_line, plain, print_diff
from dlm.errors import EditConflict, StoreError, UsageError

if TYPE_CHECKING:
    from dlm.doc.provenance import Origin
    from dlm.loops.edits import EditPlan, Place


def apply(
    path: str | None,
    origins: Sequence[Origin],
    *,
    command: str,
    run: str | None = None,
    only: Sequence[str] = (),
    place: Place = "after",
    dry_run: bool = False,
    interactive: bool = False,
    as_json: bool = False,
) -> None:
    """Apply the staged plans of these origins, or one run of theirs, oldest first."""
    from dlm.loops.edits import diff, staged

    if interactive:
        require_review(as_json=as_json)
    document = read_document(path)
    with open_database(document) as database:
        plans = _of_run(staged(database, origins), run, command)
        wanted = _named(plans, only, command)
        if not plans:
            say({"applied": []}, "nothing is staged", as_json=as_json)
        elif dry_run:
            diffs = [diff(document, plan, wanted, place) for plan in plans]
            if not as_json:
                print_diff("".join(diffs))
            say({"diffs": diffs}, "nothing was changed (--dry-run)", as_json=as_json)
        else:
            if interactive:
                answers = [review(database, document, plan, wanted, place=place) for plan in plans]
                plans = [plan for plan, _ in answers]
                wanted = {name for _, accepted in answers for name in accepted}
            file = document_path(document)
            carry_out_all(database, file, plans, wanted, place, command, as_json=as_json)


def discard(
    path: str | None,
    origins: Sequence[Origin],
    run: str | None,
    *,
    command: str,
    as_json: bool = False,
) -> None:
    """Forget the staged plans of these origins, or one run of theirs."""
    from dlm.store import staged_plans

    document = read_document(path)
    names = {origin.value for origin in origins}
    with open_database(document) as database:
        # The plans themselves are not read: one that is damaged can be forgotten, too.
        runs = [each.run for each in staged_plans.staged_plans(database) if each.origin in names]
        if run is not None and run not in runs:
            raise _no_such_run(run, command)
        gone = [name for name in runs if run in (None, name) and staged_plans.drop(database, name)]
    text = f"discarded {', '.join(map(one_line, gone))}" if gone else "nothing is staged"
    say({"discarded": list(map(plain, gone))}, text, as_json=as_json)


def revert(
    path: str | None,
    origins: Sequence[Origin],
    run: str | None,
    *,
    command: str,
    force: bool = False,
    dry_run: bool = False,
    as_json: bool = False,
) -> None:
    """Take what these origins wrote, or one run of theirs, out of the document."""
    from dlm.loops.edits import reverted, take_back, unified

    document = read_document(path)
    done = reverted(document, origins, run, force=force)
    if run is not None and not done.removed and not done.kept:
        raise EditConflict(
            f"no section of {document.path} was written by run {one_line(run)}",
            hint=f"`{command} list` names the runs",
        )
    if not as_json:
        print_diff(unified(document, done.document))
    if done.removed and not dry_run:
        with open_database(document) as database:
            done = take_back(database, document_path(document), origins, run, force=force).reverted
    taken = f"took {count(len(done.removed), 'section')} out of {document.path}"
    text = taken if done.removed else "nothing to take back"
    facts = {
        "changed": bool(done.removed) and not dry_run,
        "removed": [section.section_id for section in done.removed],
        "kept": [refusal_json(each) for each in done.kept],
    }
    say(facts, "nothing was changed (--dry-run)" if dry_run else text, as_json=as_json)
    tell_refused(done.kept, "kept", "--force takes what was edited, too")
    if done.kept and not done.removed:
        raise EditConflict("every section was kept, for the reasons above")


def _of_run(plans: list[EditPlan], run: str | None, command: str) -> list[EditPlan]:
    found = [plan for plan in plans if run in (None, plan.run)]
    if run is not None and not found:
        raise _no_such_run(run, command)
    return found


def _named(plans: list[EditPlan], only: Sequence[str], command: str) -> set[str] | None:
    """The ids that are wanted, None for all; each may be several, separated by commas."""
    wanted = {name for item in only for name in item.replace(",", " ").split()}
    unknown = sorted(wanted - {name for plan in plans for name in plan.ids})
    if unknown:
        raise UsageError(
            f"nothing that is staged is called {', '.join(unknown)}",
            hint=f"`{command} list` names what there is",
        )
    return wanted or None


def _no_such_run(run: str, command: str) -> StoreError:
    return StoreError(
        f"no staged run is called {one_line(run)}", hint=f"`{command} list` names the runs"
    )
