"""list, apply, discard and revert: the commands that every loop has for what it writes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from dlm.cli.common import (
    one_line,
    print_diff,
    print_json,
    read_document,
    split_path,
    trained_store,
)
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
from dlm.cli.options import (
    DryRunOption,
    JsonOption,
    PathArgument,
    PlaceOption,
    ReviewOption,
    RunOption,
    as_place,
    group,
)
from dlm.errors import EditConflict, StoreError, UsageError
from dlm.text.words import count

if TYPE_CHECKING:
    from dlm.doc.document import Document
    from dlm.doc.provenance import Origin
    from dlm.doc.sections import Section
    from dlm.loops.edits import EditPlan
    from dlm.store.edits import DocumentEdit

_SHOWN: Final = 20
_EDIT: Final = ("action", "at", "added", "removed", "before_sha256", "after_sha256")

_Written = dict[tuple[str, str, str], list["Section"]]


def edits_app(
    origins: Sequence[str], name: str, help: str = "", short_help: str | None = None
) -> typer.Typer:
    """A group `name` with list, apply, discard and revert for what these origins write.

    The loop adds its own commands to it: `@app.command()`.
    """
    app = group(name, help, short_help)
    verbs = EditVerbs(origins, f"dlm {name}")
    app.command("list")(verbs.list_)
    for verb in (verbs.apply, verbs.discard, verbs.revert):
        app.command()(verb)
    return app


class EditVerbs:
    """The verbs for what some origins write; `command` is how they are called, as `dlm synth`."""

    def __init__(self, origins: Sequence[str], command: str) -> None:
        self._names, self._command = origins, command

    @property
    def _origins(self) -> list[Origin]:
        from dlm.doc.provenance import Origin

        return [Origin(name) for name in self._names]

    def list_(
        self, path: PathArgument = None, run: RunOption = None, as_json: JsonOption = False
    ) -> None:
        """List what is staged, and what was written into the document, by run."""
        from dlm.loops.edits import staged
        from dlm.store.edits import document_edits

        document = read_document(path)
        plans: list[EditPlan] = []
        edits: tuple[DocumentEdit, ...] = ()
        with trained_store(document) as store:
            if store:
                plans, edits = staged(store.database, self._origins), document_edits(store.database)
        plans = [plan for plan in plans if run in (None, plan.run)]
        found = _written(document, self._origins).items()
        written = {key: sections for key, sections in found if run in (None, key[0])}
        if as_json:
            waiting = [_staged_json(document, plan) for plan in plans]
            applied = [_written_json(key, made, edits) for key, made in written.items()]
            print_json({"staged": waiting, "applied": applied})
            return
        if not plans and not written:
            print(f"{document.path}: nothing is staged, and nothing was applied")
        for plan in plans:
            _print_staged(document, plan, everything=run is not None)
        for key, sections in written.items():
            _print_written(key, sections, edits, everything=run is not None)
        if plans:
            path_, name = document.path, self._command
            print(f"apply with `{name} apply {path_}`, forget with `{name} discard`")

    def apply(
        self,
        path: PathArgument = None,
        run: RunOption = None,
        only: Annotated[
            list[str] | None,
            typer.Option("--only", metavar="ID", help="Only this change; may be given again."),
        ] = None,
        place: PlaceOption = "after",
        interactive: ReviewOption = False,
        dry_run: DryRunOption = False,
        as_json: JsonOption = False,
    ) -> None:
        """Write what is staged into the document."""
        from dlm.loops.edits import diff, staged

        where = as_place(place)
        if interactive:
            require_review(as_json=as_json)
        document = read_document(path)
        with open_database(document) as database:
            plans = [p for p in staged(database, self._origins) if run in (None, p.run)]
            if run is not None and not plans:
                raise self._no_such_run(run)
            wanted = self._named(plans, only or ())
            if not plans:
                say({"applied": []}, "nothing is staged", as_json=as_json)
            elif dry_run:
                diffs = [diff(document, plan, wanted, where) for plan in plans]
                if not as_json:
                    print_diff("".join(diffs))
                say({"diffs": diffs}, "nothing was changed (--dry-run)", as_json=as_json)
            else:
                if interactive:
                    answers = [review(database, document, p, wanted, place=where) for p in plans]
                    plans = [plan for plan, _ in answers]
                    wanted = {name for _, accepted in answers for name in accepted}
                file = document_path(document)
                carry_out_all(database, file, plans, wanted, where, self._command, as_json=as_json)

    def discard(
        self,
        path: PathArgument = None,
        run: Annotated[
            str | None, typer.Argument(metavar="[RUN]", help="Only this run; all without one.")
        ] = None,
        as_json: JsonOption = False,
    ) -> None:
        """Forget what is staged."""
        from dlm.store.edits import drop_plan, staged_plans

        path, run = split_path(path, run)
        document = read_document(path)
        with open_database(document) as database:
            # The plans themselves are not read: one that is damaged can be forgotten, too.
            runs = [each.run for each in staged_plans(database) if each.origin in self._names]
            if run is not None and run not in runs:
                raise self._no_such_run(run)
            gone = [name for name in runs if run in (None, name) and drop_plan(database, name)]
        text = f"discarded {', '.join(map(one_line, gone))}" if gone else "nothing is staged"
        say({"discarded": gone}, text, as_json=as_json)

    def revert(
        self,
        path: PathArgument = None,
        run: RunOption = None,
        force: Annotated[
            bool, typer.Option("--force", help="Take out what was edited since, too.")
        ] = False,
        dry_run: DryRunOption = False,
        as_json: JsonOption = False,
    ) -> None:
        """Take what was written into the document out again."""
        from dlm.loops.edits import reverted, take_back, unified

        document, origins = read_document(path), self._origins
        done = reverted(document, origins, run, force=force)
        if run is not None and not done.removed and not done.kept:
            raise EditConflict(
                f"no section of {document.path} was written by run {one_line(run)}",
                hint=f"`{self._command} list` names the runs",
            )
        if not as_json:
            print_diff(unified(document, done.document))
        if done.removed and not dry_run:
            file = document_path(document)
            with open_database(document) as database:
                done = take_back(database, file, origins, run, force=force)
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

    def _named(self, plans: Sequence[EditPlan], only: Sequence[str]) -> set[str] | None:
        """The ids that are wanted, None for all; each may be several, separated by commas."""
        wanted = {name for item in only for name in item.replace(",", " ").split()}
        unknown = sorted(wanted - {name for plan in plans for name in plan.ids})
        if unknown:
            raise UsageError(
                f"nothing that is staged is called {', '.join(unknown)}",
                hint=f"`{self._command} list` names what there is",
            )
        return wanted or None

    def _no_such_run(self, run: str) -> StoreError:
        return StoreError(
            f"no staged run is called {one_line(run)}",
            hint=f"`{self._command} list` names the runs",
        )


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
    if not everything and len(rows) > _SHOWN:
        print(f"  … and {len(rows) - _SHOWN} more: --run {one_line(plan.run)} lists all")


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

    def told(section: Section) -> dict[str, Any]:
        made = section.provenance
        return {
            "section_id": section.section_id,
            "line": section.line,
            "summary": summary_of(section),
            "edited": is_edited(section),
            "derived_from": made.derived_from if made else None,
            "scores": dict(made.scores) if made else {},
        }

    return {
        "run": key[0],
        "origin": key[1],
        "by": key[2],
        "applied_at": _applied_at(key, sections, edits),
        "sections": [told(section) for section in sections],
        "edits": [
            {name: getattr(each, name) for name in _EDIT} for each in edits if each.run == key[0]
        ],
    }
