"""`dlm harvest`: what an evaluation reports as failing, put into the document, or taken out."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dlm.cli.common import note, one_line, print_diff, print_json, read_document
from dlm.cli.edits import (
    Mode,
    document_path,
    mode_of,
    open_database,
    plan_json,
    refusal_json,
    review,
    say,
    size,
    tell_refused,
)
from dlm.cli.edits_verbs import EditVerbs
from dlm.cli.options import ApplyOption, JsonOption, PathArgument, ReviewOption
from dlm.errors import DlmError, EditConflict
from dlm.text.words import count

if TYPE_CHECKING:
    from dlm.doc.document import Document
    from dlm.loops.edits import EditPlan
    from dlm.loops.harvest import Harvest
    from dlm.loops.reports import Choices, Report
    from dlm.store.database import Database


_COMMAND = "dlm harvest"
_NO_CANDIDATES = 2


def harvest(
    path: PathArgument = None,
    sway_json: Annotated[
        Path | None,
        typer.Option("--sway-json", metavar="REPORT", help="A JSON report of dlm-sway."),
    ] = None,
    source: Annotated[
        Path | None,
        typer.Option(
            "--from", metavar="FILE", help="A report of another tool, or a list of pairs."
        ),
    ] = None,
    format: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="NAME",
            help="Read --from as sway, lm-eval, promptfoo, deepeval, openai-evals, jsonl or csv; "
            "otherwise found out.",
        ),
    ] = None,
    prompt_field: Annotated[
        str | None,
        typer.Option("--prompt-field", metavar="COLUMN", help="The column of the questions."),
    ] = None,
    reference_field: Annotated[
        str | None,
        typer.Option(
            "--reference-field", metavar="COLUMN", help="The column of the right answers."
        ),
    ] = None,
    failed_when: Annotated[
        str | None,
        typer.Option(
            "--failed-when",
            metavar="CONDITION",
            help="Which rows failed, as correct=false or score<0.5.",
        ),
    ] = None,
    provider: Annotated[
        str | None,
        typer.Option("--provider", metavar="NAME", help="Only what this one answered."),
    ] = None,
    apply: ApplyOption = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the change without making it (default).")
    ] = False,
    review: ReviewOption = False,
    tag: Annotated[
        str, typer.Option("--tag", metavar="NAME", help="First part of the source of each section.")
    ] = "auto-harvest",
    min_confidence: Annotated[
        float,
        typer.Option(
            "--min-confidence", metavar="F", min=0.0, help="Leave out what is less sure than this."
        ),
    ] = 0.0,
    sealed: Annotated[
        float,
        typer.Option(
            "--seal",
            metavar="F",
            min=0.0,
            max=1.0,
            help="Keep this fraction of the new pairs as !exam, never trained on.",
        ),
    ] = 0.0,
    strict: Annotated[
        bool,
        typer.Option("--strict/--lax", help="Refuse, or skip, failing probes without a reference."),
    ] = False,
    revert: Annotated[
        bool, typer.Option("--revert", help="Take what was harvested out of the document again.")
    ] = False,
    run: Annotated[
        str | None, typer.Option("--run", metavar="ID", help="With --revert: only this run.")
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="With --revert: what was edited since, too.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Take what an evaluation reports as failing into the document."""
    from dlm.loops.reports.values import Choices

    reports = [report for report in (sway_json, source) if report is not None]
    if revert:
        if reports or apply or review:
            other = "a report" if reports else "--apply" if apply else "--review"
            raise DlmError(
                f"--revert and {other} cannot go together",
                hint="take back first, then harvest again",
            )
        EditVerbs(("harvested", "pushed"), _COMMAND).revert(path, run, force, dry_run, as_json)
        return
    if len(reports) > 1:
        raise DlmError("--sway-json and --from cannot go together", hint="harvest one at a time")
    if run is not None or force:
        raise DlmError("--run and --force belong to --revert", hint="add --revert, or leave it out")
    if sway_json is not None and format not in (None, "sway"):
        raise DlmError(f"--sway-json is not read as {format}", hint="use --from FILE --format NAME")
    if not reports:
        raise DlmError(
            "there is no report to harvest",
            hint="name one with --sway-json REPORT or --from FILE, or take back with --revert",
        )
    mode = mode_of(dry_run=dry_run, apply=apply, review=review, as_json=as_json)
    document = read_document(path)
    _take(
        document,
        reports[0],
        "sway" if sway_json is not None else format,
        Choices(prompt_field, reference_field, failed_when, provider),
        mode,
        tag=tag,
        min_confidence=min_confidence,
        sealed=sealed,
        strict=strict,
        as_json=as_json,
    )


def _take(
    document: Document,
    report: Path,
    format: str | None,
    choices: Choices,
    mode: Mode,
    *,
    tag: str,
    min_confidence: float,
    sealed: float,
    strict: bool,
    as_json: bool,
) -> None:
    """Show what a report adds to the document, and write it there when asked to."""
    from dlm.cli.working import WorkLine
    from dlm.loops.harvest import harvest
    from dlm.loops.reports import read_report
    from dlm.store.records import now

    read = read_report(report, format, replace(choices, document=document))
    with closing(WorkLine()) as tell:
        done = harvest(
            document,
            read,
            by=read.tool,
            at=now(),
            tag=tag,
            min_confidence=min_confidence,
            sealed=sealed,
            tell=tell,
        )
    _tell(report, read, done)
    if strict and done.unusable:
        first = done.unusable[0]
        raise DlmError(
            f"{first.source} failed and gives no reference: {first.reason}",
            hint="--lax skips what gives nothing and takes the rest",
        )
    facts = _facts(report, read, done)
    if not done.candidates:
        if as_json:
            print_json(facts)
        note(f"error: {report} holds no failing probe with a reference: there is nothing to add")
        raise typer.Exit(_NO_CANDIDATES)
    _present(document, done.plan, mode, facts, as_json=as_json)


def _tell(path: Path, report: Report, done: Harvest) -> None:
    """On standard error: what the report holds, and each failing probe that adds nothing."""
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
    for text in report.notes:
        note(f"note: {one_line(text, 200)}")
    for each in done.skipped:
        prompt = one_line(each.prompt, 50)
        note(f"skipped: {one_line(each.source)}: {prompt!r}: {one_line(each.reason, 200)}")
    for item in done.unusable:
        note(f"nothing from: {one_line(item.source)}: {one_line(item.reason, 200)}")


def _present(
    document: Document, plan: EditPlan, mode: Mode, facts: dict[str, Any], *, as_json: bool
) -> None:
    """Show the plan as a diff and, where `mode` says so, write it into the document."""
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
            {"probe": each.source, "prompt": each.prompt, "reason": each.reason}
            for each in done.skipped
        ],
        "unusable": [{"probe": each.source, "reason": each.reason} for each in done.unusable],
    }
