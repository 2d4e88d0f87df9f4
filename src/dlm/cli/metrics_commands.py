"""The options of `dlm metrics show`, `watch` and `list`."""

from __future__ import annotations

from typing import Annotated

import typer

from dlm.cli.options import PathArgument

app = typer.Typer(
    help="What trainings measured: losses, learning rates, speed and evaluations.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)


@app.command()
def show(
    path: PathArgument = None,
    run: Annotated[
        str | None, typer.Option("--run", metavar="ID", help="This run instead of the last.")
    ] = None,
    version: Annotated[
        str | None,
        typer.Option("--version", metavar="vNNNN", help="The run that made this version."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
    csv: Annotated[bool, typer.Option("--csv", help="Print every step as CSV.")] = False,
) -> None:
    """Show what one training measured, epoch by epoch."""
    from dlm.cli.metrics import show_run

    show_run(path, run_id=run, version=version, as_json=json, as_csv=csv)


@app.command()
def watch(
    path: PathArgument = None,
    wait: Annotated[
        float,
        typer.Option("--wait", min=0, metavar="SECONDS", help="Wait so long for a training."),
    ] = 0,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")] = False,
) -> None:
    """Follow a training that runs in another terminal, until it ends."""
    from dlm.cli.metrics_watch import watch_run

    watch_run(path, wait=wait, as_json=json)


@app.command("list")
def list_(
    path: PathArgument = None,
    json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """List the trainings of a document, also those that came to no version."""
    from dlm.cli.metrics import list_runs

    list_runs(path, as_json=json)
