"""The command line as a whole: every command and group by its name, in the order of the help."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Final

import typer

from dlm.cli import (
    asking,
    base,
    doctor,
    eval as evaluation,
    export,
    harvest,
    improve,
    init,
    metrics,
    pack,
    preference,
    serve,
    show,
    synth,
    train,
    versions,
)
from dlm.errors import UsageError

COMPLETION: Final = "_DLM_COMPLETE"
"""Set by the script of a shell when it asks for words."""

app = typer.Typer(
    name="dlm",
    help="Turn one plain-text file into a local language model that you can keep improving.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback(invoke_without_command=True)
def root(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
) -> None:
    if version:
        from dlm import __version__

        print(f"dlm {__version__}")
        raise typer.Exit


def completion(
    shell: Annotated[str, typer.Argument(metavar="SHELL", help="bash, zsh or fish.")],
) -> None:
    """Print the script that completes commands in a shell."""
    from typer.completion import get_completion_script  # type: ignore[attr-defined]

    if shell not in ("bash", "zsh", "fish"):
        raise UsageError(f"there is no completion for {shell!r}", hint="it is bash, zsh or fish")
    print(get_completion_script(prog_name="dlm", complete_var=COMPLETION, shell=shell))


for _group in (
    *(base.app, serve.corrections, evaluation.app, improve.app, metrics.app),
    *(preference.app, versions.app, synth.app),
):
    app.add_typer(_group, name=_group.info.name)

_COMMANDS: Final[dict[str, Callable[..., None]]] = {
    "init": init.init,
    "train": train.train,
    "prompt": asking.prompt,
    "repl": asking.repl,
    "show": show.show,
    "eval": evaluation.run,
    "history": versions.history,
    "rollback": versions.rollback,
    "report": show.write_report,
    "serve": serve.serve,
    "doctor": doctor.doctor,
    "migrate": init.bring_up_to_date,
    "export": export.export,
    "pack": pack.pack,
    "verify": pack.verify,
    "unpack": pack.unpack,
    "harvest": harvest.harvest,
    "mcp": serve.mcp,
    "completion": completion,
}
for _name, _command in _COMMANDS.items():
    app.command(_name)(_command)
