"""`dlm preference …`: mining, the import of chat logs, and the group of edits."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dlm.cli.common import note, one_line, read_document
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
from dlm.errors import DlmError
from dlm.text.words import count

if TYPE_CHECKING:
    from dlm.doc.document import Document
    from dlm.loops.chat_logs import Log
    from dlm.loops.chat_logs.run import Imported
    from dlm.loops.edits import Place
    from dlm.loops.mine.candidates import Candidate, Mined, MineOptions
    from dlm.loops.mine.run import Outcome


COMMAND = "dlm preference"
_NAMED = 20  # things that give nothing, on standard error

app = edits_app(
    ["mined", "imported"],
    "preference",
    "Find pairs of a better and a worse answer: mined from the model, or in chat logs.",
    "Find pairs of a better and a worse answer.",
)


@app.command()
def mine(
    path: PathArgument = None,
    samples: Annotated[
        int, typer.Option("--samples", min=1, max=64, help="Answers drawn of a model a prompt.")
    ] = 4,
    judge: JudgeOption = "sway",
    threshold: Annotated[
        float | None,
        typer.Option(
            "--threshold",
            metavar="F",
            min=0.0,
            help="Margin by which the chosen must lead, in scores of the judge; default its own.",
        ),
    ] = None,
    max_pairs: Annotated[
        int | None,
        typer.Option("--max-pairs", min=1, help="Most pairs kept: those with the widest margins."),
    ] = None,
    temp: Annotated[
        float, typer.Option("--temp", min=0.0, max=5.0, help="Temperature of the sampling.")
    ] = 0.8,
    top_p: TopPOption = 0.95,
    seed: SeedOption = 0,
    max_new_tokens: Annotated[
        int, typer.Option("--max-new-tokens", min=8, help="Longest answer, in tokens.")
    ] = 160,
    reject_from: Annotated[
        str,
        typer.Option(
            "--reject-from",
            metavar="self|base|first",
            help="Take the rejected answer from the current version, its base, or the oldest one.",
        ),
    ] = "self",
    authored: Annotated[
        bool, typer.Option("--authored", help="Let the document's own answer be the chosen one.")
    ] = False,
    timeout: Annotated[
        float | None,
        typer.Option("--timeout", min=0.1, help="Seconds a program or a server may take."),
    ] = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Print every answer with its score and fate.")
    ] = False,
    dry_run: KeepNothingOption = False,
    apply: ApplyOption = False,
    review: ReviewOption = False,
    place: PlaceOption = "after",
    as_json: JsonOption = False,
) -> None:
    """Let the model answer the document's questions, and keep its best and worst as pairs."""
    from dlm.loops.mine.candidates import MineOptions, RejectFrom

    mode = mode_of(dry_run=dry_run, apply=apply, review=review, as_json=as_json)
    options = MineOptions(
        samples=samples,
        judge=judge,
        threshold=threshold,
        max_pairs=max_pairs,
        temperature=temp,
        top_p=top_p,
        seed=seed,
        max_new_tokens=max_new_tokens,
        reject_from=RejectFrom(one_of("--reject-from", reject_from, RejectFrom)),
        authored=authored,
        timeout=timeout,
    )
    where, document = as_place(place), read_document(path)
    _mine(document, options, mode, where, explain=explain, as_json=as_json)


@app.command("import")
def import_(
    log: Annotated[Path, typer.Argument(metavar="LOG", help="A chat log: JSON or JSONL.")],
    path: PathArgument = None,
    pairs: Annotated[
        bool, typer.Option("--pairs", help="Take plain exchanges, too, as questions and answers.")
    ] = False,
    format: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="NAME",
            help="How to read it, such as chatgpt or preference; otherwise found out.",
        ),
    ] = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Name everything that gives nothing, and why.")
    ] = False,
    dry_run: KeepNothingOption = False,
    apply: ApplyOption = False,
    review: ReviewOption = False,
    as_json: JsonOption = False,
) -> None:
    """Take what a user corrected in a chat log as pairs of a better and a worse answer."""
    from dlm.loops.chat_logs import read_log
    from dlm.loops.chat_logs.run import import_log
    from dlm.store.records import now

    mode = mode_of(dry_run=dry_run, apply=apply, review=review, as_json=as_json)
    if path is not None and log.suffix == ".dlm":  # the document first, as other commands have it
        path, log = str(log), Path(path)
    document = read_document(path)
    read = read_log(log, format)
    done = import_log(document, read, pairs=pairs, at=now().replace(microsecond=0))
    _tell_imported(log, read, done, explain=explain)
    if not as_json and done.balance.n:
        print(f"balance: {done.balance}")
    present(document, done.plan, mode, command=COMMAND, place="end", as_json=as_json)


