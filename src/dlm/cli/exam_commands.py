"""The options of `dlm exam list` and `verify`."""

from __future__ import annotations

import typer

from dlm.cli.options import JsonOption, PathArgument

app = typer.Typer(
    help="The questions that are only asked, never trained on.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)


@app.command("list")
def list_(path: PathArgument = None, json: JsonOption = False) -> None:
    """List the exam questions, and the pairs that are held out."""
    from dlm.cli.exam import list_exam

    list_exam(path, as_json=json)


@app.command()
def verify(path: PathArgument = None, json: JsonOption = False) -> None:
    """Check that nothing which trains nearly repeats an exam question."""
    from dlm.cli.exam import verify_exam

    verify_exam(path, as_json=json)
