"""`dlm train`: say what will train, show it training, say what was learned."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from dlm.cli.common import count, note, print_json, read_document
from dlm.cli.options import JsonOption, PathArgument
from dlm.cli.train_report import print_report, say_nothing_to_train
from dlm.errors import UsageError
from dlm.launch import Launch, launch

if TYPE_CHECKING:
    from dlm.doc.document import Document
    from dlm.train.options import Phase
    from dlm.train.recorder import Board


PHASES = ("sft", "preference", "all")


def run_training(
    path: str | None,
    *,
    fresh: bool,
    forget: bool,
    phase: str,
    no_mined: bool,
    force: bool,
    allow_secrets: bool,
    plan: bool,
    epochs: int | None,
    max_steps: int | None,
    seed: int | None,
    tensorboard: str | None,
    resume: bool,
    strict_lock: bool,
    update_lock: bool,
    watch: bool,
    watch_debounce_ms: int,
    watch_max_steps: int,
    max_cycles: int | None,
    listen_rpc: str | None,
    queue_capacity: int,
    as_json: bool,
) -> None:
    if strict_lock and update_lock:
        raise UsageError("--strict-lock and --update-lock exclude each other")
    if resume and plan:
        raise UsageError("--plan shows a new training; --resume goes on with one that has its plan")
    wanted = _phase(phase)
    if phase == "preference" and (fresh or forget):
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
            preferences=phase == "preference" or no_mined or force,
        )
        if listen_rpc is not None:
            from dlm.serve.connections import parse_address
            from dlm.serve.server import probe_token

            parse_address(listen_rpc)
            probe_token()
    document = read_document(path)
    board = _board(tensorboard)
    announce(document, phase="sft" if stays else wanted, no_mined=no_mined)
    from dlm.train.options import TrainOptions

    options = TrainOptions(
        fresh=fresh,
        forget=forget,
        epochs=epochs,
        max_steps=max_steps,
        seed=seed,
        phase="sft" if stays else wanted,
        no_mined=no_mined,
        force=force,
        allow_secrets=allow_secrets,
    )
    if plan:
        from dlm.cli.train_report import show_plan

        show_plan(document, options, as_json=as_json)
        return
    from dlm.train.lock_file import LockMode

    lock = LockMode.STRICT if strict_lock else LockMode.UPDATE if update_lock else LockMode.WARN
    if stays:
        from dlm.cli.watch import run as run_watch
        from dlm.loops.watch import WatchSettings

        _say_what_waits(document)
        settings = WatchSettings(
            saves=watch,
            debounce_seconds=watch_debounce_ms / 1000,
            max_steps=watch_max_steps,
            max_cycles=max_cycles,
        )
        run_watch(
            path,
            options,
            settings,
            listen_rpc=listen_rpc,
            capacity=queue_capacity,
            resume=resume,
            lock=lock,
            as_json=as_json,
        )
        return
    from dlm.cli.progress import TerminalProgress
    from dlm.train.run import train
    from dlm.train.start import NothingToTrain

    report = train(document, options, TerminalProgress(), resume=resume, lock=lock, board=board)
    if isinstance(report, NothingToTrain):
        say_nothing_to_train(document, report, as_json=as_json)
    elif as_json:
        print_json(report.to_json())
    else:
        print_report(document, report)
        if report.previous is None:
            note(f"hint: `dlm report {document.path}` shows what it knows as a page")
    if document.path is not None and not isinstance(report, NothingToTrain):
        _say_if_edited(document, document.path)
    if report.refused:
        from dlm.cli.train_report import refusal_error

        error = refusal_error(document, report.refused)
        if wanted == "preference":
            raise error
        note(f"warning: {error.message}")
        note(f"hint: {error.hint}")


def follow(here: Launch) -> None:
    """Train along with the first process of a launch, and leave as it does."""
    from dlm.train.following import follow as train_along

    if status := train_along(here):
        raise typer.Exit(status)


def _phase(name: str) -> Phase:
    if name not in PHASES:
        raise UsageError(f"--phase is one of {', '.join(PHASES)}, not {name!r}")
    return cast("Phase", name)


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


def _say_if_edited(document: Document, path: Path) -> None:
    if not path.exists() or path.read_bytes() != document.to_bytes():
        note(f"note: {path} was edited while it trained; this version knows the text as it was")
        note("hint: run `dlm train` again to teach it the rest")


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

    run_training(
        path,
        fresh=fresh,
        forget=forget,
        phase=phase,
        no_mined=no_mined,
        force=force,
        allow_secrets=allow_secrets,
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
