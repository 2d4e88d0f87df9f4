"""One training, from a document to a committed adapter version."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from datetime import UTC, datetime

from dlm.data.rows import Row
from dlm.doc.document import Document
from dlm.engine.adapter import save_adapter
from dlm.engine.model import LoraSettings, Model, Score
from dlm.errors import Interrupted, TrainingError
from dlm.eval.drift import DriftGauge
from dlm.eval.keeping import keep, with_current
from dlm.eval.measure import measure
from dlm.store.records import Remembered, Version
from dlm.store.store import Store
from dlm.train.budget import Budget, EpochFigures
from dlm.train.interrupt import StopFlag, stop_flag
from dlm.train.lookout import Lookout
from dlm.train.memory import memory_after, place_of
from dlm.train.options import TrainOptions
from dlm.train.plan import TrainingPlan
from dlm.train.progress import Progress, StepFigures
from dlm.train.report import Outcome, TrainingReport, run_record
from dlm.train.start import NothingToTrain, prepare
from dlm.train.trainer import RowTrainer, StepReport

_STOPPED = "stopped by the owner"


def train(
    document: Document, options: TrainOptions, progress: Progress
) -> TrainingReport | NothingToTrain:
    """Train on `document` and commit a new version, unless the current one knows all of it.

    Raises DlmError before anything is changed, or Interrupted at a step boundary.
    """
    frontmatter = document.frontmatter
    name = str(document.path or "document")
    with (
        Store.open(frontmatter.dlm_id, base_model=frontmatter.base_model) as store,
        store.lock(f"training {name}"),
    ):
        start = prepare(document, options, store)
        if isinstance(start, NothingToTrain):
            return start
        return _Run(start.plan, store, start.previous, progress).execute()


class _Run:
    """The state of one training while it lasts."""

    def __init__(
        self, plan: TrainingPlan, store: Store, previous: Version | None, progress: Progress
    ) -> None:
        self.plan, self.store = plan, store
        self.previous, self.progress = previous, progress
        self.started = datetime.now(UTC)
        self.budget = Budget(plan.limits) if plan.limits else None
        self.losses: list[float] = []
        self.epochs: list[EpochFigures] = []

    def execute(self) -> TrainingReport:
        began = time.monotonic()
        self.progress.stage(f"loading {self.plan.base.key}")
        self.model = self._load()
        self.gauge = DriftGauge(self.model, self.plan.codec)
        self.lookout = Lookout(self.model, self.plan, self.gauge)
        steps, stopped = self._fit()
        self.progress.stage("measuring what was learned")
        outcome = self._measure(steps, stopped, began)
        record = run_record(self.plan, outcome, self.started, self.previous)
        with self.store.new_version() as staging:
            save_adapter(self.model, staging.path, base_id=self.plan.base.hf_id)
            remembered = self._remembered(outcome, staging.name, steps)
            compared = with_current(self.store, outcome.card)
            version = staging.commit(
                record,
                remembered,
                also=lambda database: keep(database, staging.number, outcome.card),
            )
        self.store.prune(self.plan.document.frontmatter.training.keep_last_n)
        return TrainingReport(version, self.previous, outcome, compared)

    def look(self, epoch: int) -> str | None:
        """Measure the state after an epoch; returns why to stop, if so."""
        figures = self.lookout.look(epoch, self.budget)
        self.epochs.append(figures)
        self.progress.epoch(figures)
        return self.budget.verdict(figures) if self.budget else None

    def _load(self) -> Model:
        plan, config = self.plan, self.plan.document.frontmatter.training
        if self.previous is not None:
            self.store.verify(self.previous)
            adapter = self.previous.path
            return Model.load(plan.base_folder, plan.hardware, adapter=adapter, trainable=True)
        targets = "all-linear" if config.target_modules == "auto" else config.target_modules
        shape = LoraSettings(
            config.lora_r, config.lora_alpha, config.lora_dropout, targets, plan.seed
        )
        return Model.load(plan.base_folder, plan.hardware, new_adapter=shape)

    def _fit(self) -> tuple[int, str]:
        trainer = RowTrainer(self.model, pad_id=self.plan.codec.pad_id)
        try:
            with stop_flag() as flag:
                steps, reason = trainer.fit(
                    self.plan.schedule.rows, self.plan.optimisation, _Watcher(self, flag)
                )
        finally:
            trainer.close()
            self.progress.done()
        if reason == _STOPPED:
            current = self.store.current()
            raise Interrupted(
                f"stopped at step {steps}; nothing was changed and "
                f"{current.name if current else 'no version'} is current",
                hint="run the same command to train again",
            )
        return steps, reason or self._ran_out(steps)

    def _ran_out(self, steps: int) -> str:
        """Why a run ended that nothing stopped."""
        epochs = len(self.plan.schedule.epoch_ends)
        if self.plan.capped:
            return f"the limit of {steps} steps"
        return f"the cap of {epochs} epochs" if self.plan.limits else f"all {epochs} epochs done"

    def _measure(self, steps: int, stopped: str, began: float) -> Outcome:
        card = measure(
            self.model,
            self.plan.codec,
            self.plan.teaching,
            self.gauge,
            document_sha256=self.plan.document.sha256,
            sequence_length=self.plan.sequence_length,
        )
        return Outcome(
            card=card,
            losses=tuple(self.losses),
            epochs=tuple(self.epochs),
            steps=steps,
            seconds=time.monotonic() - began,
            stop_reason=stopped,
        )

    def _remembered(self, outcome: Outcome, name: str, steps: int) -> list[Remembered]:
        """What the new version remembers: the document, and what was removed and stays."""
        removed = {place_of(one.item) for one in self.plan.known.kept}
        kept = [row for row in self.plan.material.replay if place_of(row) in removed]
        rows = [*self.plan.pairs, *kept]
        scores = [*outcome.scores, *self._scores(kept)]
        by_place = dict(zip(map(place_of, rows), scores, strict=True))
        return memory_after(self.plan, name, self.plan.rows_of(steps), by_place)

    def _scores(self, rows: Sequence[Row]) -> list[Score]:
        return self.model.score([row.encoded for row in rows], pad_id=self.plan.codec.pad_id)


class _Watcher:
    """Turns step reports into progress, and asks the budget at each epoch's end."""

    def __init__(self, run: _Run, flag: StopFlag) -> None:
        self._run, self._flag = run, flag
        self._ends = {end: epoch for epoch, end in enumerate(run.plan.schedule.epoch_ends, 1)}
        self._began = time.monotonic()
        self._tokens = 0
        self._epoch = 1

    def __call__(self, report: StepReport) -> str | None:
        self._run.losses.append(round(report.loss, 5))
        if not math.isfinite(report.loss):
            raise TrainingError(
                f"the loss became {report.loss} at step {report.step}",
                hint="lower training.learning_rate; nothing was changed",
            )
        self._show(report)
        if self._flag.requested:
            return _STOPPED
        epoch = self._ends.get(report.step)
        if epoch is None:
            return None
        self._epoch = epoch + 1
        return self._run.look(epoch)

    def _show(self, report: StepReport) -> None:
        self._tokens += report.tokens
        elapsed = max(time.monotonic() - self._began, 1e-6)
        steps = self._run.plan.schedule.steps
        left = elapsed / report.step * (steps - report.step)
        self._run.progress.step(
            StepFigures(report.step, steps, self._epoch, report.loss, self._tokens / elapsed, left)
        )
