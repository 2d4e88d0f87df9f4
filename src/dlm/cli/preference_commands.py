"""`dlm preference …` with its options: the group of edits, mining, and the import of chat logs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dlm.cli.edits_commands import as_place, edits_app
from dlm.cli.options import (
    ApplyOption,
    JsonOption,
    JudgeOption,
    KeepNothingOption,
    PathArgument,
    PlaceOption,
    ReviewOption,
    SeedOption,
    TopPOption,
)

app = edits_app(
    ["mined", "imported"],
    "preference",
    "Find pairs of a better and a worse answer: mined from the model, or in chat logs.",
)


@app.command()
def mine(
    path: PathArgument = None,
    samples: Annotated[
        int, typer.Option("--samples", min=1, max=64, help="Answers drawn of a model a prompt.")
    ] = 4,
    judge: JudgeOption = "sway",
    threshold: Annotated[
        float | None,
        typer.Option(
            "--threshold",
            metavar="F",
            min=0.0,
            help="Margin by which the chosen must lead, in scores of the judge; default its own.",
        ),
    ] = None,
    max_pairs: Annotated[
        int | None,
        typer.Option("--max-pairs", min=1, help="Most pairs kept: those with the widest margins."),
    ] = None,
    temp: Annotated[
        float, typer.Option("--temp", min=0.0, max=5.0, help="Temperature of the sampling.")
    ] = 0.8,
    top_p: TopPOption = 0.95,
    seed: SeedOption = 0,
    max_new_tokens: Annotated[
        int, typer.Option("--max-new-tokens", min=8, help="Longest answer, in tokens.")
    ] = 160,
    reject_from: Annotated[
        str,
        typer.Option(
            "--reject-from",
            metavar="self|base|first",
            help="Take the rejected answer from the current version, its base, or the oldest one.",
        ),
    ] = "self",
    authored: Annotated[
        bool, typer.Option("--authored", help="Let the document's own answer be the chosen one.")
    ] = False,
    timeout: Annotated[
        float | None,
        typer.Option("--timeout", min=0.1, help="Seconds a judge that is a program may take."),
    ] = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Print every answer with its score and fate.")
    ] = False,
    dry_run: KeepNothingOption = False,
    apply: ApplyOption = False,
    review: ReviewOption = False,
    place: PlaceOption = "after",
    json: JsonOption = False,
) -> None:
    """Let the model answer the document's questions, and keep its best and worst as pairs."""
    from dlm.cli.edits import mode_of
    from dlm.cli.mine import as_reject_from, run
    from dlm.loops.mine.candidates import MineOptions

    mode = mode_of(dry_run=dry_run, apply=apply, review=review, as_json=json)
    options = MineOptions(
        samples=samples,
        judge=judge,
        threshold=threshold,
        max_pairs=max_pairs,
        temperature=temp,
        top_p=top_p,
        seed=seed,
        max_new_tokens=max_new_tokens,
        reject_from=as_reject_from(reject_from),
        authored=authored,
        timeout=timeout,
    )
    run(path, options, mode=mode, place=as_place(place), explain=explain, as_json=json)


@app.command("import")
def import_(
    log: Annotated[Path, typer.Argument(metavar="LOG", help="A chat log: JSON or JSONL.")],
    path: PathArgument = None,
    pairs: Annotated[
        bool, typer.Option("--pairs", help="Take plain exchanges, too, as questions and answers.")
    ] = False,
    format: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="NAME",
            help="messages, sharegpt, chatgpt, claude or open-webui; otherwise found out.",
        ),
    ] = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Name everything that gives nothing, and why.")
    ] = False,
    dry_run: KeepNothingOption = False,
    apply: ApplyOption = False,
    review: ReviewOption = False,
    json: JsonOption = False,
) -> None:
    """Take what a user corrected in a chat log as pairs of a better and a worse answer."""
    from dlm.cli.edits import mode_of
    from dlm.cli.import_chat import run

    mode = mode_of(dry_run=dry_run, apply=apply, review=review, as_json=json)
    if path is not None and log.suffix == ".dlm":  # the document first, as other commands have it
        path, log = str(log), Path(path)
    run(path, log, format=format, pairs=pairs, explain=explain, mode=mode, as_json=json)
