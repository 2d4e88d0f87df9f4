"""Whether an interrupted training can be gone on with, and if not, why not, in one sentence."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property

from dlm.data.rows import PairRow, Row
from dlm.doc.document import Document
from dlm.errors import Abandoned, CorruptStore, Interrupted, TrainingError
from dlm.store.records import Version
from dlm.store.store import Store
from dlm.train.base import Setup
from dlm.train.checkpoint import Checkpoint, CheckpointWriter, Identity, read_checkpoint
from dlm.train.lock_file import differences, environment
from dlm.train.options import Progress, TrainOptions
from dlm.train.session import Session


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
    current = _continued(kept, options, store)
    if kept.identity.previous != (current.sha256 if current else None):
        raise TrainingError(
            f"the run interrupted at {kept.place} continued another version than the one that is "
            "current now",
            hint=f"go back to that with `dlm rollback` and resume; or start over: dlm train {name}",
        )
    return kept, options


def finished_run(document: Document, store: Store) -> tuple[Version, str, TrainOptions] | None:
    """The version, the phase and the options of a run that was killed after its commit.

    None when the checkpoint is of an unfinished run, of another text, or of a candidate. Otherwise
    the checkpoint is of no use, and is removed.
    """
    kept = read_checkpoint(store.path.checkpoint)
    if kept is None or kept.identity.document != document.sha256:
        return None
    options, version = TrainOptions(**kept.identity.options), _became(store, kept)
    if version is None or options.candidate:
        return None
    kept.path.unlink(missing_ok=True)
    return version, kept.identity.phase, options


@dataclass(frozen=True)
class Work:
    """What a phase does: its rows in the order of training, and the settings of the optimisation.

    The settings are values whose `repr` tells all.
    """

    phase: str
    rows: Sequence[Row | PairRow]
    epoch_ends: tuple[int, ...]
    settings: tuple[object, ...]

    @cached_property
    def digest(self) -> str:
        """Sha256 over every row in the order of training, the optimisation and the bounds."""
        digest = hashlib.sha256(repr(self.settings).encode())
        seen: dict[int, bytes] = {}
        for row in self.rows:
            if id(row) not in seen:
                seen[id(row)] = _digest(row)
            digest.update(seen[id(row)])
        digest.update(repr(self.epoch_ends).encode())
        return digest.hexdigest()


def open_writer(
    session: Session, setup: Setup, previous: Version | None, work: Work
) -> CheckpointWriter:
    """What writes this run's checkpoints.

    Raises TrainingError, saying what changed, when it is to go on from an interrupted one and could
    not do so exactly. Otherwise says what run is left behind.
    """
    store, kept = session.store, session.kept
    this = Identity(
        document=setup.document.sha256,
        options=asdict(session.options),
        base=setup.base_fingerprint,
        environment=environment(setup),
        previous=previous.sha256 if previous else None,
        work=work.digest,
        phase=work.phase,
    )
    if kept is None:
        kept = _left_behind(store, session.progress)
    else:
        _refuse_changed(kept, this, setup.name)
        session.progress.note(f"going on after {kept.place}")
    return CheckpointWriter(store.path.checkpoint, this, setup.hardware, work.epoch_ends[-1], kept)


def interrupted(store: Store, name: str, what: str) -> Interrupted:
    """What to raise when the owner stopped the run: where things stand and how to go on."""
    return Interrupted(_standing(store, what), hint=_how_to_go_on(store, f"dlm train {name}"))


def abandoned(store: Store, name: str, what: str) -> Abandoned:
    """The same where another process that trained along is gone."""
    again = f"start the processes again, with dlm train {name}"
    return Abandoned(_standing(store, what), hint=_how_to_go_on(store, again))


def _standing(store: Store, what: str) -> str:
    current = store.current()
    return f"{what}; {current.name if current else 'no version'} is current"


def _how_to_go_on(store: Store, command: str) -> str:
    kept = read_checkpoint(store.path.checkpoint)
    if kept is None:
        return "run the same command to train again"
    return f"go on after {kept.place}: {command} --resume"


def _continued(kept: Checkpoint, options: TrainOptions, store: Store) -> Version | None:
    """The version that a run such as the interrupted one would go on from now."""
    if kept.identity.phase == "sft":
        return None if options.fresh else store.current()
    if not options.candidate:
        return store.current()
    # A candidate's second phase goes on from the newest version, which is not the current one.
    return store.versions()[-1] if store.versions() else None


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


def _digest(row: Row | PairRow) -> bytes:
    if isinstance(row, PairRow):
        both = _digest(row.chosen) + _digest(row.rejected)
        return hashlib.sha256(both + repr(row.weight).encode()).digest()
    parts = array("q", row.ids).tobytes() + bytes(row.supervised)
    return hashlib.sha256(parts + repr((row.lesson.role.value, row.weight)).encode()).digest()
