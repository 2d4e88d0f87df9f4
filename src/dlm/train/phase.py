"""One phase of a training: look, fit, look again, measure, judge, commit, prune.

`sft` and `preference` say what differs. Ctrl-C asks for a stop at the next step; the second one
aborts.
"""

from __future__ import annotations

import contextlib
import math
import signal
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from types import FrameType
from typing import Any, Generic, TypeVar

from dlm.data.rows import PairRow, Row
from dlm.engine.loading import save_adapter
from dlm.engine.model import Model
from dlm.errors import Abandoned, TrainingError
from dlm.eval.comparison import keep
from dlm.eval.scorecard import Scorecard
from dlm.store.database import Database
from dlm.store.improving import keep_text
from dlm.store.memory import Taught, note_taught
from dlm.store.records import Remembered, Version
from dlm.train.checkpoint import CheckpointWriter, TrainerState
from dlm.train.figures import EpochFigures, PairEpoch, Standing
from dlm.train.lock_file import check_lock, write_lock
from dlm.train.losses import Objective
from dlm.train.options import StepFigures
from dlm.train.plan import PhasePlan
from dlm.train.recorder import Recorder
from dlm.train.report import Outcome, Refusal, TrainingReport, run_record
from dlm.train.resume import Work, abandoned, interrupted, open_writer
from dlm.train.session import Bench, Session, load_version
from dlm.train.trainer import StepReport

_STOPPED = "stopped by the owner"
_SIGNALS = (signal.SIGINT, signal.SIGTERM)

P = TypeVar("P", bound=PhasePlan)


class Phase(ABC, Generic[P]):
    """The state of a phase while it lasts; `course` is what happened so far.

    With `looks_first` it may find, once the model is loaded, that there is nothing to do.
    """

    mode: str
    looks_first = False
    objective: Objective | None = None
    bench: Bench
    writer: CheckpointWriter | None = None

    def __init__(
        self, session: Session, plan: P, previous: Version | None, recorder: Recorder
    ) -> None:
        self.session, self.plan, self.previous = session, plan, previous
        self.store, self.progress, self.options = session.store, session.progress, session.options
        self.recorder, self.kept = recorder, session.kept
        # The share of its whole strength at which the adapter is left, see `strength`.
        self.strength: float = (
            self.store.run_of(previous).figures.get("strength", 1.0) if previous else 1.0
        )
        self.course = self.kept.course if self.kept else TrainerState(recorder.started, 0.0)
        self.losses = list(self.course.losses)
        self._began = time.monotonic() - self.course.seconds

    @abstractmethod
    def work(self) -> Work:
        """What it does, for a checkpoint to be told by."""

    @abstractmethod
    def announced(self) -> tuple[str, Sequence[str]]:
        """The plan in one line, and its warnings."""

    @abstractmethod
    def look_before(self) -> None:
        """Measure what is to be compared with."""

    @abstractmethod
    def look(self, epoch: int) -> str | None:
        """Measure the state after an epoch; returns why to stop, if so."""

    @abstractmethod
    def conclude(self, steps: int, stopped: str) -> TrainingReport | Refusal:
        """Measure, judge, and commit or refuse."""

    @abstractmethod
    def remembered(self, outcome: Outcome, name: str) -> list[Remembered]:
        """What version `name` remembers."""

    @abstractmethod
    def taught(self, name: str) -> Sequence[Taught]:
        """The triples that version `name` knows."""

    def nothing_to_do(self) -> Standing | None:
        """How things stand, where they are as they should be."""
        return None

    def rows(self) -> Sequence[Row | PairRow]:
        """Those of all steps, in order."""
        return self.plan.schedule.rows

    def see(self, report: StepReport) -> None:
        """A step was taken."""

    def settle(self) -> None:
        """All steps were taken: what may still change the adapter."""

    def load(self) -> Model:
        """The model to go on from."""
        assert self.previous is not None
        return load_version(self.plan, self.store, self.previous)

    def execute(self) -> TrainingReport | Refusal | Standing:
        """Go through all of it; raises Interrupted where the owner stopped it."""
        if warning := check_lock(self.plan, self.session.lock):
            self.progress.note(warning)
        try:
            done = self._through()
        except KeyboardInterrupt:
            raise interrupted(self.store, self.session.name, "stopped at once") from None
        except Abandoned as lost:
            raise abandoned(self.store, self.session.name, lost.message) from lost
        if self.writer:
            self.writer.forget()
        return done

    def begin(self) -> None:
        """The run was accepted."""
        self.recorder.begin(self.plan.schedule.steps, after=self.kept.step if self.kept else 0)

    def outcome(
        self,
        card: Scorecard,
        epochs: tuple[EpochFigures, ...] | tuple[PairEpoch, ...],
        steps: int,
        stopped: str,
    ) -> Outcome:
        """What the training came to."""
        seconds = time.monotonic() - self._began
        return Outcome(card, tuple(self.losses), epochs, steps, seconds, stopped)

    def commit(
        self, outcome: Outcome, more: Mapping[str, Any], *, current: bool, keeps_card: bool = True
    ) -> Version:
        """Make what was trained a version; `more` are figures of the phase for its record."""
        plan = self.plan
        record = run_record(
            plan,
            outcome,
            self.course.started,
            mode=self.mode,
            optimisation=plan.optimisation,
            more={**more, "strength": self.strength},
        )
        with self.store.new_version(after=self.previous) as staging:
            save_adapter(
                self.bench.model.network,
                staging.path,
                base_id=plan.base.hf_id,
                weights=self.bench.trainer.whole_weights(),
            )
            remembered, taught = self.remembered(outcome, staging.name), self.taught(staging.name)
            ended = self.recorder.committed(staging.number, outcome.stop_reason)

            def also(database: Database) -> None:
                ended(database)
                keep_text(database, plan.document.to_bytes())
                note_taught(database, staging.number, taught)
                if keeps_card:
                    keep(database, staging.number, outcome.card)

            version = staging.commit(record, remembered, also=also, current=current)
        self.session.workshop.committed(version)
        self.store.prune(plan.document.frontmatter.training.keep_last_n)
        return version

    def write_lock(self, version: Version) -> None:
        """Record the environment of a training that is done."""
        if warning := write_lock(self.plan, version.name, self.session.lock):
            self.progress.note(warning)

    def _through(self) -> TrainingReport | Refusal | Standing:
        if not self.looks_first:
            self._accept()
        self.progress.planned(*self.announced())
        self.bench = self.session.workshop.set_up(self.plan, self.previous, self._loaded)
        self.bench.evaluator.tell = self.progress.working
        self.look_before()
        if self.looks_first:
            if (found := self.nothing_to_do()) is not None:
                return found
            self._accept()
        steps, reason = self._fit()
        self.settle()
        self.progress.stage("measuring what was learned")
        return self.conclude(steps, reason or self.plan.ran_out(steps))

    def _accept(self) -> None:
        self.begin()
        self.writer = open_writer(self.session, self.plan, self.previous, self.work())

    def _loaded(self) -> Model:
        self.progress.stage(f"loading {self.plan.base.key}")
        return self.load()

    def _fit(self) -> tuple[int, str | None]:
        """Train; returns the steps taken and why it ended, None when the rows ran out."""
        start = self.kept.load() if self.kept else None
        rows, how = self.rows(), self.plan.optimisation
        if start is not None and self.course.verdict is not None:
            rows = rows[: start.step * how.rows_per_step]  # it had ended
        try:
            with stop_flag(self.progress.stopping) as flag:
                watcher = _Watcher(self, flag)
                steps, reason = self.bench.trainer.fit(
                    rows, how, watcher, start=start, objective=self.objective
                )
        finally:
            self.progress.done()
        if reason == _STOPPED:
            raise interrupted(self.store, self.session.name, f"stopped at step {steps}")
        return steps, reason or self.course.verdict

    def keep_checkpoint(self) -> None:
        """Write a checkpoint of the step that was just taken."""
        assert self.writer is not None
        seconds = time.monotonic() - self._began
        course = replace(self.course, seconds=seconds, losses=tuple(self.losses))
        if refused := self.writer.keep(self.bench.trainer.snapshot(), course):
            self.progress.note(f"the run goes on without a checkpoint: {refused}")


