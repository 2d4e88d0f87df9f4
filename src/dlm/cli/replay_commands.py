"""`dlm replay list|stats|prune` with their options; the bodies are in `replay`."""

from __future__ import annotations

from typing import Annotated

import typer

from dlm.cli.options import JsonOption, PathArgument

app = typer.Typer(
    help="What the current version remembers, and what retraining replays.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)


@app.command("list")
def list_items(path: PathArgument = None, json: JsonOption = False) -> None:
    """List every pair and paragraph that the current version was taught."""
    from dlm.cli.replay import list_memory

    list_memory(path, as_json=json)


@app.command()
def stats(path: PathArgument = None, json: JsonOption = False) -> None:
    """Count what is remembered, by origin and by the version that learned it."""
    from dlm.cli.replay import print_stats

    print_stats(path, as_json=json)


@app.command()
def prune(
    path: PathArgument = None,
    item: Annotated[
        list[str] | None,
        typer.Option("--item", metavar="ID", help="Only this one; may be given several times."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would go, and change nothing.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Stop replaying what was removed from the document."""
    from dlm.cli.replay import prune_removed

    prune_removed(path, item or [], dry_run=dry_run, as_json=json)
