"""`dlm train` with its options; the body is `dlm.cli.train`."""

from __future__ import annotations

from typing import Annotated

import typer

from dlm.cli.options import JsonOption, PathArgument


def train(
    path: PathArgument = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Start over from the base, on this document alone.")
    ] = False,
    forget: Annotated[
        bool, typer.Option("--forget", help="Unlearn what was removed from the document.")
    ] = False,
    phase: Annotated[
        str,
        typer.Option(
            "--phase", help="sft: prose and pairs; preference: triples; all: what is new of both."
        ),
    ] = "all",
    no_mined: Annotated[
        bool, typer.Option("--no-mined", help="Leave out the triples that were mined.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Keep a preference phase that would be refused.")
    ] = False,
    plan: Annotated[
        bool, typer.Option("--plan", help="Show what would be trained and why, and stop.")
    ] = False,
    epochs: Annotated[
        int | None,
        typer.Option("--epochs", min=1, help="Train this many epochs instead of until learned."),
    ] = None,
    max_steps: Annotated[
        int | None,
        typer.Option("--max-steps", min=1, help="Stop after this many steps at the latest."),
    ] = None,
    seed: Annotated[
        int | None, typer.Option("--seed", help="Seed of the run; default from the frontmatter.")
    ] = None,
    tensorboard: Annotated[
        str | None,
        typer.Option("--tensorboard", metavar="DIR", help="Write TensorBoard events there too."),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the run that was interrupted.")
    ] = False,
    strict_lock: Annotated[
        bool, typer.Option("--strict-lock", help="Refuse if the environment is not the locked one.")
    ] = False,
    update_lock: Annotated[
        bool, typer.Option("--update-lock", help="Lock the environment of this training.")
    ] = False,
    watch: Annotated[
        bool, typer.Option("--watch", help="Stay, and train again after every save.")
    ] = False,
    watch_debounce_ms: Annotated[
        int,
        typer.Option("--watch-debounce-ms", min=0, help="How long a save must have rested."),
    ] = 400,
    watch_max_steps: Annotated[
        int,
        typer.Option("--watch-max-steps", min=1, help="Most steps of one cycle of watching."),
    ] = 100,
    max_cycles: Annotated[
        int | None,
        typer.Option("--max-cycles", min=1, help="End after this many retrainings."),
    ] = None,
    listen_rpc: Annotated[
        str | None,
        typer.Option("--listen-rpc", metavar="HOST:PORT", help="Take pushed probes there."),
    ] = None,
    queue_capacity: Annotated[
        int,
        typer.Option("--queue-capacity", min=1, help="Most pushed probes that may wait."),
    ] = 1000,
    json: JsonOption = False,
) -> None:
    """Train until the document is learned; keep it as a version."""
    from dlm.cli.train import run

    run(
        path,
        fresh=fresh,
        forget=forget,
        phase=phase,
        no_mined=no_mined,
        force=force,
        plan=plan,
        epochs=epochs,
        max_steps=max_steps,
        seed=seed,
        tensorboard=tensorboard,
        resume=resume,
        strict_lock=strict_lock,
        update_lock=update_lock,
        watch=watch,
        watch_debounce_ms=watch_debounce_ms,
        watch_max_steps=watch_max_steps,
        max_cycles=max_cycles,
        listen_rpc=listen_rpc,
        queue_capacity=queue_capacity,
        as_json=json,
    )
