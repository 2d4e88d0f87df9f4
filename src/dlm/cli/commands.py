"""Every command with its options. The bodies live beside this file, one module a command."""

from __future__ import annotations

from typing import Annotated

import typer

from dlm.cli import (
    exam_commands,
    harvest_commands,
    improve_commands,
    metrics_commands,
    preference_commands,
    replay_commands,
    synth_commands,
)

app = typer.Typer(
    name="dlm",
    help="Turn one plain-text file into a local language model that you can keep improving.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

app.add_typer(exam_commands.app, name="exam")
app.command()(harvest_commands.harvest)
app.add_typer(improve_commands.app, name="improve")
app.add_typer(metrics_commands.app, name="metrics")
app.add_typer(preference_commands.app, name="preference")
app.add_typer(replay_commands.app, name="replay")
app.add_typer(synth_commands.app, name="synth")

PathArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="[PATH]", help="The document. May be left out beside a single .dlm file."
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
VersionOption = Annotated[
    str | None,
    typer.Option("--version", metavar="vNNNN", help="Ask this version instead of the current one."),
]
BaseOnlyOption = Annotated[
    bool, typer.Option("--base-only", help="Ask the base, without any adapter.")
]
MaxTokensOption = Annotated[
    int, typer.Option("--max-tokens", min=1, help="Longest answer, in tokens.")
]
TempOption = Annotated[
    float, typer.Option("--temp", min=0.0, max=5.0, help="0 always takes the likeliest token.")
]
TopPOption = Annotated[
    float,
    typer.Option("--top-p", min=0.01, max=1.0, help="Sample from this share of the probability."),
]
SeedOption = Annotated[int, typer.Option("--seed", help="Seed of the sampling.")]


@app.callback(invoke_without_command=True)
def root(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
) -> None:
    if version:
        from dlm import __version__

        print(f"dlm {__version__}")
        raise typer.Exit


@app.command()
def init(
    path: Annotated[str, typer.Argument(metavar="PATH", help="The document to create.")],
    base: Annotated[
        str, typer.Option("--base", help="Base model: a name, hf:org/name, or a folder.")
    ] = "pocket",
    source: Annotated[
        str | None,
        typer.Option("--from", metavar="FILE", help="Start from this text or Markdown file."),
    ] = None,
    template: Annotated[
        str, typer.Option("--template", help="Which bundled text to start from.")
    ] = "starter",
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it exists.")] = False,
) -> None:
    """Create a document."""
    from dlm.cli.init import run

    run(path, base=base, source=source, template=template, force=force)


@app.command()
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
    """Train the document's adapter until it is learned, and keep it as a new version."""
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


@app.command()
def prompt(
    path: PathArgument = None,
    question: Annotated[
        str | None,
        typer.Argument(metavar="[QUESTION]", help="Read from standard input when left out."),
    ] = None,
    max_tokens: MaxTokensOption = 128,
    temp: TempOption = 0.0,
    top_p: TopPOption = 1.0,
    seed: SeedOption = 0,
    version: VersionOption = None,
    base_only: BaseOnlyOption = False,
    json: JsonOption = False,
) -> None:
    """Ask the trained document a question."""
    from dlm.cli.prompt import run

    run(
        path,
        question,
        max_tokens=max_tokens,
        temperature=temp,
        top_p=top_p,
        seed=seed,
        version=version,
        base_only=base_only,
        as_json=json,
    )


@app.command()
def repl(
    path: PathArgument = None,
    max_tokens: MaxTokensOption = 128,
    temp: TempOption = 0.0,
    top_p: TopPOption = 1.0,
    seed: SeedOption = 0,
    version: VersionOption = None,
    base_only: BaseOnlyOption = False,
) -> None:
    """Ask one question after another."""
    from dlm.cli.repl import run

    run(
        path,
        max_tokens=max_tokens,
        temperature=temp,
        top_p=top_p,
        seed=seed,
        version=version,
        base_only=base_only,
    )


@app.command()
def show(
    path: PathArgument = None,
    sections: Annotated[bool, typer.Option("--sections", help="List every section.")] = False,
    mask: Annotated[
        bool, typer.Option("--mask", help="Print each row; what counts towards the loss is marked.")
    ] = False,
    learned: Annotated[
        bool, typer.Option("--learned", help="Say of each section whether it is learned.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Show what is in the document and what its model was trained on."""
    from dlm.cli.show import run

    run(path, sections=sections, mask=mask, learned=learned, as_json=json)


@app.command("eval")
def evaluate(
    path: PathArgument = None,
    version: Annotated[
        str | None,
        typer.Option(
            "--version", metavar="vNNNN", help="Measure this version instead of the current one."
        ),
    ] = None,
    by_section: Annotated[
        bool, typer.Option("--by-section", help="Say of each section whether it is learned.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Measure what a version knows, what it lost, and how it speaks."""
    from dlm.cli.eval import run

    run(path, version=version, by_section=by_section, as_json=json)


@app.command()
def history(path: PathArgument = None, json: JsonOption = False) -> None:
    """List the versions of the document's adapter."""
    from dlm.cli.history import run

    run(path, as_json=json)


@app.command()
def rollback(
    path: PathArgument = None,
    version: Annotated[
        str | None,
        typer.Argument(metavar="[VERSION]", help="Default: the one before the current."),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Make an earlier version current again."""
    from dlm.cli.rollback import run

    run(path, version, as_json=json)


@app.command()
def report(
    path: PathArgument = None,
    output: Annotated[
        str | None,
        typer.Option(
            "-o",
            "--output",
            metavar="FILE",
            help="Write there instead of beside the document; - is standard output.",
        ),
    ] = None,
    open_it: Annotated[bool, typer.Option("--open", help="Show the page in the browser.")] = False,
    json: JsonOption = False,
) -> None:
    """Write a page that says what the model knows and whether training helped."""
    from dlm.cli.report import run

    run(path, output=output, open_it=open_it, as_json=json)


@app.command()
def doctor(path: PathArgument = None, json: JsonOption = False) -> None:
    """Check this machine, the base model and the store."""
    from dlm.cli.doctor import run

    run(path, as_json=json)


@app.command()
def migrate(
    path: PathArgument = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the change without making it.")
    ] = False,
) -> None:
    """Bring the frontmatter of an older document up to date."""
    from dlm.cli.migrate import run

    run(path, dry_run=dry_run)
