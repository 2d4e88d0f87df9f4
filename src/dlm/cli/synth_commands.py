"""`dlm synth …` with its options: the group of edits, and what only synthesis has."""

from __future__ import annotations

from typing import Annotated

import typer

from dlm.cli import preference_commands
from dlm.cli.edits_commands import as_place, edits_app
from dlm.cli.options import (
    ApplyOption,
    JsonOption,
    JudgeOption,
    KeepNothingOption,
    PathArgument,
    PlaceOption,
    ReviewOption,
    SeedOption,
    TopPOption,
)

app = edits_app(
    ["synthesized"], "synth", "Let a model write question-and-answer pairs from the prose."
)

app.command("preferences")(preference_commands.mine)


@app.command()
def instructions(
    path: PathArgument = None,
    teacher: Annotated[
        str,
        typer.Option(
            "--teacher",
            metavar="NAME",
            help="self, self:v0003, base, hf:org/model, ./folder, openai:model, URL, cli:command.",
        ),
    ] = "self",
    strategy: Annotated[
        str,
        typer.Option(
            "--strategy",
            metavar="NAME",
            help="extraction, expansion, both, or backtranslate.",
        ),
    ] = "extraction",
    per_section: Annotated[
        int, typer.Option("--per-section", min=1, help="Most pairs kept of one prose section.")
    ] = 2,
    max_pairs: Annotated[
        int | None, typer.Option("--max-pairs", min=1, help="Most pairs kept in all.")
    ] = None,
    sections: Annotated[
        list[str] | None,
        typer.Option("--sections", metavar="ID", help="Only this section; may be given again."),
    ] = None,
    over: Annotated[
        int | None,
        typer.Option("--over", min=1, max=64, help="Candidates drawn for one that is kept."),
    ] = None,
    temp: Annotated[
        float | None,
        typer.Option("--temp", min=0.0, max=5.0, help="Default 0.7, and 0.9 for backtranslation."),
    ] = None,
    top_p: TopPOption = 0.95,
    seed: SeedOption = 0,
    max_new_tokens: Annotated[
        int | None, typer.Option("--max-new-tokens", min=8, help="Longest completion, in tokens.")
    ] = None,
    filter: Annotated[
        str, typer.Option("--filter", metavar="NAME", help="sway, dedup-only, or none.")
    ] = "sway",
    judge: JudgeOption = "sway",
    threshold: Annotated[
        float | None,
        typer.Option("--threshold", help="Least score of the judge; default its own."),
    ] = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Print every candidate's scores and fate.")
    ] = False,
    candidates: Annotated[
        int, typer.Option("--candidates", min=1, help="Backtranslation: requests drawn a section.")
    ] = 4,
    top_k: Annotated[
        int, typer.Option("--top-k", min=1, help="Backtranslation: requests kept a section.")
    ] = 2,
    max_target_tokens: Annotated[
        int,
        typer.Option("--max-target-tokens", min=16, help="Backtranslation: skip longer sections."),
    ] = 6144,
    scorer: Annotated[
        str,
        typer.Option(
            "--scorer", metavar="base|self", help="Backtranslation: which model scores requests."
        ),
    ] = "base",
    thinking: Annotated[
        bool, typer.Option("--thinking", help="Let a thinking model reason before it writes.")
    ] = False,
    keep_reasoning: Annotated[
        bool, typer.Option("--keep-reasoning", help="Keep its reasoning in the staged plan.")
    ] = False,
    api_key_env: Annotated[
        str | None,
        typer.Option(
            "--api-key-env", metavar="NAME", help="Environment variable with the server's key."
        ),
    ] = None,
    at_once: Annotated[
        int | None,
        typer.Option("--at-once", min=1, help="Requests under way together, of a remote teacher."),
    ] = None,
    timeout: Annotated[
        float | None,
        typer.Option("--timeout", min=0.1, help="Seconds one request may take, of such a teacher."),
    ] = None,
    max_calls: Annotated[
        int | None, typer.Option("--max-calls", min=0, help="Most requests put to the teacher.")
    ] = None,
    estimate: Annotated[
        bool, typer.Option("--estimate", help="Say what it would cost, and ask nothing.")
    ] = False,
    dry_run: KeepNothingOption = False,
    apply: ApplyOption = False,
    review: ReviewOption = False,
    place: PlaceOption = "after",
    json: JsonOption = False,
) -> None:
    """Write pairs from the prose, keep the good ones, and stage them."""
    from dlm.cli.edits import mode_of
    from dlm.cli.synth import as_filter, as_scorer, as_strategy, run
    from dlm.loops.synth.options import SynthOptions
    from dlm.loops.synth.run import Asking

    mode = mode_of(dry_run=dry_run, apply=apply, review=review, as_json=json)
    options = SynthOptions(
        strategy=as_strategy(strategy),
        per_section=per_section,
        max_pairs=max_pairs,
        max_new_tokens=max_new_tokens,
        temperature=temp,
        top_p=top_p,
        seed=seed,
        sections=tuple(name for item in sections or () for name in item.replace(",", " ").split()),
        over=over,
        filter=as_filter(filter),
        threshold=threshold,
        candidates=candidates,
        top_k=top_k,
        max_target_tokens=max_target_tokens,
        scorer=as_scorer(scorer),
        keep_reasoning=keep_reasoning,
    )
    asking = Asking(
        teacher=teacher,
        judge=judge,
        thinking=thinking or keep_reasoning,
        api_key_env=api_key_env,
        at_once=at_once,
        timeout=timeout,
        max_calls=max_calls,
    )
    run(
        path,
        options,
        asking,
        mode=mode,
        place=as_place(place),
        only_estimate=estimate,
        explain=explain,
        as_json=json,
    )


@app.command()
def verify(path: PathArgument = None, json: JsonOption = False) -> None:
    """Check that the prose still says what the synthesized pairs say."""
    from dlm.cli.synth import verify

    verify(path, as_json=json)
