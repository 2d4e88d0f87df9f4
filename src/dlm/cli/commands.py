"""Every command with its options. The bodies live beside this file, one module a command."""

from __future__ import annotations

from typing import Annotated

import typer

from dlm.cli import (
    base as base_commands,
    eval as eval_commands,
    export as export_commands,
    harvest as harvest_commands,
    improve_commands,
    metrics as metrics_commands,
    neighbours,
    pack as pack_commands,
    preference as preference_commands,
    synth as synth_commands,
    train as train_commands,
    versions as version_commands,
)
from dlm.cli.options import JsonOption, PathArgument, SeedOption, TopPOption

app = typer.Typer(
    name="dlm",
    help="Turn one plain-text file into a local language model that you can keep improving.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

app.add_typer(
    base_commands.app, name="base", short_help="The models that a document can be trained on."
)
app.add_typer(
    neighbours.corrections,
    name="corrections",
    short_help="What other programs proposed to correct.",
)
app.add_typer(eval_commands.app, name="exam")
app.add_typer(
    improve_commands.app,
    name="improve",
    short_help="Improve in rounds: a teacher writes, an exam decides.",
)
app.add_typer(
    metrics_commands.app,
    name="metrics",
    short_help="What trainings measured: losses, speed, evaluations.",
)
app.add_typer(
    preference_commands.app,
    name="preference",
    short_help="Find pairs of a better and a worse answer.",
)
app.add_typer(version_commands.app, name="replay", short_help="What the current version remembers.")
app.add_typer(synth_commands.app, name="synth")

VersionOption = Annotated[
    str | None,
    typer.Option("--version", metavar="vNNNN", help="Ask this version instead of the current one."),
]
BaseOnlyOption = Annotated[
    bool, typer.Option("--base-only", help="Ask the base, without any adapter.")
]
ClosedOption = Annotated[
    bool, typer.Option("--closed", help="Ask the model alone, without looking into the notes.")
]
MaxTokensOption = Annotated[
    int, typer.Option("--max-tokens", min=1, help="Longest answer, in tokens.")
]
TempOption = Annotated[
    float, typer.Option("--temp", min=0.0, max=5.0, help="0 always takes the likeliest token.")
]


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
    more: Annotated[
        list[str] | None,
        typer.Argument(metavar="[FILE]...", help="After --from FILE: more to start from."),
    ] = None,
    base: Annotated[
        str | None,
        typer.Option(
            "--base",
            help="Base model: a name of `dlm base list`, hf:org/name, or a folder. "
            "Default: smollm2-135m-q4 where it is on this machine, else pocket.",
        ),
    ] = None,
    sources: Annotated[
        list[str] | None,
        typer.Option(
            "--from",
            metavar="FILE",
            help="Start from this file (text, Markdown, HTML, PDF, DOCX, EPUB, CSV, JSONL), or let "
            "this folder train beside the document. May be given again.",
        ),
    ] = None,
    allow_secrets: Annotated[
        bool,
        typer.Option("--allow-secrets", help="Take in what looks like a key or a token, too."),
    ] = False,
    template: Annotated[
        str, typer.Option("--template", help="Which bundled text to start from.")
    ] = "starter",
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it exists.")] = False,
) -> None:
    """Create a document."""
    from dlm.cli.init import create as run

    run(
        path,
        base=base,
        sources=sources or (),
        more=more or (),
        template=template,
        force=force,
        allow_secrets=allow_secrets,
    )


app.command()(train_commands.train)


@app.command()
def prompt(
    path: PathArgument = None,
    question: Annotated[
        str | None,
        typer.Argument(metavar="[QUESTION]", help="Read from standard input when left out."),
    ] = None,
    closed: ClosedOption = False,
    batch: Annotated[
        str | None,
        typer.Option(
            "--batch", metavar="FILE", help="Answer every question of this file, a JSON line each."
        ),
    ] = None,
    max_tokens: MaxTokensOption = 128,
    temp: TempOption = 0.0,
    top_p: TopPOption = 1.0,
    seed: SeedOption = 0,
    version: VersionOption = None,
    base_only: BaseOnlyOption = False,
    json: JsonOption = False,
) -> None:
    """Ask the document a question."""
    from dlm.cli.asking import Choice, ask_one
    from dlm.engine.answer import Sampling

    sampling = Sampling(max_tokens, temp, top_p, seed)
    choice = Choice(sampling, version, base_only, closed)
    ask_one(path, question, choice, batch=batch, as_json=json)


@app.command()
def repl(
    path: PathArgument = None,
    closed: ClosedOption = False,
    max_tokens: MaxTokensOption = 128,
    temp: TempOption = 0.0,
    top_p: TopPOption = 1.0,
    seed: SeedOption = 0,
    version: VersionOption = None,
    base_only: BaseOnlyOption = False,
) -> None:
    """Ask one question after another."""
    from dlm.cli.asking import Choice, ask_many
    from dlm.engine.answer import Sampling

    ask_many(path, Choice(Sampling(max_tokens, temp, top_p, seed), version, base_only, closed))


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
    """Show what is in the document and what of it is trained."""
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
    """Measure what a version knows, lost, and how it speaks."""
    eval_commands.run(path, version=version, by_section=by_section, as_json=json)


@app.command()
def history(path: PathArgument = None, json: JsonOption = False) -> None:
    """List the versions of the document's adapter."""
    version_commands.print_history(path, as_json=json)


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
    version_commands.roll_back(path, version, as_json=json)


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
    """Write a page that says what the model knows."""
    from dlm.cli.show import write_report

    write_report(path, output=output, open_it=open_it, as_json=json)


@app.command()
def serve(
    paths: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[PATH]...",
            help="The documents. May be left out beside a single .dlm file.",
        ),
    ] = None,
    host: Annotated[
        str, typer.Option("--host", help="Address to listen on; another than loopback needs a key.")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="0 takes a free one.")
    ] = 7430,
    api_key_env: Annotated[
        str | None,
        typer.Option(
            "--api-key-env", metavar="NAME", help="The environment variable that holds the key."
        ),
    ] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Train after every save.")] = False,
    json: JsonOption = False,
) -> None:
    """Answer over HTTP, as OpenAI's API does."""
    from dlm.cli.serve import run

    run(paths, host=host, port=port, api_key_env=api_key_env, watch=watch, as_json=json)


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
    from dlm.cli.init import bring_up_to_date

    bring_up_to_date(path, dry_run=dry_run)


app.command()(export_commands.export)
app.command()(pack_commands.pack)
app.command()(pack_commands.verify)
app.command()(pack_commands.unpack)
app.command()(harvest_commands.harvest)
app.command()(neighbours.mcp)


@app.command()
def completion(
    shell: Annotated[str, typer.Argument(metavar="SHELL", help="bash, zsh or fish.")],
) -> None:
    """Print the script that completes commands in a shell."""
    from dlm.cli.completion import script

    print(script(shell))
