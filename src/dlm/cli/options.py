"""The options that several commands have."""

from __future__ import annotations

from typing import Annotated

import typer

PathArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="[PATH]", help="The document. May be left out beside a single .dlm file."
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]

JudgeOption = Annotated[
    str, typer.Option("--judge", metavar="NAME", help="sway, hf:org/reward-model, or cli:command.")
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
