"""The first phase: prose and pairs, from a document to a committed adapter version."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace

from dlm.data.rows import Row, RowKind
from dlm.engine.loading import LoraSettings, save_adapter
from dlm.engine.model import Model, Score
from dlm.errors import TrainingError
from dlm.eval.comparison import keep, with_current
from dlm.eval.probes import FULL, QUICK, question_sheet, quick_sheet
from dlm.eval.scorecard import Scorecard
from dlm.store.database import Database
from dlm.store.records import Remembered
from dlm.train.checkpoint import Keeper
from dlm.train.known import memory_after
from dlm.train.lock_file import check_lock, write_lock
from dlm.train.material import samples_of, take_samples
from dlm.train.measuring import Lookout, carried
from dlm.train.options import Progress
from dlm.train.passes import Pass
from dlm.train.plan import TrainingPlan
from dlm.train.preview import shares, summary, warnings
from dlm.train.recorder import Recorder
from dlm.train.report import Outcome, TrainingReport, run_record
from dlm.train.resume import Work, interrupted, open_keeper
from dlm.train.session import Session, load_version
from dlm.train.start import NothingToTrain, Start, prepare
from dlm.train.verdict import Budget, worse_than_base


def train_sft(session: Session) -> TrainingReport | NothingToTrain:
    """Train on prose and pairs and commit a version, unless the current one knows all of it."""
    fresh = session.options.fresh or session.store.current() is None
    with session.recorder("fresh" if fresh else "continue") as recorder:
        start = _prepared(session)
        if isinstance(start, NothingToTrain):
            return start
        if warning := check_lock(start.plan, session.lock):
            session.progress.note(warning)
        kept = session.kept
        recorder.begin(start.plan.schedule.steps, after=kept.step if kept else 0)
        keeper = open_keeper(session, start.plan, start.previous, _work(start.plan))
        try:
            report = _Run(session, start, recorder, keeper).execute()
        except KeyboardInterrupt:
            raise interrupted(session.store, session.name, "stopped at once") from None
        keeper.forget()
    if session.options.candidate:
        return report
    _refuse_ruined(session, start.plan, report)
    if warning := write_lock(start.plan, report.version.name, session.lock):
        session.progress.note(warning)
    return report


def _refuse_ruined(session: Session, plan: TrainingPlan, report: TrainingReport) -> None:
    """Raise TrainingError where a version was kept but not made current."""
    current = session.store.current()
    if current is not None and current.number == report.version.number:
        return
    rate, usual = plan.optimisation.learning_rate, plan.base.sft_learning_rate
    raise TrainingError(
        f"{report.version.name} is worse than the base in every respect "
        f"({worse_than_base(report.outcome.card)}): it is kept as a candidate, and "
        f"{current.name if current else 'no version'} is current",
        hint=f"training.learning_rate is {rate:g}, and {usual:g} is usual for {plan.base.key}"
        if rate > usual
        else f"dlm rollback {session.name} {report.version.name} makes it current all the same",
    )


def _prepared(session: Session) -> Start | NothingToTrain:
    """The plan; what the base writes by itself is sampled first where that was never done."""
    document, options, store = session.document, session.options, session.store
    toolbox = session.workshop.toolbox
    hardware = session.kept.hardware if session.kept else None
    start = prepare(document, options, store, hardware=hardware, toolbox=toolbox)
    if isinstance(start, Start) and _sample_the_base(start.plan, session.progress):
        toolbox.forget()
        hardware = start.plan.hardware
        start = prepare(document, options, store, hardware=hardware, toolbox=toolbox)
    return start


def _sample_the_base(plan: TrainingPlan, progress: Progress) -> bool:
    """Take what the base writes itself, where that was never done; returns whether it was."""
    wanted = plan.document.frontmatter.training.rehearsal.enabled
    if not wanted or plan.material.samples or samples_of(plan.base_folder) is not None:
        return False
    progress.stage(f"sampling what {plan.base.key} writes by itself (once)")
    take_samples(plan.base, plan.base_folder)
    return True


def _work(plan: TrainingPlan) -> Work:
    return Work(
        "sft", plan.schedule.rows, plan.schedule.epoch_ends, (plan.optimisation, plan.limits)
    )


class _Run:
    """The state of one training while it lasts."""

    def __init__(self, session: Session, start: Start, recorder: Recorder, keeper: Keeper) -> None:
        self.session, self.recorder = session, recorder
        self.plan, self.previous, self.notes = start.plan, start.previous, start.notes
        self.store, self.progress = session.store, session.progress
        self.run = Pass(session, recorder, keeper, self.plan.schedule.epoch_ends)
        self.budget = Budget(self.plan.limits) if self.plan.limits else None
        if self.budget:
            for figures in self.run.course.epochs:
                self.budget.verdict(figures)  # it judges by what it saw before

    def execute(self) -> TrainingReport:
        """Train, measure, commit."""
        options = self.session.options
        traps = (*warnings(self.plan), *self.notes)
        self.progress.planned(summary(self.plan, self.previous), traps)
        self.bench = self.session.workshop.set_up(self.plan, self.previous, self._load)
        self.model = self.bench.model
        self.lookout = Lookout(self.model, self.plan, self.bench.evaluator, brisk=options.brisk)
        steps, stopped = self._fit()
        self.progress.stage("measuring what was learned")
        outcome = self._outcome(self._measure(quick=options.brisk), steps, stopped)
        rows = self.plan.rows_of(steps)
        record = run_record(
            self.plan,
            outcome,
            self.run.course.started,
            mode="continue" if self.previous else "fresh",
            optimisation=self.plan.optimisation,
            more={
                "shares": [asdict(one) for one in shares(rows)],
                "drift_bound": self.plan.limits.max_drift if self.plan.limits else None,
            },
        )
        with self.store.new_version() as staging:
            save_adapter(self.model.network, staging.path, base_id=self.plan.base.hf_id)
            remembered = self._remembered(outcome, staging.name, rows)
            taught = carried(self.store, self.plan, self.previous, self.model, brisk=options.brisk)
            ended = self.recorder.committed(staging.number, stopped)
            compared = None if options.brisk else with_current(self.store, outcome.card)

            def also(database: Database) -> None:
                ended(database)
                taught(database, staging.number)
                if not options.brisk:  # a quick one is no scorecard to compare with
                    keep(database, staging.number, outcome.card)

            current = not (options.candidate or worse_than_base(outcome.card))
            version = staging.commit(record, remembered, also=also, current=current)
        self.session.workshop.committed(version)
        self.store.prune(self.plan.document.frontmatter.training.keep_last_n)
        return TrainingReport(version, self.previous, outcome, compared)

    def look(self, epoch: int) -> str | None:
        """Measure the state after an epoch; returns why to stop, if so."""
        figures = self.lookout.look(epoch, self.budget)
        course = self.run.course
        self.run.course = replace(course, epochs=(*course.epochs, figures))
        self.recorder.epoch(figures)
        self.progress.epoch(figures)
        return self.budget.verdict(figures) if self.budget else None

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
        rows, how = self.plan.schedule.rows, self.plan.optimisation
        steps, reason = self.run.run(self.bench.trainer, rows, how, self.look)
        return steps, reason or self._ran_out(steps)

    def _ran_out(self, steps: int) -> str:
        """Why a run ended that nothing stopped."""
        epochs = len(self.plan.schedule.epoch_ends)
        if self.plan.capped:
            return f"the limit of {steps} steps"
        return f"the cap of {epochs} epochs" if self.plan.limits else f"all {epochs} epochs done"

    def _measure(self, *, quick: bool) -> Scorecard:
        lessons = self.plan.lessons
        learned = {row.lesson.id for row in self.plan.material.pairs}
        sheet = (
            quick_sheet(lessons, lambda pair: pair.id in learned)
            if quick
            else question_sheet(lessons)
        )
        return self.bench.evaluator.measure(
            sheet,
            self.plan.codec,
            QUICK if quick else FULL,
            document_sha256=self.plan.document.sha256,
            sequence_length=self.plan.sequence_length,
            rows={row.lesson.id: row.encoded for row in self.plan.pairs},
        )

    def _outcome(self, card: Scorecard, steps: int, stopped: str) -> Outcome:
        return Outcome(
            card=card,
            losses=tuple(self.run.losses),
            epochs=self.run.course.epochs,
            steps=steps,
            seconds=self.run.seconds,
            stop_reason=stopped,
        )

    def _remembered(self, outcome: Outcome, name: str, rows: Sequence[Row]) -> list[Remembered]:
        """What the new version remembers: the document, and what was removed and stays."""
        removed = {one.lesson.id for one in self.plan.known.kept}
        pairs = [row for row in self.plan.material.replay if row.kind is RowKind.PAIR]
        kept = [row for row in pairs if row.lesson.id in removed]
        scores = {row.lesson.id: score for row, score in zip(kept, self._scores(kept), strict=True)}
        return memory_after(self.plan.known, self.plan.lessons, name, rows, scores | outcome.scores)

    def _scores(self, rows: Sequence[Row]) -> list[Score]:
        return self.model.score([row.encoded for row in rows], pad_id=self.plan.codec.pad_id)
