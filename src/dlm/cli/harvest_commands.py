"""`dlm harvest` with its options; the body is `dlm.cli.harvest`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dlm.cli.options import ApplyOption, JsonOption, PathArgument, ReviewOption
from dlm.errors import DlmError


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
            help="Read --from as sway, promptfoo, lm-eval, jsonl or csv; otherwise found out.",
        ),
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
    seal: Annotated[
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
    json: JsonOption = False,
) -> None:
    """Take what an evaluation reports as failing into the document."""
    from dlm.cli import harvest as body

    reports = [report for report in (sway_json, source) if report is not None]
    if revert:
        if reports or apply or review:
            other = "a report" if reports else "--apply" if apply else "--review"
            raise DlmError(
                f"--revert and {other} cannot go together",
                hint="take back first, then harvest again",
            )
        body.revert(path, run, force=force, dry_run=dry_run, as_json=json)
        return
    if len(reports) > 1:
        raise DlmError("--sway-json and --from cannot go together", hint="harvest one at a time")
    if run is not None or force:
        raise DlmError("--run and --force belong to --revert", hint="add --revert, or leave it out")
    if sway_json is not None and format not in (None, "sway"):
        raise DlmError(f"--sway-json is not read as {format}", hint="use --from FILE --format NAME")
    body.run(
        path,
        report=reports[0] if reports else None,
        format="sway" if sway_json is not None else format,
        tag=tag,
        min_confidence=min_confidence,
        sealed=seal,
        strict=strict,
        apply=apply,
        dry_run=dry_run,
        review=review,
        as_json=json,
    )
