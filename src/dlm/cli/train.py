"""`dlm train`: say what will train, show it training, say what was learned."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from dlm.cli.common import note, print_json, read_document
from dlm.cli.options import JsonOption, PathArgument, one_of
from dlm.cli.train_report import print_report, refusal_error, say_nothing_to_train, show_plan
from dlm.errors import Interrupted, UsageError
from dlm.launch import Launch, launch
from dlm.text.words import count

if TYPE_CHECKING:
    from dlm.doc.document import Document
    from dlm.train.lock_file import LockMode
    from dlm.train.options import Phase, TrainOptions
    from dlm.train.recorder import Board


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
    allow_secrets: Annotated[
        bool,
        typer.Option("--allow-secrets", help="Train on what looks like a key or a token, too."),
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
    ] = 200,
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
    as_json: JsonOption = False,
) -> None:
    """Train until the document is learned; keep it as a version."""
    if strict_lock and update_lock:
        raise UsageError("--strict-lock and --update-lock exclude each other")
    if resume and plan:
        raise UsageError("--plan shows a new training; --resume goes on with one that has its plan")
    wanted = cast("Phase", one_of("--phase", phase, ("sft", "preference", "all")))
    if wanted == "preference" and (fresh or forget):
        name = "--fresh" if fresh else "--forget"
        raise UsageError(f"{name} is about prose and pairs, which --phase preference leaves alone")
    stays = watch or max_cycles is not None or listen_rpc is not None
    here = launch()
    if here.several and stays:
        raise UsageError("watching trains in one process: start it without torchrun or accelerate")
    if not here.leads:
        if not plan:
            follow(here)
        return
    if stays:
        from dlm.cli.watch import check

        check(
            watch=watch,
            max_cycles=max_cycles,
            listen_rpc=listen_rpc,
            plan=plan,
            tensorboard=tensorboard is not None,
            preferences=wanted == "preference" or no_mined or force,
        )
        wanted = "sft"
    try:
        document = read_document(path)
        board = _board(tensorboard)
        announce(document, phase=wanted, no_mined=no_mined)
        from dlm.train.lock_file import LockMode
        from dlm.train.options import TrainOptions
    except KeyboardInterrupt:
        again = "run the same command to train again"
        raise Interrupted(
            "stopped before it was planned: nothing was changed", hint=again
        ) from None
    options = TrainOptions(
        fresh=fresh,
        forget=forget,
        epochs=epochs,
        max_steps=max_steps,
        seed=seed,
        phase=wanted,
        no_mined=no_mined,
        force=force,
        allow_secrets=allow_secrets,
    )
    lock = LockMode.STRICT if strict_lock else LockMode.UPDATE if update_lock else LockMode.WARN
    if plan:
        show_plan(document, options, as_json=as_json)
    elif stays:
        from dlm.cli.watch import run
        from dlm.loops.watch import WatchSettings

        _say_what_waits(document)
        settings = WatchSettings(
            saves=watch,
            debounce_seconds=watch_debounce_ms / 1000,
            max_steps=watch_max_steps,
            max_cycles=max_cycles,
        )
        run(
            path,
            options,
            settings,
            listen_rpc=listen_rpc,
            capacity=queue_capacity,
            resume=resume,
            lock=lock,
            as_json=as_json,
        )
    else:
        _train_once(document, options, lock, board, resume=resume, as_json=as_json)


def _train_once(
    document: Document,
    options: TrainOptions,
    lock: LockMode,
    board: Board | None,
    *,
    resume: bool,
    as_json: bool,
) -> None:
    """Train, and say what came of it; TrainingError where that is a refused preference phase."""
    from dlm.cli.progress import TerminalProgress
    from dlm.train.run import train
    from dlm.train.start import NothingToTrain

    report = train(document, options, TerminalProgress(), resume=resume, lock=lock, board=board)
    if isinstance(report, NothingToTrain):
        say_nothing_to_train(document, report, as_json=as_json)
    else:
        if as_json:
            print_json(report.to_json())
        else:
            print_report(document, report)
            if report.previous is None:
                note(f"hint: `dlm report {document.path}` shows what it knows as a page")
        _say_if_edited(document)
    if report.refused:
        error = refusal_error(document, report.refused)
        if options.phase == "preference":
            raise error
        note(f"warning: {error.message}")
        note(f"hint: {error.hint}")


def follow(here: Launch) -> None:
    """Train along with the first process of a launch, and leave as it does."""
    from dlm.train.following import follow as train_along

    if status := train_along(here):
        raise typer.Exit(status)


def _board(folder: str | None) -> Board | None:
    """Where the figures go beside the store; raises DlmError when they cannot."""
    if folder is None:
        return None
    from dlm.train.recorder import TensorBoard

    return TensorBoard(Path(folder))


def announce(document: Document, *, phase: Phase, no_mined: bool = False) -> None:
    """What trains and what is only asked, before anything heavy starts."""
    from dlm.data.lessons import lessons_of
    from dlm.doc.provenance import Origin
    from dlm.sources.reading import read_sources

    lessons = lessons_of(document)
    words = sum(len(example.text.split()) for example in lessons.prose)
    parts = [count(len(lessons.pairs), "pair"), f"{count(words, 'word')} of prose"]
    base = document.frontmatter.base_model
    note(f"{document.path}: training on {' and '.join(parts)}, base {base}")
    sources = read_sources(document)
    if sources.files:
        words = sum(len(one.text.split()) for one in sources.pieces)
        note(f"  of it beside the document: {count(sources.files, 'file')}, {count(words, 'word')}")
    for text in sources.notes:
        note(f"note: {text}")
    if lessons.probes:
        note(f"  asked afterwards: {count(len(lessons.probes), 'probe')} (trained too)")
    if lessons.exam:
        note(f"  only asked, never trained: {count(len(lessons.exam), 'exam pair')}")
    if fraction := document.frontmatter.training.held_out:
        held_out = count(len(lessons.held_out), "pair")
        note(f"  only measured, held out: {held_out} (training.held_out: {fraction:g})")
    mined = Origin.MINED.value
    left = [x for x in lessons.triples if phase == "sft" or (no_mined and x.origin == mined)]
    for what, triples in (
        ("to compare afterwards", len(lessons.triples) - len(left)),
        ("not used by this training", len(left)),
    ):
        if triples:
            note(f"  {what}: {count(triples, 'preference triple')}")


def _say_what_waits(document: Document) -> None:
    """Watching trains between two saves, which is too short for a preference phase."""
    from dlm.data.lessons import lessons_of

    if lessons_of(document).triples:
        note("note: watching trains prose and pairs; `dlm train` trains the preference triples")


def _say_if_edited(document: Document) -> None:
    path = document.path
    if path is not None and (not path.exists() or path.read_bytes() != document.to_bytes()):
        note(f"note: {path} was edited while it trained; this version knows the text as it was")
        note("hint: run `dlm train` again to teach it the rest")
