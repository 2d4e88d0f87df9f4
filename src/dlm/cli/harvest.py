"""`dlm harvest`: what an evaluation reports as failing, put into the document, or taken out."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from dlm.cli.common import count, note, print_json, read_document
from dlm.errors import DlmError, EditConflict

if TYPE_CHECKING:
    from dlm.cli.edits import Mode
    from dlm.doc.document import Document
    from dlm.loops.edits import EditPlan
    from dlm.loops.harvest import Harvest
    from dlm.loops.reports import Recovery, Report
    from dlm.store.database import Database

_COMMAND = "dlm harvest"
_NO_CANDIDATES = 2


def run(
    path: str | None,
    *,
    report: Path | None,
    format: str | None,
    tag: str,
    min_confidence: float,
    sealed: float,
    strict: bool,
    apply: bool,
    dry_run: bool,
    review: bool,
    as_json: bool,
) -> None:
    """Show what a report adds to the document, and write it there when asked to."""
    from dlm.cli.edits import mode_of
    from dlm.loops.harvest import harvest
    from dlm.loops.reports import complete, read_report
    from dlm.store.records import now

    if report is None:
        raise DlmError(
            "there is no report to harvest",
            hint="name one with --sway-json REPORT or --from FILE, or take back with --revert",
        )
    mode = mode_of(dry_run=dry_run, apply=apply, review=review, as_json=as_json)
    document = read_document(path)
    read = read_report(report, format)
    recovery = complete(read, document, report.parent)
    done = harvest(
        document,
        recovery,
        by=read.tool,
        at=now(),
        tag=tag,
        min_confidence=min_confidence,
        sealed=sealed,
    )
    _tell(report, read, recovery, done)
    if strict and done.unusable:
        first = done.unusable[0]
        raise DlmError(
            f"{first.probe} failed and gives no reference: {first.reason}",
            hint="--lax skips what gives nothing and takes the rest",
        )
    facts = _facts(report, read, done)
    if not done.candidates:
        if as_json:
            print_json(facts)
        note(f"error: {report} holds no failing probe with a reference: there is nothing to add")
        raise typer.Exit(_NO_CANDIDATES)
    _present(document, done.plan, mode, facts, as_json=as_json)


def revert(path: str | None, run: str | None, *, force: bool, dry_run: bool, as_json: bool) -> None:
    """Take what was harvested or pushed out of the document again."""
    from dlm.cli.edits_verbs import revert
    from dlm.doc.provenance import Origin

    origins = (Origin.HARVESTED, Origin.PUSHED)
    revert(path, origins, run, command=_COMMAND, force=force, dry_run=dry_run, as_json=as_json)


def _tell(path: Path, report: Report, recovery: Recovery, done: Harvest) -> None:
    """On standard error: what the report holds, and each failing probe that adds nothing."""
    from dlm.cli.terminal import one_line

    failing = f"{report.failing} of {count(report.probes, 'probe')} failed"
    made = [
        f"{count(number, noun)} {what}"
        for number, noun, what in (
            (done.added - done.sealed, "pair", "to learn"),
            (done.sealed, "pair", "to seal"),
            (done.raised, "weak one", "to raise"),
        )
        if number
    ]
    note(f"{path}: {report.tool}, {failing}: {', '.join(made) or 'nothing to add'}")
    for text in recovery.notes:
        note(f"note: {one_line(text, 200)}")
    for each in done.skipped:
        prompt = one_line(each.prompt, 50)
        note(f"skipped: {one_line(each.probe)}: {prompt!r}: {one_line(each.reason, 200)}")
    for item in done.unusable:
        note(f"nothing from: {one_line(item.probe)}: {one_line(item.reason, 200)}")


def _present(
    document: Document, plan: EditPlan, mode: Mode, facts: dict[str, Any], *, as_json: bool
) -> None:
    """Show the plan as a diff and, where `mode` says so, write it into the document."""
    from dlm.cli.edits import Mode, open_database, plan_json, review, say, size
    from dlm.cli.terminal import print_diff
    from dlm.loops.edits import diff, discard

    shown = diff(document, plan, place="end")
    facts = {**facts, **plan_json(plan), "diff": shown, "applied": False}
    if not plan:
        say(facts, "nothing to change", as_json=as_json)
        return
    if not as_json and mode is not Mode.REVIEW:
        print_diff(shown)
    if mode not in (Mode.APPLY, Mode.REVIEW):
        say(facts, f"{size(plan)}; nothing was changed: --apply writes them", as_json=as_json)
        return
    with open_database(document) as database:
        try:
            chosen = None
            if mode is Mode.REVIEW:
                plan, chosen = review(database, document, plan, place="end")
            if plan:
                _write(database, document, plan, chosen, facts, as_json=as_json)
            else:
                say(facts, "nothing was applied", as_json=as_json)
        finally:
            discard(database, plan.run)  # what was left out comes with the next harvest


def _write(
    database: Database,
    document: Document,
    plan: EditPlan,
    chosen: set[str] | None,
    facts: dict[str, Any],
    *,
    as_json: bool,
) -> None:
    from dlm.cli.edits import document_path, refusal_json, say, tell_refused
    from dlm.loops.edits import carry_out

    path = document_path(document)
    outcome = carry_out(database, path, plan, only=chosen, place="end")
    tell_refused(outcome.refusals, "not applied", "nothing else was lost")
    if outcome.refusals and not outcome.made:
        raise EditConflict(f"nothing of the report fits {path}, for the reasons above")
    facts = {
        **facts,
        "applied": bool(outcome.made),
        "added": [each.id for each in outcome.made.additions],
        "refused": [refusal_json(each) for each in outcome.refusals],
        "after_sha256": outcome.after.sha256,
    }
    back = f"`{_COMMAND} {path} --revert --run {plan.run}` takes it back"
    text = f"{path}: added {count(len(outcome.made), 'section')}; {back}"
    say(facts, text if outcome.made else "nothing was applied", as_json=as_json)


def _facts(path: Path, report: Report, done: Harvest) -> dict[str, Any]:
    from dlm.cli.terminal import plain

    return {
        "report": str(path),
        "tool": report.tool,
        "probes": report.probes,
        "failing": report.failing,
        "candidates": done.candidates,
        "pairs": done.added - done.sealed,
        "sealed": done.sealed,
        "raised": done.raised,
        "skipped": [
            {name: plain(value) for name, value in asdict(each).items()} for each in done.skipped
        ],
        "unusable": [
            {name: plain(value) for name, value in asdict(each).items()} for each in done.unusable
        ],
    }
