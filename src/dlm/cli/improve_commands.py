"""`dlm improve [PATH]`, `dlm improve history` and `rollback` with their options."""

from __future__ import annotations

from typing import Annotated

import typer
from typer.core import TyperGroup

from dlm.cli.options import JsonOption, PathArgument


class _RunByDefault(TyperGroup):
    """`dlm improve notes.dlm` is `dlm improve run notes.dlm`."""

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override]
        if not args or (args[0] not in self.commands and args[0] not in ("-h", "--help")):
            args = ["run", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=_RunByDefault,
    help="Let a teacher write, train a challenger, and promote it where an exam says so.",
    add_completion=False,
    rich_markup_mode=None,
)


@app.command()
def run(
    path: PathArgument = None,
    rounds: Annotated[
        int | None, typer.Option("--rounds", min=1, help="Most rounds of this run; default 2.")
    ] = None,
    strategy: Annotated[
        str | None,
        typer.Option(
            "--strategy",
            metavar="NAME",
            help="extraction (default), expansion, both, backtranslate, or mixed.",
        ),
    ] = None,
    teacher: Annotated[
        str | None,
        typer.Option("--teacher", metavar="NAME", help="Who writes; default whoever serves."),
    ] = None,
    improvement_threshold: Annotated[
        float | None,
        typer.Option(
            "--improvement-threshold",
            min=0.0,
            max=1.0,
            help="By how much the overall must rise; default 0.05.",
        ),
    ] = None,
    min_steps: Annotated[
        int | None,
        typer.Option("--min-steps", min=0, help="Steps a challenger must have been trained for."),
    ] = None,
    max_steps: Annotated[
        int | None, typer.Option("--max-steps", min=1, help="Most steps of one training.")
    ] = None,
    benchmark_samples: Annotated[
        int | None,
        typer.Option("--benchmark-samples", min=5, help="Most exam questions; default 500."),
    ] = None,
    real_share: Annotated[
        float | None,
        typer.Option(
            "--real-share",
            min=0.0,
            max=1.0,
            help="Least share of trained tokens from your own text; default 0.35.",
        ),
    ] = None,
    keep_last_n: Annotated[
        int | None,
        typer.Option("--keep-last-n", min=1, help="Versions kept beside teachers; default 3."),
    ] = None,
    with_preferences: Annotated[
        bool | None,
        typer.Option(
            "--with-preferences/--without-preferences",
            help="Mine preferences for the challenger too.",
        ),
    ] = None,
    max_minutes: Annotated[
        float | None,
        typer.Option("--max-minutes", min=0.0, help="Stop then; the same command goes on."),
    ] = None,
    refresh_per_round: Annotated[
        int | None,
        typer.Option(
            "--refresh-per-round",
            min=0,
            max=16,
            help="Backtranslation: how often what was just trained takes over writing.",
        ),
    ] = None,
    seed: Annotated[
        int | None, typer.Option("--seed", help="Seed of writing and training.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what a round would do, and change nothing.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Improve the document's model in rounds, or go on with the run that was interrupted."""
    from dlm.cli.improve import run

    given = {
        "rounds": rounds,
        "strategy": strategy,
        "teacher": teacher,
        "improvement_threshold": improvement_threshold,
        "min_steps": min_steps,
        "max_steps": max_steps,
        "benchmark_samples": benchmark_samples,
        "real_share": real_share,
        "keep_last_n": keep_last_n,
        "with_preferences": with_preferences,
        "max_minutes": max_minutes,
        "refresh_per_round": refresh_per_round,
        "seed": seed,
    }
    run(path, given, dry_run=dry_run, as_json=json)


@app.command()
def history(path: PathArgument = None, json: JsonOption = False) -> None:
    """List every teacher that served, and the rounds that were refused."""
    from dlm.cli.improve import history

    history(path, as_json=json)


@app.command()
def rollback(
    path: PathArgument = None,
    to: Annotated[
        int | None,
        typer.Option("--to", metavar="N", min=0, help="This teacher; default the one before."),
    ] = None,
    document: Annotated[
        bool, typer.Option("--document", help="Give the document the bytes it had then, too.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Let an earlier teacher serve again, with the version that was current then."""
    from dlm.cli.improve import rollback

    rollback(path, to, with_document=document, as_json=json)
