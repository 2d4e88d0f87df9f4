"""The options that several commands have, and the group of commands that edits come with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from dlm.doc.provenance import Origin
    from dlm.loops.edits import Place


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


RunOption = Annotated[str | None, typer.Option("--run", metavar="ID", help="Only this run.")]


def edits_app(origins: Sequence[str], name: str, help: str = "") -> typer.Typer:
    """A group `name` with list, apply, discard and revert for what these origins write.

    The loop adds its own commands to it: `@app.command()`.
    """
    app = typer.Typer(
        name=name,
        help=help or None,
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    command = f"dlm {name}"

    @app.command("list")
    def list_(path: PathArgument = None, run: RunOption = None, json: JsonOption = False) -> None:
        """List what is staged, and what was written into the document, by run."""
        from dlm.cli.edits_verbs import list_runs

        list_runs(path, _origins(origins), run, command=command, as_json=json)

    @app.command()
    def apply(
        path: PathArgument = None,
        run: RunOption = None,
        only: Annotated[
            list[str] | None,
            typer.Option("--only", metavar="ID", help="Only this change; may be given again."),
        ] = None,
        place: PlaceOption = "after",
        review: ReviewOption = False,
        dry_run: DryRunOption = False,
        json: JsonOption = False,
    ) -> None:
        """Write what is staged into the document."""
        from dlm.cli.edits_verbs import apply

        apply(
            path,
            _origins(origins),
            command=command,
            run=run,
            only=only or (),
            place=as_place(place),
            dry_run=dry_run,
            interactive=review,
            as_json=json,
        )

    @app.command()
    def discard(
        path: PathArgument = None,
        run: Annotated[
            str | None, typer.Argument(metavar="[RUN]", help="Only this run; all without one.")
        ] = None,
        json: JsonOption = False,
    ) -> None:
        """Forget what is staged."""
        from dlm.cli.common import split_path
        from dlm.cli.edits_verbs import discard

        path, run = split_path(path, run)
        discard(path, _origins(origins), run, command=command, as_json=json)

    @app.command()
    def revert(
        path: PathArgument = None,
        run: RunOption = None,
        force: Annotated[
            bool, typer.Option("--force", help="Take out what was edited since, too.")
        ] = False,
        dry_run: DryRunOption = False,
        json: JsonOption = False,
    ) -> None:
        """Take what was written into the document out again."""
        from dlm.cli.edits_verbs import revert

        revert(
            path,
            _origins(origins),
            run,
            command=command,
            force=force,
            dry_run=dry_run,
            as_json=json,
        )

    return app


def as_place(text: str) -> Place:
    """The value of `--place`; UsageError for another word."""
    from dlm.errors import UsageError

    if text == "after":
        return "after"
    if text == "end":
        return "end"
    raise UsageError(f"--place cannot be {text!r}", hint="it is after or end")


def _origins(names: Sequence[str]) -> list[Origin]:
    from dlm.doc.provenance import Origin

    return [Origin(name) for name in names]
