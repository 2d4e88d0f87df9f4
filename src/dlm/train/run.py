"""One training, from a document to a committed adapter version."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from contextlib import nullcontext

from dlm.data.rows import Row
from dlm.doc.document import Document
from dlm.engine.adapter import save_adapter
from dlm.engine.model import LoraSettings, Model, Score
from dlm.errors import TrainingError
from dlm.eval.glance import glance
from dlm.eval.keeping import keep, with_current
from dlm.eval.measure import measure
from dlm.eval.scorecard import Scorecard
from dlm.store.database import Database
from dlm.store.records import Remembered
from dlm.store.store import Store
from dlm.train.budget import Budget
from dlm.train.checkpoint import Checkpoint, Course, Keeper
from dlm.train.interrupt import StopFlag, stop_flag
from dlm.train.lock_file import LockMode, check_lock, write_lock
from dlm.train.lookout import Lookout
from dlm.train.memory import memory_after, place_of
from dlm.train.options import TrainOptions
from dlm.train.plan import TrainingPlan
from dlm.train.preview import summary, warnings
from dlm.train.progress import Progress, StepFigures
from dlm.train.recorder import Board, Recorder
from dlm.train.report import Outcome, TrainingReport, run_record
from dlm.train.resume import interrupted, interrupted_run, open_keeper
from dlm.train.samples import samples_of, take_samples
from dlm.train.start import NothingToTrain, Start, prepare
from dlm.train.trainer import RowTrainer, StepReport
from dlm.train.workshop import Workshop, load_version

_STOPPED = "stopped by the owner"


def train(
    document: Document,
    options: TrainOptions,
    progress: Progress,
    *,
    resume: bool = False,
    lock: LockMode = LockMode.WARN,
    board: Board | None = None,
    workshop: Workshop | None = None,
) -> TrainingReport | NothingToTrain:
    """Train on `document` and commit a new version, unless the current one knows all of it.

    With `resume`, go on with the run that was interrupted. `workshop` is what a process that trains
    again and again keeps in memory. What is measured goes into the store as
    it comes, and to `board` too. Raises DlmError before anything is changed, or Interrupted at a
    step boundary.
    """
    frontmatter = document.frontmatter
    name = str(document.path or "document")
    with (
        Store.open(frontmatter.dlm_id, base_model=frontmatter.base_model) as store,
        store.lock(f"training {name}"),
    ):
        kept, options = interrupted_run(document, options, store) if resume else (None, options)
        recorder = Recorder(
            store.database,
            mode="fresh" if options.fresh or store.current() is None else "continue",
            base_key=frontmatter.base_model,
            document_path=name,
            started=kept.course.started if kept else None,
            board=board,
            say=progress.note,
        )
        with recorder, Workshop() if workshop is None else nullcontext(workshop) as place:
            return _run(document, options, store, progress, recorder, kept, lock, place)


def _run(
    document: Document,
    options: TrainOptions,
    store: Store,
    progress: Progress,
    recorder: Recorder,
    kept: Checkpoint | None,
    lock: LockMode,
    workshop: Workshop,
) -> TrainingReport | NothingToTrain:
    toolbox = workshop.toolbox
    hardware = kept.hardware if kept else None
    start = prepare(document, options, store, hardware=hardware, toolbox=toolbox)
    if isinstance(start, NothingToTrain):
        return start
    if _sample_the_base(start.plan, progress):
        toolbox.forget()
        hardware = start.plan.hardware
        start = prepare(document, options, store, hardware=hardware, toolbox=toolbox)
        assert isinstance(start, Start)
    if warning := check_lock(start.plan, lock):
        progress.note(warning)
    recorder.begin(start.plan.schedule.steps, after=kept.step if kept else 0)
    keeper = open_keeper(start, options, store, kept, progress)
    try:
        run = _Run(start, options, store, progress, recorder, keeper, kept, workshop)
        report = run.execute()
    except KeyboardInterrupt:
        raise interrupted(store, start.plan.name, "stopped at once") from None
    keeper.forget()
    if options.candidate:
        return report
    if warning := write_lock(start.plan, report.version.name, lock):
        progress.note(warning)
    return report


def _sample_the_base(plan: TrainingPlan, progress: Progress) -> bool:
    """Take what the base writes itself, where that was never done; returns whether it was."""
    wanted = plan.document.frontmatter.training.rehearsal.enabled
    if not wanted or plan.material.samples or samples_of(plan.base_folder) is not None:
        return False
    progress.stage(f"sampling what {plan.base.key} writes by itself (once)")
    take_samples(plan.base, plan.base_folder)
    return True


class _Run:
    """The state of one training while it lasts."""

    def __init__(
        self,
        start: Start,
        options: TrainOptions,
        store: Store,
        progress: Progress,
        recorder: Recorder,
        keeper: Keeper,
        kept: Checkpoint | None,
        workshop: Workshop,
    ) -> None:
        self.plan, self.previous, self.notes = start.plan, start.previous, start.notes
        self.options = options
        self.store, self.progress, self.recorder = store, progress, recorder
        self.keeper, self.kept, self.workshop = keeper, kept, workshop
        so_far = kept.course if kept else Course(recorder.started, 0.0)
        self.started = so_far.started
        self.began = time.monotonic() - so_far.seconds
        self.losses = list(so_far.losses)
        self.epochs = list(so_far.epochs)
        self.verdict = so_far.verdict
        self.budget = Budget(self.plan.limits) if self.plan.limits else None
        if self.budget:
            for figures in self.epochs:
                self.budget.verdict(figures)  # it judges by what it saw before

    def execute(self) -> TrainingReport:
        """Train, measure, commit."""
        brisk = self.options.brisk
        traps = (*warnings(self.plan), *self.notes)
        self.progress.planned(summary(self.plan, self.previous), traps)
        self.bench = self.workshop.set_up(self.plan, self.previous, self._load)
        self.model, self.gauge = self.bench.model, self.bench.gauge
        self.lookout = Lookout(self.model, self.plan, self.gauge, brisk=brisk)
        steps, stopped = self._fit()
        self.progress.stage("measuring what was learned")
        outcome = self._outcome(self._glance() if brisk else self._measure(), steps, stopped)
        record = run_record(self.plan, outcome, self.started, self.previous)
        with self.store.new_version() as staging:
            save_adapter(self.model, staging.path, base_id=self.plan.base.hf_id)
            remembered = self._remembered(outcome, staging.name, steps)
            ended = self.recorder.committed(staging.number, stopped)
            compared = None if brisk else with_current(self.store, outcome.card)

            def also(database: Database) -> None:
                ended(database)
                if not brisk:  # a glance is no scorecard to compare others with
                    keep(database, staging.number, outcome.card)

            version = staging.commit(
                record, remembered, also=also, current=not self.options.candidate
            )
        self.workshop.committed(version)
        self.store.prune(self.plan.document.frontmatter.training.keep_last_n)
        return TrainingReport(version, self.previous, outcome, compared)

    def look(self, epoch: int) -> str | None:
        """Measure the state after an epoch; returns why to stop, if so."""
        figures = self.lookout.look(epoch, self.budget)
        self.epochs.append(figures)
        self.recorder.epoch(figures)
        self.progress.epoch(figures)
        self.verdict = self.budget.verdict(figures) if self.budget else None
        return self.verdict

    def keep(self, trainer: RowTrainer) -> None:
        """Write a checkpoint of the step that was just taken."""
        seconds = time.monotonic() - self.began
        course = Course(self.started, seconds, tuple(self.losses), tuple(self.epochs), self.verdict)
        if refused := self.keeper.keep(trainer.snapshot(), course):
            self.progress.note(f"the run goes on without a checkpoint: {refused}")

    def _load(self) -> Model:
        plan, config = self.plan, self.plan.document.frontmatter.training
        self.progress.stage(f"loading {plan.base.key}")
        if self.previous is not None:
            return load_version(plan, self.store, self.previous)
        targets = "all-linear" if config.target_modules == "auto" else config.target_modules
        shape = LoraSettings(
            config.lora_r, config.lora_alpha, config.lora_dropout, targets, plan.seed
        )
        return Model.load(plan.base_folder, plan.hardware, new_adapter=shape)

    def _fit(self) -> tuple[int, str]:
        start = self.kept.load() if self.kept else None
        trainer = self.bench.trainer
        rows = self.plan.schedule.rows
        if start is not None and self.verdict is not None:
            rows = rows[: start.step * self.plan.optimisation.rows_per_step]  # it had ended
        try:
            with stop_flag(self.progress.stopping) as flag:
                watcher = _Watcher(self, trainer, flag)
                steps, reason = trainer.fit(rows, self.plan.optimisation, watcher, start=start)
        finally:
            self.progress.done()
        if reason == _STOPPED:
            raise interrupted(self.store, self.plan.name, f"stopped at step {steps}")
        return steps, reason or self.verdict or self._ran_out(steps)

    def _ran_out(self, steps: int) -> str:
        """Why a run ended that nothing stopped."""
        epochs = len(self.plan.schedule.epoch_ends)
        if self.plan.capped:
            return f"the limit of {steps} steps"
        return f"the cap of {epochs} epochs" if self.plan.limits else f"all {epochs} epochs done"

    def _measure(self) -> Scorecard:
        return measure(
            self.model,
            self.plan.codec,
            self.plan.teaching,
            self.gauge,
            document_sha256=self.plan.document.sha256,
            sequence_length=self.plan.sequence_length,
        )

    def _glance(self) -> Scorecard:
        learned = {place_of(row) for row in self.plan.material.pairs}
        return glance(
            self.model,
            self.plan.codec,
            self.plan.teaching,
            [row.encoded for row in self.plan.pairs],
            lambda pair: (pair.section_id, pair.line) in learned,
            self.bench.base,
            document_sha256=self.plan.document.sha256,
        )

    def _outcome(self, card: Scorecard, steps: int, stopped: str) -> Outcome:
        return Outcome(
            card=card,
            losses=tuple(self.losses),
            epochs=tuple(self.epochs),
            steps=steps,
            seconds=time.monotonic() - self.began,
            stop_reason=stopped,
        )

    def _remembered(self, outcome: Outcome, name: str, steps: int) -> list[Remembered]:
        """What the new version remembers: the document, and what was removed and stays."""
        removed = {place_of(one.item) for one in self.plan.known.kept}
        kept = [row for row in self.plan.material.replay if place_of(row) in removed]
        by_place = dict(zip(map(place_of, kept), self._scores(kept), strict=True))
        by_place |= outcome.scores
        return memory_after(self.plan, name, self.plan.rows_of(steps), by_place)

    def _scores(self, rows: Sequence[Row]) -> list[Score]:
        return self.model.score([row.encoded for row in rows], pad_id=self.plan.codec.pad_id)


class _Watcher:
    """Turns step reports into progress, and asks the budget at each epoch's end."""

    def __init__(self, run: _Run, trainer: RowTrainer, flag: StopFlag) -> None:
        self._run, self._trainer, self._flag = run, trainer, flag
        self._before = run.kept.step if run.kept else 0
        self._ends = {end: epoch for epoch, end in enumerate(run.plan.schedule.epoch_ends, 1)}
        self._began = time.monotonic()
        self._tokens = 0
        self._epoch = 1 + sum(end <= self._before for end in self._ends)

    def __call__(self, report: StepReport) -> str | None:
        self._run.losses.append(round(report.loss, 5))
        self._run.recorder.step(report, self._epoch)
        if not math.isfinite(report.loss):
            raise TrainingError(
                f"the loss became {report.loss} at step {report.step}",
                hint="lower training.learning_rate; nothing was changed",
            )
        self._show(report)
        verdict = None
        if epoch := self._ends.get(report.step):
            self._epoch = epoch + 1
            verdict = self._run.look(epoch)
        if self._flag.requested or self._run.keeper.due:
            self._run.keep(self._trainer)
        return _STOPPED if self._flag.requested else verdict

    def _show(self, report: StepReport) -> None:
        self._tokens += report.tokens
        elapsed = max(time.monotonic() - self._began, 1e-6)
        steps = self._run.plan.schedule.steps
        left = elapsed / (report.step - self._before) * (steps - report.step)
        self._run.progress.step(
            StepFigures(report.step, steps, self._epoch, report.loss, self._tokens / elapsed, left)
        )
