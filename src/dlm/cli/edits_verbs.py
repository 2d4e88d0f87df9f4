"""list, apply, discard and revert, for the origins of one loop."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from dlm.cli.common import count, note, one_line, plain, print_diff, print_json, read_document
from dlm.cli.edits import (
    carry_out_all,
    document_path,
    open_database,
    plan_json,
    refusal_json,
    require_review,
    review,
    say,
    size,
    tell_refused,
)
from dlm.errors import EditConflict, StoreError, UsageError

if TYPE_CHECKING:
    from dlm.doc.document import Document
    from dlm.doc.provenance import Origin
    from dlm.doc.sections import Section
    from dlm.loops.edits import EditPlan, Place
    from dlm.store.edits import DocumentEdit


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
    from dlm.store.edits import drop_plan, staged_plans

    document = read_document(path)
    names = {origin.value for origin in origins}
    with open_database(document) as database:
        # The plans themselves are not read: one that is damaged can be forgotten, too.
        runs = [each.run for each in staged_plans(database) if each.origin in names]
        if run is not None and run not in runs:
            raise _no_such_run(run, command)
        gone = [name for name in runs if run in (None, name) and drop_plan(database, name)]
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


_SHOWN: Final = 20

_Written = dict[tuple[str, str, str], list["Section"]]


@dataclass(frozen=True, slots=True)
class _Kept:
    """What the store knows: plans that wait, and when edits were made."""

    staged: list[EditPlan]
    edits: tuple[DocumentEdit, ...]


def list_runs(
    path: str | None, origins: Sequence[Origin], name: str | None, *, command: str, as_json: bool
) -> None:
    document = read_document(path)
    kept = _kept(document, origins)
    staged = [plan for plan in kept.staged if name in (None, plan.run)]
    written = {
        key: sections
        for key, sections in _written(document, origins).items()
        if name in (None, key[0])
    }
    if as_json:
        print_json(
            {
                "staged": [_staged_json(document, plan) for plan in staged],
                "applied": [
                    _written_json(key, sections, kept.edits) for key, sections in written.items()
                ],
            }
        )
        return
    if not staged and not written:
        print(f"{document.path}: nothing is staged, and nothing was applied")
    for plan in staged:
        _print_staged(document, plan, everything=name is not None)
    for key, sections in written.items():
        _print_written(key, sections, kept.edits, everything=name is not None)
    if staged:
        print(f"apply with `{command} apply {document.path}`, forget with `{command} discard`")


def _kept(document: Document, origins: Sequence[Origin]) -> _Kept:
    """What the store says; a document without a store gets none for this."""
    from dlm.loops.edits import staged
    from dlm.store.edits import document_edits
    from dlm.store.paths import for_dlm
    from dlm.store.store import Store

    frontmatter = document.frontmatter
    if not for_dlm(frontmatter.dlm_id).database.exists():
        return _Kept([], ())
    with Store.open(frontmatter.dlm_id, base_model=frontmatter.base_model) as store:
        for text in store.notices:
            note(f"note: {text}")
        return _Kept(staged(store.database, origins), document_edits(store.database))


def _written(document: Document, origins: Sequence[Origin]) -> _Written:
    """The sections of these origins in the document, by run, origin and maker."""
    runs: _Written = {}
    for section in document.sections:
        made = section.provenance
        if made is not None and made.origin in origins:
            runs.setdefault((made.run, made.origin.value, made.by), []).append(section)
    return runs


def _applied_at(
    key: tuple[str, str, str], sections: Iterable[Section], edits: Iterable[DocumentEdit]
) -> datetime | None:
    """When the run was last applied; without a record, when its sections say they were made."""
    times = [each.at for each in edits if each.run == key[0] and each.action == "apply"]
    made = [s.provenance.at for s in sections if s.provenance and s.provenance.at]
    return max(times or made, default=None)


def _print_staged(document: Document, plan: EditPlan, *, everything: bool) -> None:
    title = _title(plan.run, plan.origin.value, plan.by, plan.created_at)
    print(f"staged   {title}, {size(plan)}")
    reasons = _reasons(document, plan)
    lines = {section.section_id: section.line for section in reversed(document.sections)}
    rows: list[tuple[str, str, str]] = []
    for addition in plan.additions:
        line = lines.get(addition.after or "")
        place = f"after line {line}" if line else "at the end"
        rows.append((addition.id, place, addition.summary))
    for removal in plan.removals:
        line = lines.get(removal.section_id)
        rows.append((removal.id, f"remove line {line}" if line else "remove", removal.summary))
    for name, place, summary in rows if everything else rows[:_SHOWN]:
        reason = f"  (does not fit: {reasons[name]})" if name in reasons else ""
        print(f"  {name}  {place:<16}  {one_line(summary)}{reason}")
    _print_rest(rows, plan.run, everything)


def _print_written(
    key: tuple[str, str, str],
    sections: Sequence[Section],
    edits: Sequence[DocumentEdit],
    *,
    everything: bool,
) -> None:
    from dlm.loops.edits import is_edited, summary_of

    edited = sum(is_edited(section) for section in sections)
    note_edited = f", {edited} edited since" if edited else ""
    title = _title(*key, _applied_at(key, sections, edits))
    print(f"applied  {title}, {count(len(sections), 'section')}{note_edited}")
    for section in sections if everything else ():
        mark = "  (edited since)" if is_edited(section) else ""
        print(f"  line {section.line:<6}  {one_line(summary_of(section))}{mark}")


def _print_rest(rows: Sequence[object], run: str, everything: bool) -> None:
    if not everything and len(rows) > _SHOWN:
        print(f"  … and {len(rows) - _SHOWN} more: --run {one_line(run)} lists all")


def _title(run: str, origin: str, by: str, at: datetime | None) -> str:
    made = f"{origin} by {one_line(by)}" if by else origin
    when = f", {at.astimezone():%Y-%m-%d %H:%M}" if at else ""
    return f"{one_line(run) or '-'}  {made}{when}"


def _reasons(document: Document, plan: EditPlan) -> dict[str, str]:
    """Why changes of a plan would be refused now, by id."""
    from dlm.loops.edits import rebase

    rebased = rebase(document, plan)
    present = dict.fromkeys(rebased.present, "it stands in the document already")
    return present | {each.id: each.reason for each in rebased.refusals}


def _staged_json(document: Document, plan: EditPlan) -> dict[str, Any]:
    return {**plan_json(plan), "does_not_fit": _reasons(document, plan)}


def _written_json(
    key: tuple[str, str, str], sections: Sequence[Section], edits: Sequence[DocumentEdit]
) -> dict[str, Any]:
    from dlm.loops.edits import is_edited, summary_of

    return {
        "run": plain(key[0]),
        "origin": key[1],
        "by": plain(key[2]),
        "applied_at": _applied_at(key, sections, edits),
        "sections": [
            {
                "section_id": section.section_id,
                "line": section.line,
                "summary": plain(summary_of(section)),
                "edited": is_edited(section),
                "derived_from": _provenance_text(section),
                "scores": dict(section.provenance.scores) if section.provenance else {},
            }
            for section in sections
        ],
        "edits": [
            {
                "action": each.action,
                "at": each.at,
                "added": list(each.added),
                "removed": list(each.removed),
                "before_sha256": each.before_sha256,
                "after_sha256": each.after_sha256,
            }
            for each in edits
            if each.run == key[0]
        ],
    }


def _provenance_text(section: Section) -> str | None:
    source = section.provenance.derived_from if section.provenance else None
    return None if source is None else plain(source)
