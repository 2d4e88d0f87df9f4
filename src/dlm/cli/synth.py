"""`dlm synth …`: instructions, verify, and the group of edits."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from dlm.cli import preference
from dlm.cli.common import note, one_line, print_json, read_document
from dlm.cli.edits import Mode, mode_of, open_database, present
from dlm.cli.edits_verbs import edits_app
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
    as_place,
    one_of,
)
from dlm.errors import DlmError, EditConflict
from dlm.text.words import count

if TYPE_CHECKING:
    from dlm.doc.document import Document
    from dlm.loops.edits import Place
    from dlm.loops.synth import SynthOptions
    from dlm.loops.synth.candidates import Candidate
    from dlm.loops.synth.provenance import Verdict
    from dlm.loops.synth.run import Asking, Outcome


COMMAND = "dlm synth"

app = edits_app(
    ["synthesized"], "synth", "Let a model write question-and-answer pairs from the prose."
)

app.command("preferences")(preference.mine)


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
        typer.Option("--at-once", min=1, help="Requests under way together, at each server."),
    ] = None,
    timeout: Annotated[
        float | None,
        typer.Option("--timeout", min=0.1, help="Seconds one request may take, of such a teacher."),
    ] = None,
    max_calls: Annotated[
        int | None, typer.Option("--max-calls", min=0, help="Most requests put to the teacher.")
    ] = None,
    only_estimate: Annotated[
        bool, typer.Option("--estimate", help="Say what it would cost, and ask nothing.")
    ] = False,
    dry_run: KeepNothingOption = False,
    apply: ApplyOption = False,
    review: ReviewOption = False,
    place: PlaceOption = "after",
    as_json: JsonOption = False,
) -> None:
    """Write pairs from the prose, keep the good ones, and stage them."""
    from dlm.loops.synth import Filter, Strategy, SynthOptions
    from dlm.loops.synth.run import Asking

    mode = mode_of(dry_run=dry_run, apply=apply, review=review, as_json=as_json)
    options = SynthOptions(
        strategy=Strategy(one_of("--strategy", strategy, Strategy)),
        per_section=per_section,
        max_pairs=max_pairs,
        max_new_tokens=max_new_tokens,
        temperature=temp,
        top_p=top_p,
        seed=seed,
        sections=tuple(name for item in sections or () for name in item.replace(",", " ").split()),
        over=over,
        filter=Filter(one_of("--filter", filter, Filter)),
        threshold=threshold,
        candidates=candidates,
        top_k=top_k,
        max_target_tokens=max_target_tokens,
        scorer=one_of("--scorer", scorer, ("base", "self")),
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
    where, document = as_place(place), read_document(path)
    if only_estimate:
        _print_cost(document, options, asking, as_json=as_json)
    else:
        _write(document, options, asking, mode, where, explain=explain, as_json=as_json)


@app.command("verify")
def verify_pairs(path: PathArgument = None, as_json: JsonOption = False) -> None:
    """Check that the prose still says what the synthesized pairs say."""
    document = read_document(path)
    from dlm.loops.synth.provenance import verify as check

    found = check(document)
    fallen = [verdict for verdict in found if verdict.reason]
    if as_json:
        print_json([verdict.to_json() for verdict in found])
    else:
        _tell_verdicts(str(document.path), found, fallen)
    if fallen:
        raise EditConflict(
            f"{count(len(fallen), 'pair')} of {document.path} say what the prose does not say",
            hint=f"correct them by hand, or `{COMMAND} revert --run ID` takes a run out",
        )


def _print_cost(
    document: Document, options: SynthOptions, asking: Asking, *, as_json: bool
) -> None:
    from dlm.loops.synth.run import estimate_cost

    with open_database(document) as database:
        cost = estimate_cost(document, options, asking, database)
    print_json(cost.to_json()) if as_json else print(cost)


def _write(
    document: Document,
    options: SynthOptions,
    asking: Asking,
    mode: Mode,
    place: Place,
    *,
    explain: bool,
    as_json: bool,
) -> None:
    """Synthesize, print the funnel, and do with the plan what `mode` says."""
    from dlm.cli.working import WorkLine
    from dlm.loops.synth.run import synthesize

    with open_database(document) as database, closing(WorkLine()) as tell:
        outcome = synthesize(document, options, asking, database, tell)
    plan = outcome.plan
    if explain:
        told = [candidate.to_json() for candidate in outcome.candidates]
        plan = replace(plan, note={**plan.note, "candidates": told})
    if not as_json:
        _tell(outcome, explain)
    present(document, plan, mode, command=COMMAND, place=place, as_json=as_json)
    if not plan and not explain:
        note("hint: --explain says why each candidate was dropped")
    if outcome.gave_up:
        kept = "" if mode is Mode.DRY_RUN else "; what it gave before is kept"
        raise DlmError(f"{outcome.gave_up.message}{kept}", hint=outcome.gave_up.hint)


def _tell(outcome: Outcome, explain: bool) -> None:
    for text in outcome.notes:
        note(f"note: {one_line(text)}")
    note(f"{outcome.plan.by}: {outcome.counts}")
    if explain:
        for candidate in outcome.candidates:
            _tell_candidate(candidate)
        for reason in outcome.written.unparsed:
            print(f"- not read: {one_line(reason)}")
        print()
    print(outcome.funnel)


def _tell_candidate(candidate: Candidate) -> None:
    fate = (
        f"dropped ({candidate.dropped.value}): {candidate.reason}" if candidate.dropped else "kept"
    )
    times = f" (x{candidate.votes})" if candidate.votes > 1 else ""
    print(f"- {one_line(candidate.question, 200)}{times}")
    print(f"    {one_line(candidate.answer, 200)}")
    scores = "  ".join(f"{name} {score:.2f}" for name, score in candidate.scores.items())
    if scores:
        print(f"    {scores}")
    print(f"    {one_line(fate, 200)}")


def _tell_verdicts(path: str, found: Sequence[Verdict], fallen: Sequence[Verdict]) -> None:
    for verdict in fallen:
        print(f"{path}:{verdict.line}: {one_line(verdict.question, 120)}")
        print(f"  says     {one_line(verdict.answer, 200)}")
        print(f"  but      {one_line(verdict.reason or '', 200)}")
    unchecked = sum(not verdict.checked for verdict in found)
    held = len(found) - len(fallen) - unchecked
    print(f"{count(held, 'pair')} of {len(found)} supported by the prose as it is now")
    if unchecked:
        print(f"{count(unchecked, 'pair')} not checked: no source sentence is noted with them")
