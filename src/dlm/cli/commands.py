"""The command line as a whole: every command and group by its name, in the order of the help.

Of all of them only the one that was called is imported: that is most of what a help page costs.
"""

from __future__ import annotations

from copy import copy
from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Any, Final, NamedTuple

import typer

if TYPE_CHECKING:
    from typer.models import CommandInfo

COMPLETION: Final = "_DLM_COMPLETE"
"""Set by the script of a shell when it asks for words."""


class Entry(NamedTuple):
    """The module in `dlm.cli`, the name in it, and what the list of commands says of it."""

    module: str
    attribute: str
    help: str

    def load(self) -> Any:
        return getattr(import_module(f"dlm.cli.{self.module}"), self.attribute)


COMMANDS: Final = {
    "init": Entry("init", "init", "Create a document."),
    "train": Entry("train", "train", "Train until the document is learned; keep it as a version."),
    "prompt": Entry("asking", "prompt", "Ask the document a question."),
    "repl": Entry("asking", "repl", "Ask one question after another."),
    "show": Entry("show", "show", "Show what is in the document and what of it is trained."),
    "eval": Entry("eval", "run", "Measure what a version knows, lost, and how it speaks."),
    "history": Entry("versions", "history", "List the versions of the document's adapter."),
    "rollback": Entry("versions", "rollback", "Make an earlier version current again."),
    "report": Entry("show", "write_report", "Write a page that says what the model knows."),
    "serve": Entry("serve", "serve", "Answer over HTTP, as OpenAI's API does."),
    "doctor": Entry("doctor", "doctor", "Check this machine, the base model and the store."),
    "migrate": Entry(
        "init", "bring_up_to_date", "Bring the frontmatter of an older document up to date."
    ),
    "export": Entry("export", "export", "Write a version for other programs."),
    "pack": Entry("pack", "pack", "Put the document and its store into one file."),
    "verify": Entry("pack", "verify", "Check every part of a packed document."),
    "unpack": Entry("pack", "unpack", "Bring a packed document here, with its store."),
    "harvest": Entry(
        "harvest", "harvest", "Take what an evaluation reports as failing into the document."
    ),
    "mcp": Entry("serve", "mcp", "Answer an assistant over standard input and output (MCP)."),
    "completion": Entry(
        "completion", "completion", "Print the script that completes commands in a shell."
    ),
}
GROUPS: Final = {
    "base": Entry("base", "app", "The models that a document can be trained on."),
    "corrections": Entry("serve", "corrections", "What other programs proposed to correct."),
    "exam": Entry("eval", "app", "The questions that are only asked, never trained on."),
    "improve": Entry("improve", "app", "Improve in rounds: a teacher writes, an exam decides."),
    "metrics": Entry("metrics", "app", "What trainings measured: losses, speed, evaluations."),
    "preference": Entry("preference", "app", "Find pairs of a better and a worse answer."),
    "replay": Entry("versions", "app", "What the current version remembers."),
    "synth": Entry("synth", "app", "Let a model write question-and-answer pairs from the prose."),
}


def command_line(only: str | None = None, verb: str | None = None) -> typer.Typer:
    """The whole of it, or with the one command or group that is called `only`, if there is one,
    and of a group with its one command `verb`.
    """
    every = only not in {**COMMANDS, **GROUPS}
    app = _empty()
    for name, entry in COMMANDS.items():
        if every or name == only:
            app.command(name)(entry.load())
    for name, entry in GROUPS.items():
        if every or name == only:
            app.add_typer(_with_one(entry.load(), verb), name=name)
    return app


def _with_one(group: typer.Typer, verb: str | None) -> typer.Typer:
    """The group with one of its commands, since typer builds all that it is given; the whole of it
    where none has that name.
    """
    called = [info for info in group.registered_commands if name_of(info) == verb]
    if called:
        group = copy(group)
        group.registered_commands = called
    return group


def name_of(info: CommandInfo) -> str:
    """What a command of a group is called."""
    return info.name or (info.callback.__name__.rstrip("_") if info.callback else "")


def names_alone() -> typer.Typer:
    """Every name with its help, and nothing behind it."""
    app = _empty()
    for name, entry in {**COMMANDS, **GROUPS}.items():
        app.command(name, help=entry.help)(_nothing)
    return app


def _empty() -> typer.Typer:
    app = typer.Typer(
        name="dlm",
        help="Turn one plain-text file into a local language model that you can keep improving.",
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback(invoke_without_command=True)(_root)
    return app


def _root(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
) -> None:
    if version:
        from dlm import __version__

        print(f"dlm {__version__}")
        raise typer.Exit


def _nothing() -> None:
    """What a name stands for in a list."""
