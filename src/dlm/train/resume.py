"""Whether an interrupted training can be gone on with, and if not, why not, in one sentence."""

from __future__ import annotations

import hashlib
from array import array
from dataclasses import asdict, replace

from dlm.doc.document import Document
from dlm.errors import CorruptStore, Interrupted, TrainingError
from dlm.store.records import Version
from dlm.store.store import Store
from dlm.train.checkpoint import Checkpoint, Identity, Keeper, read_checkpoint
from dlm.train.environment import differences, environment
from dlm.train.options import TrainOptions
from dlm.train.plan import TrainingPlan
from dlm.train.progress import Progress
from dlm.train.start import Start


def interrupted_run(
    document: Document, options: TrainOptions, store: Store
) -> tuple[Checkpoint, TrainOptions]:
    """The run of this document to go on with, and the options it was started with.

    Raises TrainingError when there is none, when the document or the current version is another
    one since, or when an option is given that the run was not started with; CorruptStore when the
    checkpoint is damaged.
    """
    name = str(document.path or "document")
    kept = read_checkpoint(store.path.checkpoint)
    if kept is None:
        raise TrainingError(
            f"there is no interrupted run of {name} to resume", hint=f"start one: dlm train {name}"
        )
    _refuse_finished(store, kept, name)
    if kept.identity.document != document.sha256:
        raise TrainingError(
            f"{name} was edited since its run was interrupted at {kept.place}: "
            "what it says now is a new training",
            hint=f"start that: dlm train {name}; or restore the text and resume",
        )
    _refuse_other_options(kept, options)
    options = replace(options, **kept.identity.options)
    current = None if options.fresh else store.current()
    if kept.identity.previous != (current.sha256 if current else None):
        raise TrainingError(
            f"the run interrupted at {kept.place} continued another version than the one that is "
            "current now",
            hint=f"go back to that with `dlm rollback` and resume; or start over: dlm train {name}",
        )
    return kept, options


def open_keeper(
    start: Start,
    options: TrainOptions,
    store: Store,
    kept: Checkpoint | None,
    progress: Progress,
) -> Keeper:
    """What writes this run's checkpoints.

    Raises TrainingError, saying what changed, when it is to go on from `kept` and could not do so
    exactly. Without `kept`, says what run is left behind.
    """
    plan, this = start.plan, _identity(start, options)
    if kept is None:
        kept = _left_behind(store, progress)
    else:
        _refuse_changed(kept, this, plan.name)
        progress.note(f"going on after {kept.place}")
    return Keeper(store.path.checkpoint, this, plan.hardware, plan.schedule.steps, kept)


def interrupted(store: Store, name: str, what: str) -> Interrupted:
    """What to raise when the owner stopped the run: where things stand and how to go on."""
    current = store.current()
    kept = read_checkpoint(store.path.checkpoint)
    go_on = f"go on after {kept.place}: dlm train {name} --resume" if kept else None
    return Interrupted(
        f"{what}; {current.name if current else 'no version'} is current",
        hint=go_on or "run the same command to train again",
    )


def _identity(start: Start, options: TrainOptions) -> Identity:
    plan, previous = start.plan, start.previous
    return Identity(
        document=plan.document.sha256,
        options=asdict(options),
        base=plan.base_fingerprint,
        environment=environment(plan),
        previous=previous.sha256 if previous else None,
        work=_work(plan),
    )


def _left_behind(store: Store, progress: Progress) -> Checkpoint | None:
    """The checkpoint that a start from the first step leaves unused, if it is one of use."""
    try:
        kept = read_checkpoint(store.path.checkpoint)
    except CorruptStore as error:
        progress.note(error.message)
        return None
    if kept is None or _became(store, kept):
        return None
    progress.note(
        f"a run was interrupted at {kept.place}; this one starts over (--resume would go on)"
    )
    return kept


def _refuse_finished(store: Store, kept: Checkpoint, name: str) -> None:
    """A kill between the commit and the removal of the checkpoint leaves one without use."""
    if version := _became(store, kept):
        kept.path.unlink(missing_ok=True)
        raise TrainingError(
            f"there is nothing to resume: the run was finished and is {version.name}",
            hint=f"start a new one: dlm train {name}",
        )


def _became(store: Store, kept: Checkpoint) -> Version | None:
    """The version that the run of a checkpoint ended in."""
    for version in reversed(store.versions()):
        if store.run_of(version).started_at == kept.course.started:
            return version
    return None


def _refuse_changed(kept: Checkpoint, now: Identity, name: str) -> None:
    before = kept.identity
    if before == now:
        return
    run, over = f"the run interrupted at {kept.place}", f"start over: dlm train {name}"
    if before.base != now.base:
        raise TrainingError(f"{run} was training another base model than this", hint=over)
    if changes := differences(before.environment, now.environment):
        raise TrainingError(f"{run} cannot go on here: {'; '.join(changes)}", hint=over)
    raise TrainingError(f"{run} would train on other rows now", hint=over)


def _refuse_other_options(kept: Checkpoint, options: TrainOptions) -> None:
    default = asdict(TrainOptions())
    for name, value in asdict(options).items():
        before = kept.identity.options.get(name)
        if value not in (default[name], before):
            raise TrainingError(
                f"the run interrupted at {kept.place} was started {_spelled(name, before)}, "
                f"not {_spelled(name, value)}",
                hint="leave the option out to go on with it, or --resume to start over",
            )


def _spelled(name: str, value: object) -> str:
    option = f"--{name.replace('_', '-')}"
    if value is None or value is False:
        return f"without {option}"
    return f"with {option}" if value is True else f"with {option} {value}"


def _work(plan: TrainingPlan) -> str:
    """Sha256 over every row in the order of training, the optimisation and the bounds."""
    digest = hashlib.sha256(repr((plan.optimisation, plan.limits)).encode())
    seen: dict[int, bytes] = {}
    for row in plan.schedule.rows:
        if id(row) not in seen:
            parts = array("q", row.ids).tobytes() + bytes(row.supervised)
            seen[id(row)] = hashlib.sha256(parts + repr((row.part, row.weight)).encode()).digest()
        digest.update(seen[id(row)])
    digest.update(repr(plan.schedule.epoch_ends).encode())
    return digest.hexdigest()
