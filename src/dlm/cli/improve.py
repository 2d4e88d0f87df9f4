"""`dlm improve [PATH]`: the rounds as they go, what they came to, and the teachers before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from dlm.cli.common import document_store, note, one_line, print_json, read_document
from dlm.cli.edits import document_path
from dlm.cli.options import JsonOption, PathArgument, one_of
from dlm.errors import Interrupted
from dlm.text.words import count

if TYPE_CHECKING:
    from dlm.doc.document import Document
    from dlm.loops.improve.options import ImproveOptions
    from dlm.loops.improve.run import Improved
    from dlm.store.improving import Round, TeacherRecord


class _RunByDefault(TyperGroup):
    """`dlm improve notes.dlm` is `dlm improve run notes.dlm`."""

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override]
        if not args or (args[0] not in self.commands and args[0] not in ("-h", "--help")):
            args = ["run", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    name="improve",
    cls=_RunByDefault,
    help="Let a teacher write, train a challenger, and promote it where an exam says so.",
    short_help="Improve in rounds: a teacher writes, an exam decides.",
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
    judge: Annotated[
        str | None,
        typer.Option("--judge", metavar="NAME", help="Who scores what is written and mined."),
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
    allow_secrets: Annotated[
        bool,
        typer.Option("--allow-secrets", help="Train on what looks like a key or a token, too."),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what a round would do, and change nothing.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Improve the document's model in rounds, or go on with the run that was interrupted."""
    from dlm.loops.improve.options import STRATEGIES, ImproveOptions

    given = {
        "rounds": rounds,
        "strategy": strategy,
        "teacher": teacher,
        "judge": judge,
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
        "allow_secrets": allow_secrets,
    }
    if strategy is not None:
        one_of("--strategy", strategy, STRATEGIES)
    document = read_document(path)
    options = ImproveOptions.of(document, **given)
    if dry_run:
        _show_plan(document, options, as_json=as_json)
        return
    from dlm.cli.progress import ImproveScreen
    from dlm.loops.improve.run import improve

    chosen = any(value is not None for key, value in given.items() if key != "max_minutes")
    file, screen = document_path(document), ImproveScreen()
    try:
        result = improve(file, options, screen, resume=not chosen)
    except (Interrupted, KeyboardInterrupt) as error:
        screen.close()
        what = error.message.partition(";")[0] if isinstance(error, Interrupted) else "stopped"
        raise Interrupted(what, hint=f"go on where it was: dlm improve {file}") from None
    if as_json:
        print_json(_json(result))
    else:
        _print(file, result)


@app.command()
def history(path: PathArgument = None, as_json: JsonOption = False) -> None:
    """List every teacher that served, and the rounds that were refused."""
    from dlm.store import improving

    document = read_document(path)
    with document_store(document) as store:
        known = improving.teachers(store.database)
        serving = improving.serving(store.database)
        held = improving.rounds(store.database)
    number = serving.number if serving else None
    if as_json:
        print_json(
            {
                "teachers": [one.to_json() | {"serving": one.number == number} for one in known],
                "rounds": [one.to_json() for one in held],
            }
        )
        return
    if not known:
        print(f"{document.path} was never improved")
        note(f"hint: `dlm improve {document.path}` begins")
        return
    print("     n  teacher        current  base          exam   when              why")
    for one in known:
        print(_teacher(one, serves=one.number == number))
    for each in held:
        if each.step.value in ("refused", "abandoned"):
            print(_refused(each))


@app.command()
def rollback(
    path: PathArgument = None,
    to: Annotated[
        int | None,
        typer.Option("--to", metavar="N", min=0, help="This teacher; default the one before."),
    ] = None,
    with_document: Annotated[
        bool, typer.Option("--document", help="Give the document the bytes it had then, too.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Let an earlier teacher serve again, with the version that was current then."""
    from dlm.loops.improve.teachers import roll_back

    document = read_document(path)
    done = roll_back(document_path(document), to, with_document=with_document)
    if as_json:
        print_json(
            {
                "teacher": done.teacher.to_json(),
                "before": done.before.to_json(),
                "document_restored": done.document_restored,
                "document_differs": done.document_differs,
                "saved": str(done.saved) if done.saved else None,
            }
        )
        return
    teacher = done.teacher
    print(
        f"teacher {teacher.number} ({teacher.spec}) serves again, and {teacher.current} is current "
        f"(was teacher {done.before.number}, {done.before.spec})"
    )
    if done.saved:
        print(f"{document.path} has the text of then; what it said lies in {done.saved}")
    if done.document_differs:
        note(f"note: {document.path} says more or other than {teacher.current} was trained on")
        note("hint: --document gives it the text of then; or train again: dlm train")


def _print(path: object, result: Improved) -> None:
    from dlm.cli.progress import verdict

    for one in result.rounds:
        print(f"{one.name}: {verdict(one)}")
        for reason in _reasons(one):
            print(f"  {one_line(reason, 300)}")
    print(f"{result.outcome}; {result.current} is current")
    if not result.ended:
        note(f"hint: `dlm improve {path}` goes on where it was")
    elif result.promoted:
        note(f"hint: `dlm improve rollback {path}` takes the last promotion back")


def _reasons(one: Round) -> list[str]:
    if one.step.value == "abandoned":
        return [str(reason) for reason in one.facts.get("reasons", [])]
    return [str(reason) for reason in (one.facts.get("verdict") or {}).get("reasons", [])]


def _json(result: Improved) -> dict[str, Any]:
    return {
        "outcome": result.outcome,
        "ended": result.ended,
        "current": result.current,
        "teacher": result.teacher.to_json() if result.teacher else None,
        "rounds": [one.to_json() for one in result.rounds],
    }


def _show_plan(document: Document, options: ImproveOptions, *, as_json: bool) -> None:
    """What the first round would do, without asking or training anything."""
    from dlm.loops.improve.run import preview

    found = preview(document, options)
    if as_json:
        print_json(found.to_json())
        return
    print(
        f"{document.path}: up to {count(options.rounds, 'round')}; nothing was changed (--dry-run)"
    )
    for title, text in found.rows():
        print(f"  {title:<10}  {one_line(text, 300)}")


def _teacher(one: TeacherRecord, *, serves: bool) -> str:
    mark = "*" if serves else " "
    score = "    -" if one.score is None else f"{one.score:.3f}"
    when = one.at.astimezone().strftime("%Y-%m-%d %H:%M")
    return (
        f" {mark} {one.number:>3}  {one_line(one.spec, 30):<13}  {one.current or '-':<7}  "
        f"{one.base_key:<12}  {score}  {when}  {one.why}"
    )


def _refused(one: Round) -> str:
    from dlm.store.records import version_name

    facts = one.facts.get("verdict") or {}
    reasons = [str(each) for each in facts.get("reasons", one.facts.get("reasons", []))]
    name = "" if one.challenger is None else f" {version_name(one.challenger)}"
    return f"   {one.step.value} {one.name}{name}: {one_line('; '.join(reasons), 300)}"