def _mine(
    document: Document,
    options: MineOptions,
    mode: Mode,
    place: Place,
    *,
    explain: bool,
    as_json: bool,
) -> None:
    """Mine, print the funnel, and do with the plan what `mode` says."""
    from dlm.cli.working import WorkLine
    from dlm.loops.mine.run import mine

    with open_database(document) as database, closing(WorkLine()) as tell:
        outcome = mine(document, options, database, tell)
    plan = outcome.plan
    if explain:
        told = [each.to_json() for each in outcome.mined]
        plan = replace(plan, note={**plan.note, "prompts": told})
    _tell_mined(outcome, explain=explain, as_json=as_json)
    present(document, plan, mode, command=COMMAND, place=place, as_json=as_json)
    if not plan and not explain:
        note("hint: --explain says why each prompt gave no pair")
    if outcome.gave_up:
        kept = " is staged" if plan and mode is Mode.STAGE else " was used"
        kept = f"; what it judged before{kept}" if plan else ""
        raise DlmError(
            f"{outcome.gave_up.message}{kept}; the answers are kept, so they are not drawn again",
            hint=outcome.gave_up.hint,
        )


def _tell_mined(outcome: Outcome, *, explain: bool, as_json: bool) -> None:
    for text in outcome.notes:
        note(f"note: {one_line(text, 200)}")
    for name, counts in outcome.counts:
        note(f"{name}: {counts}")
    for text in outcome.balance.warnings:
        note(f"warning: {text}")
    if as_json:
        return
    if explain:
        for each in outcome.mined:
            _tell_prompt(each)
        print()
    print(outcome.funnel)
    if outcome.balance.n:
        print(f"balance: {outcome.balance}")


def _tell_prompt(mined: Mined) -> None:
    print(f"- {one_line(mined.prompt, 200)}")
    print(f"    authored  {_score(mined.anchor)}  {one_line(mined.answer, 160)}")
    for one in mined.candidates:
        times = f" (x{one.times})" if one.times > 1 else ""
        said = one.reason or one.why
        why = f" [{said}]" if said else ""
        print(
            f"    {_part(mined, one):<8}  {_score(one.score)}  {one_line(one.text, 160)}{times} "
            f"({one.source}){one_line(why, 120)}"
        )
    if mined.reason:
        print(f"    no pair: {one_line(mined.reason, 200)}")


def _part(mined: Mined, one: Candidate) -> str:
    found = mined.contrast
    if found is None or one.dropped or not mined.kept:
        return ""
    pair = {found.chosen.text: "chosen", found.rejected.text: "rejected"}
    return pair.get(one.text, "")


def _score(value: float) -> str:
    return f"{value:6.2f}" if isfinite(value) else "     -"


def _tell_imported(path: Path, log: Log, done: Imported, *, explain: bool) -> None:
    """On standard error: what the log holds, and what of it gives nothing."""
    from dlm.loops.chat_logs import told

    for text in log.malformed[:_NAMED]:
        note(f"malformed: {one_line(text, 200)}")
    if len(log.malformed) > _NAMED:
        note(f"malformed: and {len(log.malformed) - _NAMED} more")
    shown = done.unused if explain else done.unused[:_NAMED]
    for each in shown:
        note(
            f"left out: {each.source}: {one_line(each.prompt, 60)!r}: {one_line(each.reason, 120)}"
        )
    if len(done.unused) > len(shown):
        note(f"left out: and {len(done.unused) - len(shown)} more; --explain names all")
    if log.left_out:
        note(f"not read: {one_line(told(log.left_out), 200)}")
    found = (
        f"{count(done.conversations, 'conversation')} → "
        f"{count(done.corrections, 'correction')} and {count(done.exchanges, 'plain exchange')}"
    )
    if log.comparisons:
        found = count(len(log.comparisons), "comparison")
    note(
        f"{path}: {log.format}, {found} → "
        f"{count(done.triples, 'triple')} and {count(done.pairs, 'pair')}"
    )
    if done.exchanges and not done.pairs and not done.triples:
        note("hint: --pairs takes the plain exchanges as question-and-answer pairs")
    for text in done.balance.warnings:
        note(f"warning: {text}")
