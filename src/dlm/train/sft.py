"""The first phase: prose and pairs, from a document to a committed adapter version."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace

from dlm.engine.loading import LoraSettings
from dlm.engine.model import Model
from dlm.errors import TrainingError
from dlm.eval.comparison import with_current
from dlm.eval.open_notes import with_notes_open
from dlm.eval.probes import QUICK, Budget as Measured, question_sheet, quick_sheet
from dlm.eval.scorecard import Scorecard
from dlm.launch import launch
from dlm.store.memory import Taught
from dlm.store.records import Remembered
from dlm.train.known import memory_after
from dlm.train.measuring import PairEvaluator, inherited
from dlm.train.options import Progress
from dlm.train.phase import Phase
from dlm.train.plan import TrainingPlan
from dlm.train.preview import shares, summary, warnings
from dlm.train.recipe import measured_tokens, recipe_of
from dlm.train.recorder import Recorder
from dlm.train.report import Outcome, TrainingReport
from dlm.train.resume import Work
from dlm.train.samples import samples_of, take_samples
from dlm.train.session import Session
from dlm.train.start import NothingToTrain, Start, prepare
from dlm.train.verdict import Budget, worse_than_base


def train_sft(session: Session) -> TrainingReport | NothingToTrain:
    """Train on prose and pairs and commit a version, unless the current one knows all of it."""
    fresh = session.options.fresh or session.store.current() is None
    with session.recorder("fresh" if fresh else "continue") as recorder:
        start = _prepared(session)
        if isinstance(start, NothingToTrain):
            return start
        phase = SftPhase(session, start, recorder)
        report = phase.execute()
    assert isinstance(report, TrainingReport)
    if not session.options.candidate:
        _refuse_ruined(session, start.plan, report)
        phase.write_lock(report.version)
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
    base_cache = session.workshop.base_cache
    hardware = session.kept.hardware if session.kept else None
    start = prepare(document, options, store, hardware=hardware, base_cache=base_cache)
    if isinstance(start, Start) and _sample_the_base(start.plan, session.progress):
        base_cache.forget()
        hardware = start.plan.hardware
        start = prepare(document, options, store, hardware=hardware, base_cache=base_cache)
    if isinstance(start, Start) and not options.quick:
        hardware = start.plan.hardware
        for text in (f"on {hardware.summary}", *hardware.remarks):
            session.progress.note(text)
    return start


def _sample_the_base(plan: TrainingPlan, progress: Progress) -> bool:
    """Take what the base writes itself, where that was never done; returns whether it was."""
    wanted = plan.document.frontmatter.training.rehearsal.enabled
    if not wanted or plan.material.samples or samples_of(plan.base_folder) is not None:
        return False
    if launch().sharded:
        progress.note(f"{plan.base.key} is spread over processes: what it writes is not rehearsed")
        return False
    progress.stage(f"sampling what {plan.base.key} writes by itself (once)")
    take_samples(plan.base, plan.base_folder)
    return True


class SftPhase(Phase[TrainingPlan]):
    """What differs where prose and pairs are trained."""

    def __init__(self, session: Session, start: Start, recorder: Recorder) -> None:
        super().__init__(session, start.plan, start.previous, recorder)
        self.mode = "continue" if start.previous else "fresh"
        self.notes = start.notes
        self.budget = Budget(self.plan.limits) if self.plan.limits else None
        if self.budget:
            for figures in self.course.epochs:
                self.budget.verdict(figures)  # it judges by what it saw before

    def work(self) -> Work:
        plan = self.plan
        settings = (plan.optimisation, plan.limits)
        return Work("sft", plan.schedule.rows, plan.schedule.epoch_ends, settings)

    def announced(self) -> tuple[str, Sequence[str]]:
        return summary(self.plan, self.previous), (*warnings(self.plan), *self.notes)

    def load(self) -> Model:
        if self.previous is not None:
            return super().load()
        plan, config = self.plan, self.plan.document.frontmatter.training
        targets = "all-linear" if config.target_modules == "auto" else config.target_modules
        shape = LoraSettings(
            config.lora_r, config.lora_alpha, config.lora_dropout, targets, plan.seed
        )
        return Model.load(plan.base_folder, plan.hardware, new_adapter=shape)

    def look_before(self) -> None:
        bench, quick = self.bench, self.options.quick
        self.evaluator = PairEvaluator(bench.model, self.plan, bench.evaluator, quick=quick)
        if self._eased:
            bench.model.scale(1 / self.strength)

    def look(self, epoch: int) -> str | None:
        figures = self.evaluator.look(epoch, self.budget)
        self.course = replace(self.course, epochs=(*self.course.epochs, figures))
        self.recorder.epoch(figures)
        self.progress.epoch(figures)
        if self.budget is None:
            return None
        rate, verdict = self.budget.rate, self.budget.verdict(figures)
        if verdict is None and self.budget.rate != rate:
            self.bench.trainer.at_rate(self.budget.rate)
        return verdict

    def settle(self) -> None:
        """The adapter is left no stronger than it must be."""
        if self._eased:
            self.progress.stage("weakening the adapter as far as it keeps what it learned")
            self.strength = self.evaluator.least_strength()
            self.bench.model.scale(self.strength)

    @property
    def _eased(self) -> bool:
        return recipe_of(self.plan.base).eased and not (self.options.quick or launch().sharded)

    def conclude(self, steps: int, stopped: str) -> TrainingReport:
        quick, limits = self.options.quick, self.plan.limits
        outcome = self.outcome(
            self._measure(steps, quick=quick), self.course.epochs, steps, stopped
        )
        more = {
            "shares": [asdict(one) for one in shares(self.plan.rows_of(steps))],
            "drift_bound": limits.max_drift if limits else None,
        }
        # A quick scorecard is none to compare others with.
        compared = None if quick else with_current(self.store, outcome.card)
        current = not (self.options.candidate or worse_than_base(outcome.card))
        version = self.commit(outcome, more, current=current, keeps_card=not quick)
        return TrainingReport(version, self.previous, outcome, compared)

    def remembered(self, outcome: Outcome, name: str) -> list[Remembered]:
        """The document, and what was removed and stays."""
        known, plan = self.plan.known, self.plan
        removed = {one.lesson.id for one in known.kept}
        kept = [row for row in plan.material.known_pairs if row.lesson.id in removed]
        encoded = [row.encoded for row in kept]
        found = self.bench.model.score(encoded, pad_id=plan.codec.pad_id)
        scores = {row.lesson.id: score for row, score in zip(kept, found, strict=True)}
        rows = plan.rows_of(outcome.steps)
        return memory_after(known, plan.lessons, name, rows, scores | outcome.scores)

    def taught(self, name: str) -> Sequence[Taught]:
        model, quick = self.bench.model, self.options.quick
        return inherited(self.store, self.plan, self.previous, model, quick=quick)

    def _measure(self, steps: int, *, quick: bool) -> Scorecard:
        lessons, plan = self.plan.lessons, self.plan
        trained = sum(len(row.ids) for row in plan.rows_of(steps))
        # A candidate is compared section by section with another, so that all of it is measured.
        whole = self.options.candidate
        most = None if whole else measured_tokens(plan.base, plan.hardware.device, trained)
        learned = {row.lesson.id for row in self.plan.material.pairs}
        sheet = (
            quick_sheet(lessons, lambda pair: pair.id in learned)
            if quick
            else question_sheet(lessons)
        )
        card = self.bench.evaluator.measure(
            sheet,
            self.plan.codec,
            QUICK if quick else Measured(tokens=most),
            document_sha256=self.plan.document.sha256,
            sequence_length=self.plan.sequence_length,
            rows={row.lesson.id: row.encoded for row in self.plan.pairs},
        )
        return (
            card
            if quick
            else with_notes_open(card, plan.document, plan.base, self.progress.working)
        )
