"""Writes what a training measures into the store while it runs, so that others can watch.

Steps are gathered and written about once a second. Metrics never end a training: a disk that
refuses them costs the metrics, and is said once. TensorBoard gets the same figures where the extra
is installed.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

from dlm.errors import DlmError, Interrupted, StoreError
from dlm.files import disk_error
from dlm.store import metrics
from dlm.store.database import Database
from dlm.store.metrics import Evaluation, MetricRun, RunOutcome, StepMetric
from dlm.store.records import run_name
from dlm.train.figures import EpochFigures, PairEpoch
from dlm.train.trainer import StepReport

_WRITE_EVERY = 1.0  # seconds
_AFTER_FAILURE = 30.0


class Board(Protocol):
    """Somewhere else that the same figures go."""

    def begin(self, run_id: str, after: int) -> None: ...

    def step(self, metric: StepMetric) -> None: ...

    def evaluation(self, metric: Evaluation) -> None: ...

    def close(self) -> None: ...


class Recorder:
    """One run, from the moment it is asked for; a context manager that records how it ended.

    Needs the store's lock. An error that leaves it before `begin` is a refusal. To resume a run,
    give the moment at which it `started`, by which it is known.
    """

    def __init__(
        self,
        database: Database,
        *,
        mode: str,
        base_key: str,
        document_path: str,
        started: datetime | None = None,
        board: Board | None = None,
        say: Callable[[str], object] = lambda text: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database, self._say, self._clock = database, say, clock
        self.started = started or datetime.now(UTC)
        self.run_id = run_name(self.started)
        self._run = MetricRun(self.run_id, mode, base_key, document_path, self.started)
        self._board = board
        self._steps: list[StepMetric] = []
        self._evaluations: list[Evaluation] = []
        self._began = self._free_since = self._written = clock()
        self._step = 0
        self._epoch = 1
        self._is_begun = self._lost = False

    def begin(self, planned_steps: int, *, after: int = 0) -> None:
        """The run was accepted. A resumed one goes on `after` a step; what came later goes."""
        self._run = replace(self._run, planned_steps=planned_steps)
        self._note(lambda: metrics.begin(self._database, self._run, after=after))
        known = metrics.steps(self._database, self.run_id)
        self._began = self._clock() - (known[-1].seconds if known else 0.0)
        if self._board:
            self._board.begin(self.run_id, after)
        self._is_begun = True

    def step(self, report: StepReport, epoch: int) -> None:
        """An optimiser step was taken."""
        now = self._clock()
        self._step, self._epoch = report.step, epoch
        metric = StepMetric(
            step=report.step,
            epoch=epoch,
            loss=report.loss,
            learning_rate=report.learning_rate,
            tokens=report.tokens,
            tokens_per_second=round(report.tokens / max(now - self._free_since, 1e-6), 1),
            seconds=round(now - self._began, 3),
        )
        self._steps.append(metric)
        if self._board:
            self._board.step(metric)
        if now - self._written >= _WRITE_EVERY:
            self._write()
        self._free_since = self._clock()

    def epoch(self, figures: EpochFigures | PairEpoch) -> None:
        """The state after an epoch was measured."""
        metric = Evaluation(
            epoch=figures.epoch,
            step=self._step,
            seconds=round(self._clock() - self._began, 3),
            figures=figures.named(),
        )
        self._evaluations.append(metric)
        if self._board:
            self._board.evaluation(metric)
        self._free_since = self._clock()  # looking is not training

    def committed(self, number: int, detail: str) -> Callable[[Database], None]:
        """What to write in the transaction of the commit: the run ended as version `number`."""
        self._write()

        def also(database: Database) -> None:
            metrics.end(database, self.run_id, RunOutcome.COMMITTED, detail, version=number)

        return also

    def refused(self, why: str) -> None:
        """The run ended, and what came of it is not to be kept."""
        self._write()
        self._note(lambda: metrics.end(self._database, self.run_id, RunOutcome.REFUSED, why))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._board:
            self._board.close()
        if error is not None:
            self._write()
            self._note(lambda: self._record_end(error))

    def _record_end(self, error: BaseException) -> None:
        if not self._is_begun:
            if metrics.run(self._database, self.run_id):
                return  # an interrupted run that could not be resumed stays what it was
            metrics.begin(self._database, self._run)
        outcome, detail = _ending(error, begun=self._is_begun)
        metrics.end(self._database, self.run_id, outcome, detail)

    def _write(self) -> None:
        """Write what was gathered; what could not be written now is tried again later."""
        self._written = self._clock()
        steps, found = self._steps, self._evaluations
        if (steps or found) and self._note(
            lambda: metrics.add(self._database, self.run_id, steps, found)
        ):
            self._steps, self._evaluations = [], []

    def _note(self, write: Callable[[], None]) -> bool:
        try:
            write()
        except StoreError as error:
            if not self._lost:
                self._say(f"metrics cannot be written now: {error.message}")
            self._lost = True
            self._written = self._clock() + _AFTER_FAILURE
            return False
        return True


def _ending(error: BaseException, *, begun: bool) -> tuple[RunOutcome, str]:
    if isinstance(error, KeyboardInterrupt):
        return RunOutcome.INTERRUPTED, "aborted by the owner"
    sentence = error.message if isinstance(error, DlmError) else f"{type(error).__name__}: {error}"
    if isinstance(error, Interrupted):
        return RunOutcome.INTERRUPTED, sentence
    if isinstance(error, DlmError) and not begun:
        return RunOutcome.REFUSED, sentence
    return RunOutcome.FAILED, sentence


class TensorBoard:
    """Event files for one run, in a folder of its own below `folder`.

    Raises DlmError when TensorBoard is not installed or the disk refuses.
    """

    def __init__(self, folder: Path) -> None:
        if find_spec("tensorboard") is None:
            raise DlmError(
                "TensorBoard is not installed", hint="pip install 'dlm[tensorboard]' adds it"
            )
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise disk_error(folder, error) from error
        self._folder = folder
        self._writer: Any = None

    def begin(self, run_id: str, after: int) -> None:
        """Open the files; a resumed run replaces what it had shown `after` a step."""
        from torch.utils.tensorboard import SummaryWriter

        self._writer = SummaryWriter(
            str(self._folder / run_id), purge_step=after + 1 if after else None
        )

    def step(self, metric: StepMetric) -> None:
        """Loss, learning rate and speed of one step."""
        values = {
            "train/loss": metric.loss,
            "train/learning_rate": metric.learning_rate,
            "train/tokens_per_second": metric.tokens_per_second,
        }
        self._add(values, metric.step)

    def evaluation(self, metric: Evaluation) -> None:
        """Every figure of one evaluation that is a number, at its step."""
        figures = metric.figures.items()
        self._add({f"evaluation/{name}": value for name, value in figures}, metric.step)

    def close(self) -> None:
        """Flush and close the files."""
        if self._writer is not None:
            self._writer.close()

    def _add(self, values: dict[str, Any], step: int) -> None:
        for name, value in values.items():
            if isinstance(value, int | float):
                self._writer.add_scalar(name, value, step)
