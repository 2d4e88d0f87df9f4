"""One pass of the trainer over the rows of a phase, and all that is noted on the way.

Knows neither what is trained nor what is measured: each phase looks for itself after an epoch.
Ctrl-C asks for a stop at the next step; the second one aborts.
"""

from __future__ import annotations

import contextlib
import math
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from types import FrameType

from dlm.data.rows import PairRow, Row
from dlm.errors import TrainingError
from dlm.train.checkpoint import Course, Keeper
from dlm.train.losses import Objective
from dlm.train.options import StepFigures
from dlm.train.recorder import Recorder
from dlm.train.resume import interrupted
from dlm.train.session import Session
from dlm.train.trainer import Optimisation, RowTrainer, StepReport


class StopFlag:
    """Set by the first SIGINT or SIGTERM; the second raises KeyboardInterrupt."""

    def __init__(self, on_request: Callable[[], None]) -> None:
        self.requested = False
        self._on_request = on_request

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True
        self._on_request()


@contextlib.contextmanager
def stop_flag(on_request: Callable[[], None] = lambda: None) -> Iterator[StopFlag]:
    """A flag that Ctrl-C raises while the context lasts; outside the main thread it stays down.

    `on_request` is called inside the signal handler of the first one.
    """
    flag = StopFlag(on_request)
    if threading.current_thread() is not threading.main_thread():
        yield flag
        return
    before = {number: signal.signal(number, flag._handle) for number in _SIGNALS}
    try:
        yield flag
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


_SIGNALS = (signal.SIGINT, signal.SIGTERM)


_STOPPED = "stopped by the owner"

Look = Callable[[int], str | None]
"""Measures the state after an epoch, and says why to stop, if so."""


class Pass:
    """`course` is what happened so far; a phase adds its own figures to it."""

    def __init__(
        self, session: Session, recorder: Recorder, keeper: Keeper, epoch_ends: Sequence[int]
    ) -> None:
        self.session, self.recorder, self.keeper = session, recorder, keeper
        self.epoch_ends = tuple(epoch_ends)
        self.kept = session.kept
        self.course = self.kept.course if self.kept else Course(recorder.started, 0.0)
        self.losses = list(self.course.losses)
        self._began = time.monotonic() - self.course.seconds

    @property
    def seconds(self) -> float:
        """Of work on this run, those before an interruption included."""
        return time.monotonic() - self._began

    def run(
        self,
        trainer: RowTrainer,
        rows: Sequence[Row | PairRow],
        how: Optimisation,
        look: Look,
        *,
        on_step: Callable[[StepReport], None] = lambda report: None,
        objective: Objective | None = None,
    ) -> tuple[int, str | None]:
        """Train; returns the steps taken and why it ended, None when the rows ran out.

        Raises Interrupted at the step boundary at which the owner stopped it.
        """
        start = self.kept.load() if self.kept else None
        if start is not None and self.course.verdict is not None:
            rows = rows[: start.step * how.rows_per_step]  # it had ended
        try:
            with stop_flag(self.session.progress.stopping) as flag:
                watcher = _Watcher(self, trainer, flag, look, on_step)
                steps, reason = trainer.fit(rows, how, watcher, start=start, objective=objective)
        finally:
            self.session.progress.done()
        if reason == _STOPPED:
            raise interrupted(self.session.store, self.session.name, f"stopped at step {steps}")
        return steps, reason or self.course.verdict

    def keep(self, trainer: RowTrainer) -> None:
        """Write a checkpoint of the step that was just taken."""
        course = replace(self.course, seconds=self.seconds, losses=tuple(self.losses))
        if refused := self.keeper.keep(trainer.snapshot(), course):
            self.session.progress.note(f"the run goes on without a checkpoint: {refused}")


class _Watcher:
    """Turns step reports into progress, and has the phase look at each epoch's end."""

    def __init__(
        self,
        run: Pass,
        trainer: RowTrainer,
        flag: StopFlag,
        look: Look,
        on_step: Callable[[StepReport], None],
    ) -> None:
        self._run, self._trainer, self._flag = run, trainer, flag
        self._look, self._on_step = look, on_step
        self._before = run.kept.step if run.kept else 0
        self._ends = {end: epoch for epoch, end in enumerate(run.epoch_ends, 1)}
        self._began = time.monotonic()
        self._tokens = 0
        self._epoch = 1 + sum(end <= self._before for end in self._ends)

    def __call__(self, report: StepReport) -> str | None:
        run = self._run
        run.losses.append(round(report.loss, 5))
        run.recorder.step(report, self._epoch)
        if not math.isfinite(report.loss):
            raise TrainingError(
                f"the loss became {report.loss} at step {report.step}",
                hint="lower training.learning_rate; nothing was changed",
            )
        self._on_step(report)
        self._show(report)
        verdict = None
        if epoch := self._ends.get(report.step):
            self._epoch = epoch + 1
            verdict = self._look(epoch)
            run.course = replace(run.course, verdict=verdict)
        if self._flag.requested or run.keeper.due:
            run.keep(self._trainer)
        return _STOPPED if self._flag.requested else verdict

    def _show(self, report: StepReport) -> None:
        self._tokens += report.tokens
        elapsed = max(time.monotonic() - self._began, 1e-6)
        steps = self._run.epoch_ends[-1]
        left = elapsed / (report.step - self._before) * (steps - report.step)
        self._run.session.progress.step(
            StepFigures(report.step, steps, self._epoch, report.loss, self._tokens / elapsed, left)
        )
