"""`dlm train`: say what will train, show it training, say what was learned."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast

from dlm.cli.common import count, note, print_json, print_table, read_document
from dlm.cli.preference_report import preference_rows, print_despite, print_refusal
from dlm.cli.scorecard import figure_rows, print_questions
from dlm.cli.watch import check
from dlm.cli.watch import run as run_watch
from dlm.errors import UsageError

if TYPE_CHECKING:
    from dlm.doc.document import Document
    from dlm.train.options import Phase
    from dlm.train.recorder import Board
    from dlm.train.report import TrainingReport
    from dlm.train.start import NothingToTrain

PHASES = ("sft", "preference", "all")


def run(
    path: str | None,
    *,
    fresh: bool,
    forget: bool,
    phase: str,
    no_mined: bool,
    force: bool,
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
    if stays:
        check(
            watch=watch,
            max_cycles=max_cycles,
            listen_rpc=listen_rpc,
            plan=plan,
            tensorboard=tensorboard is not None,
            preferences=phase == "preference" or no_mined or force,
        )
        if listen_rpc is not None:
            from dlm.serve.server import parse_address, probe_token

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
    )
    if plan:
        from dlm.cli.plan import show_plan

        show_plan(document, options, as_json=as_json)
        return
    from dlm.train.lock_file import LockMode

    lock = LockMode.STRICT if strict_lock else LockMode.UPDATE if update_lock else LockMode.WARN
    if stays:
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
        from dlm.cli.preference_report import refusal_error

        raise refusal_error(document, report.refused)


def _phase(name: str) -> Phase:
    if name not in PHASES:
        raise UsageError(f"--phase is one of {', '.join(PHASES)}, not {name!r}")
    return cast("Phase", name)


def _board(folder: str | None) -> Board | None:
    """Where the figures go beside the store; raises DlmError when they cannot."""
    if folder is None:
        return None
    from dlm.train.tensorboard import TensorBoard

    return TensorBoard(Path(folder))


def announce(document: Document, *, phase: Phase, no_mined: bool = False) -> None:
    """What trains and what is only asked, before anything heavy starts."""
    from dlm.data.examples import teaching
    from dlm.doc.provenance import Origin

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
    from dlm.data.examples import teaching

    if teaching(document).triples:
        note("note: watching trains prose and pairs; `dlm train` trains the preference triples")


def say_nothing_to_train(document: Document, found: NothingToTrain, *, as_json: bool) -> None:
    """The current version knows it all; what was removed stays known until it is forgotten."""
    if as_json:
        kept = [{"line": item.line, "text": item.first_words} for item in found.kept]
        refused = {"refused": found.refused.to_json()} if found.refused else {}
        print_json({"version": None, "unchanged": not refused, "kept": kept, **refused})
        return
    if found.refused:
        print_refusal(found.refused)
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
    if report.earlier:
        print_report(document, report.earlier)
    outcome = report.outcome
    print(f"{report.version.name} of {document.path}")
    rows = figure_rows(outcome.card, report.compared)
    if report.preference:
        rows = {**preference_rows(report.preference), **rows}
    work = f"{count(len(outcome.epochs), 'epoch')}, {count(outcome.steps, 'step')}"
    rows["stopped"] = f"{outcome.stop_reason} ({work}, {outcome.seconds:.0f} s)"
    print_table(rows)
    print_questions(outcome.card, report.compared, document.path)
    print_despite(report.despite)
    if report.refused:
        print_refusal(report.refused)


def _say_if_edited(document: Document, path: Path) -> None:
    if not path.exists() or path.read_bytes() != document.to_bytes():
        note(f"note: {path} was edited while it trained; this version knows the text as it was")
        note("hint: run `dlm train` again to teach it the rest")
