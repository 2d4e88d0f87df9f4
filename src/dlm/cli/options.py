"""The options that several commands have, groups of commands, and words that an option may be."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

import typer

from dlm.errors import UsageError

if TYPE_CHECKING:
    from dlm.loops.edits import Place


PathArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="[PATH]", help="The document. May be left out beside a single .dlm file."
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]

JudgeOption = Annotated[
    str, typer.Option("--judge", metavar="NAME", help="sway, hf:MODEL, cli:COMMAND or a server.")
]
TopPOption = Annotated[
    float,
    typer.Option("--top-p", min=0.01, max=1.0, help="Sample from this share of probability."),
]
SeedOption = Annotated[int, typer.Option("--seed", help="Seed of the sampling.")]

ApplyOption = Annotated[bool, typer.Option("--apply", help="Write what is kept into the document.")]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Show the change without making it.")]
KeepNothingOption = Annotated[
    bool, typer.Option("--dry-run", help="Show what would be written, and keep nothing.")
]
PlaceOption = Annotated[
    str,
    typer.Option(
        "--place",
        metavar="after|end",
        help="Put additions behind the section they come from, or at the end.",
    ),
]
ReviewOption = Annotated[
    bool, typer.Option("--review", help="Ask about each change on the terminal.")
]
RunOption = Annotated[str | None, typer.Option("--run", metavar="ID", help="Only this run.")]


def group(name: str, help: str, short_help: str | None = None) -> typer.Typer:
    """A group of commands, which says its help when it is called alone."""
    return typer.Typer(
        name=name, help=help, short_help=short_help, no_args_is_help=True, rich_markup_mode=None
    )


def one_of(option: str, text: str, words: Iterable[str]) -> str:
    """The value of an option that is one of some words; UsageError for another."""
    if text not in (known := list(words)):
        raise UsageError(f"{option} cannot be {text!r}", hint=f"it is one of {', '.join(known)}")
    return text


def as_place(text: str) -> Place:
    """The value of `--place`; UsageError for another word."""
    return "end" if one_of("--place", text, ("after", "end")) == "end" else "after"
