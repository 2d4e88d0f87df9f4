"""`dlm train`: say what will train, show it training, say what was learned."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from dlm.cli.common import count, note, print_json, print_table, read_document
from dlm.cli.scorecard import figure_rows, print_questions
from dlm.cli.watch import check
from dlm.cli.watch import run as run_watch
from dlm.errors import UsageError

if TYPE_CHECKING:
    from dlm.doc.document import Document
    from dlm.train.recorder import Board
    from dlm.train.report import TrainingReport
    from dlm.train.start import NothingToTrain


def run(
    path: str | None,
    *,
    fresh: bool,
    forget: bool,
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
    stays = watch or max_cycles is not None or listen_rpc is not None
    if stays:
        check(
            watch=watch,
            max_cycles=max_cycles,
            listen_rpc=listen_rpc,
            plan=plan,
            tensorboard=tensorboard is not None,
        )
        if listen_rpc is not None:
            from dlm.serve.server import parse_address, probe_token

            parse_address(listen_rpc)
            probe_token()
    document = read_document(path)
    board = _board(tensorboard)
    announce(document)
    from dlm.train.options import TrainOptions

    options = TrainOptions(
        fresh=fresh, forget=forget, epochs=epochs, max_steps=max_steps, seed=seed
    )
    if plan:
        from dlm.cli.plan import show_plan

        show_plan(document, options, as_json=as_json)
        return
    from dlm.train.lock_file import LockMode

    lock = LockMode.STRICT if strict_lock else LockMode.UPDATE if update_lock else LockMode.WARN
    if stays:
        from dlm.loops.watch import WatchSettings

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
        return
    if as_json:
        print_json(report.to_json())
    else:
        print_report(document, report)
        if report.previous is None:
            note(f"hint: `dlm report {document.path}` shows what it knows as a page")
    if document.path is not None:
        _say_if_edited(document, document.path)


def _board(folder: str | None) -> Board | None:
    """Where the figures go beside the store; raises DlmError when they cannot."""
    if folder is None:
        return None
    from dlm.train.tensorboard import TensorBoard

    return TensorBoard(Path(folder))


def announce(document: Document) -> None:
    """What trains and what is only asked, before anything heavy starts."""
    from dlm.data.examples import teaching

    lessons = teaching(document)
    words = sum(len(example.text.split()) for example in lessons.prose)
    parts = [count(len(lessons.pairs), "pair"), f"{count(words, 'word')} of prose"]
    base = document.frontmatter.base_model
    note(f"{document.path}: training on {' and '.join(parts)}, base {base}")
    if lessons.probes:
        note(f"  asked afterwards: {count(len(lessons.probes), 'probe')} (trained too)")
    if lessons.exam:
        note(f"  only asked, never trained: {count(len(lessons.exam), 'exam pair')}")
    if fraction := document.frontmatter.training.held_out:
        held_out = count(len(lessons.held_out), "pair")
        note(f"  only measured, held out: {held_out} (training.held_out: {fraction:g})")
    if lessons.preferences:
        note(f"  not used by this training: {count(lessons.preferences, 'preference triple')}")


def say_nothing_to_train(document: Document, found: NothingToTrain, *, as_json: bool) -> None:
    """The current version knows it all; what was removed stays known until it is forgotten."""
    if as_json:
        kept = [{"line": item.line, "text": item.first_words} for item in found.kept]
        print_json({"version": None, "unchanged": True, "kept": kept})
        return
    print(f"nothing to train: {found.version.name} knows all that {document.path} says")
    for item in found.kept:
        print(f"  still known, though removed: {item.first_words}")
    if found.kept:
        note("hint: `dlm train --forget` makes it forget what was removed")
    else:
        note("hint: edit the document, or use --fresh to start over from the base")


def print_report(document: Document, report: TrainingReport) -> None:
    """The scorecard, one line each, then what was lost and what is not learned yet."""
    outcome = report.outcome
    print(f"{report.version.name} of {document.path}")
    rows = figure_rows(outcome.card, report.compared)
    work = f"{count(len(outcome.epochs), 'epoch')}, {count(outcome.steps, 'step')}"
    rows["stopped"] = f"{outcome.stop_reason} ({work}, {outcome.seconds:.0f} s)"
    print_table(rows)
    print_questions(outcome.card, report.compared, document.path)


def _say_if_edited(document: Document, path: Path) -> None:
    if not path.exists() or path.read_bytes() != document.to_bytes():
        note(f"note: {path} was edited while it trained; this version knows the text as it was")
        note("hint: run `dlm train` again to teach it the rest")