class StopFlag:
    """Set by the first SIGINT or SIGTERM; the second raises KeyboardInterrupt."""

    def __init__(self, on_request: Callable[[], None]) -> None:
        self.requested = False
        self._on_request = on_request

    def handle(self, number: int, frame: FrameType | None) -> None:
        """What a signal calls."""
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True
        self._on_request()


@contextlib.contextmanager
def stop_flag(on_request: Callable[[], None]) -> Iterator[StopFlag]:
    """A flag that Ctrl-C raises while the context lasts; outside the main thread it stays down.

    `on_request` is called inside the signal handler of the first one.
    """
    flag = StopFlag(on_request)
    if threading.current_thread() is not threading.main_thread():
        yield flag
        return
    before = {number: signal.signal(number, flag.handle) for number in _SIGNALS}
    try:
        yield flag
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class _Watcher:
    """Turns step reports into progress, and has the phase look at each epoch's end."""

    def __init__(self, phase: Phase[Any], flag: StopFlag) -> None:
        self._phase, self._flag = phase, flag
        self._before = phase.kept.step if phase.kept else 0
        ends = phase.plan.schedule.epoch_ends
        self._steps, self._ends = ends[-1], {end: epoch for epoch, end in enumerate(ends, 1)}
        self._began = time.monotonic()
        self._tokens = 0
        self._epoch = 1 + sum(end <= self._before for end in self._ends)

    def __call__(self, report: StepReport) -> str | None:
        phase = self._phase
        phase.losses.append(round(report.loss, 5))
        phase.recorder.step(report, self._epoch)
        if not math.isfinite(report.loss):
            raise TrainingError(
                f"the loss became {report.loss} at step {report.step}",
                hint="lower training.learning_rate; nothing was changed",
            )
        phase.see(report)
        self._show(report)
        verdict = None
        if epoch := self._ends.get(report.step):
            self._epoch = epoch + 1
            verdict = phase.look(epoch)
            phase.course = replace(phase.course, verdict=verdict)
        if self._flag.requested or (phase.writer and phase.writer.due):
            phase.keep_checkpoint()
        return _STOPPED if self._flag.requested else verdict

    def _show(self, report: StepReport) -> None:
        self._tokens += report.tokens
        elapsed = max(time.monotonic() - self._began, 1e-6)
        a_step = elapsed / (report.step - self._before)
        starts = [0, *self._ends]
        begin, end = starts[self._epoch - 1], starts[self._epoch]
        self._phase.progress.step(
            StepFigures(
                report.step,
                self._steps,
                self._epoch,
                report.loss,
                self._tokens / elapsed,
                seconds_left=a_step * (self._steps - report.step),
                epoch_share=(report.step - begin) / (end - begin),
                epoch_seconds_left=a_step * (end - report.step),
            )
        )
