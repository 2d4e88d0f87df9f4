"""The second phase: triples, from a committed version to the next one, or to a refusal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from dlm.data.preferences import balance
from dlm.engine.loading import save_adapter
from dlm.engine.model import Model
from dlm.eval.comparison import compare as compare_cards, keep, kept
from dlm.store.database import Database
from dlm.store.memory import Taught, note_refused, note_taught, refused_before, taught_to
from dlm.store.records import Remembered, Version
from dlm.train.checkpoint import Keeper
from dlm.train.figures import (
    PairCourse,
    PairScore,
    PhaseFigures,
    Standing,
    standing,
)
from dlm.train.lock_file import check_lock, write_lock
from dlm.train.measuring import TripleGauge
from dlm.train.passes import Pass
from dlm.train.preview import triples_summary, triples_warnings
from dlm.train.recorder import Recorder
from dlm.train.report import Outcome, Refusal, TrainingReport, run_record
from dlm.train.resume import Work, interrupted, open_keeper
from dlm.train.session import Session, load_version
from dlm.train.trainer import StepReport
from dlm.train.triples import PreferencePlan, with_references
from dlm.train.verdict import Bounds, Stop, by_chance, contradicting, reasons


def train_preference(
    session: Session, plan: PreferencePlan, previous: Version
) -> TrainingReport | Refusal | Standing:
    """Train the triples and commit a version that follows `previous`, unless that is refused.

    Where `previous` clearly prefers every new chosen answer already there is nothing to do: how
    they stand is returned, and it is noted that the version knows them.
    """
    store, work, force = session.store, _work(plan), session.options.force
    with session.recorder("preference") as recorder:
        if not force and (before := refused_before(store.database, previous.number, work.digest)):
            return Refusal(previous, before, before=True)
        if warning := check_lock(plan, session.lock):
            session.progress.note(warning)
        after = session.kept.step if session.kept else 0
        contradiction = contradicting((*plan.known.to_learn, *plan.known.unchanged))
        if contradiction and not force:
            recorder.begin(plan.schedule.steps, after=after)
            recorder.refused(contradiction)
            return Refusal(previous, (contradiction,))
        run = _Run(session, plan, previous, recorder, contradiction)
        try:
            run.set_up()
            if run.nothing_to_do:
                return run.leave()
            recorder.begin(plan.schedule.steps, after=after)
            keeper = open_keeper(session, plan, previous, work)
            done = run.execute(keeper)
        except KeyboardInterrupt:
            raise interrupted(store, session.name, "stopped at once") from None
        keeper.forget()
    if isinstance(done, Refusal):
        note_refused(store.database, previous.number, work.digest, done.reasons)
    elif session.options.candidate:
        return done
    elif warning := write_lock(plan, done.version.name, session.lock):
        session.progress.note(warning)
    return done


def _work(plan: PreferencePlan) -> Work:
    settings = (plan.objective, plan.reference, plan.optimisation, plan.open_end, Bounds())
    return Work("preference", plan.schedule.rows, plan.schedule.epoch_ends, settings)


class _Run:
    """The state of one phase while it lasts."""

    def __init__(
        self,
        session: Session,
        plan: PreferencePlan,
        previous: Version,
        recorder: Recorder,
        contradiction: str | None,
    ) -> None:
        self.session, self.plan, self.previous = session, plan, previous
        self.store, self.progress, self.recorder = session.store, session.progress, recorder
        self.contradiction = contradiction
        self.ids = [row.lesson.id for row in plan.pairs]
        self.new = {one.id for one in plan.known.to_learn}

    def set_up(self) -> None:
        """Load the version before, and score its triples."""
        self.progress.planned(
            triples_summary(self.plan, self.previous), triples_warnings(self.plan)
        )
        self.bench = self.session.workshop.set_up(self.plan, self.previous, self._load)
        self.model = self.bench.model
        self.progress.stage("measuring what is preferred now")
        self.gauge = TripleGauge(self.bench, self.plan)

    @property
    def nothing_to_do(self) -> bool:
        """Whether every new chosen answer is clearly preferred already, and nobody insists."""
        if not self.plan.open_end or self.session.options.force or self.session.kept:
            return False
        return all(score.margin >= Bounds().clear for score in self._new_scores().values())

    def leave(self) -> Standing:
        """Note that the version knows the new triples as it is."""
        scores = self._new_scores()
        name = self.previous.name
        with self.store.database.transaction():
            note_taught(
                self.store.database,
                self.previous.number,
                [Taught(triple, name, score.margin) for triple, score in scores.items()],
            )
        self.session.workshop.committed(self.previous)
        return standing(list(scores.values()))

    def execute(self, keeper: Keeper) -> TrainingReport | Refusal:
        """Train, measure, commit or refuse."""
        plan = self.plan
        self.run = Pass(self.session, self.recorder, keeper, plan.schedule.epoch_ends)
        before = kept(self.store, self.previous, plan.document.sha256) or self.gauge.measure_all()
        self.sums = self.gauge.sums()
        self.stop = Stop(Bounds(), self.gauge.standing.chosen_nll, open_end=plan.open_end)
        if self.run.course.preference:
            for epoch in self.course.epochs:
                self.stop.verdict(epoch)  # it judges by what it saw before
        steps, stopped = self._fit()
        self.progress.stage("measuring what was learned")
        scores = self.gauge.score()
        figures = self._figures(scores)
        if (nothing := self._agree_on_nothing()) and not self.session.options.force:
            return self._refuse((nothing,), figures)
        card = self.gauge.measure_all()
        compared = compare_cards(self.previous.name, before, card)
        against = reasons(figures, before, card, compared)
        if self.contradiction:
            against = (self.contradiction, *against)
        if against and not self.session.options.force:
            return self._refuse(against, figures)
        outcome = Outcome(
            card=card,
            losses=tuple(self.run.losses),
            epochs=self.course.epochs,
            steps=steps,
            seconds=self.run.seconds,
            stop_reason=stopped,
        )
        version = self._commit(outcome, figures, scores)
        return TrainingReport(version, self.previous, outcome, compared, figures, against)

    @property
    def course(self) -> PairCourse:
        found = self.run.course.preference
        assert found is not None
        return found

    def look(self, epoch: int) -> str | None:
        """Measure the state after an epoch; returns why to stop, if so."""
        figures = self.gauge.look(epoch)
        if self.stop.saturated(figures):
            figures = replace(figures, lost=self.gauge.lost())
        self._note(replace(self.course, epochs=(*self.course.epochs, figures)))
        self.recorder.epoch(figures)
        self.progress.preference(figures)
        if epoch == 1 and not self.session.options.force and (nothing := self._agree_on_nothing()):
            return nothing  # every triple was seen once, so more would not tell more
        return self.stop.verdict(figures)

    def see(self, report: StepReport) -> None:
        """Note the gains of the new triples that a step trained for the first time.

        Nothing was taught before the first step, so it tells nothing: 0 stands for that.
        """
        seen = dict(self.course.first_sight)
        for row, sums in zip(self.plan.step_of(report.step), report.pairs, strict=True):
            if row.lesson.id in self.new and row.lesson.id not in seen:
                before = self.sums[row.lesson.id]
                gain = (sums[0] - before[0]) - (sums[1] - before[1])
                seen[row.lesson.id] = gain if report.step > 1 else 0.0
        self._note(replace(self.course, first_sight=seen))

    def _new_scores(self) -> dict[str, PairScore]:
        both = zip(self.ids, self.gauge.scores, strict=True)
        return {triple: score for triple, score in both if triple in self.new}

    def _note(self, course: PairCourse) -> None:
        self.run.course = replace(self.run.course, preference=course)

    def _load(self) -> Model:
        self.progress.stage(f"loading {self.plan.base.key}")
        return load_version(self.plan, self.store, self.previous)

    def _references(self) -> dict[str, tuple[float, float]]:
        """Of the adapter before the phase, or of the base; a resumed run has them already."""
        course = self.run.course.preference
        if course is None:
            base = self.plan.reference == "base"
            scores = self.gauge.score(base=True) if base else self.gauge.scores
            course = PairCourse(tuple((one.chosen, one.rejected) for one in scores), {})
            self._note(course)
        return dict(zip(self.ids, course.reference, strict=True))

    def _fit(self) -> tuple[int, str]:
        plan = self.plan
        rows = with_references(plan.schedule.rows, self._references())
        steps, reason = self.run.run(
            self.bench.trainer,
            rows,
            plan.optimisation,
            self.look,
            on_step=self.see,
            objective=plan.objective,
        )
        epochs = len(plan.schedule.epoch_ends)
        ended = f"the cap of {epochs} epochs" if plan.open_end else f"all {epochs} epochs done"
        return steps, reason or (f"the limit of {steps} steps" if plan.capped else ended)

    def _agree_on_nothing(self) -> str | None:
        return by_chance(self.gauge.standing, *self._first_sight())

    def _first_sight(self) -> tuple[int, int]:
        """How many new triples had gained when they were first trained, and of how many."""
        gains = [gain for gain in self.course.first_sight.values() if gain]
        return sum(gain > 0 for gain in gains), len(gains)

    def _figures(self, scores: Sequence[PairScore]) -> PhaseFigures:
        right, seen = self._first_sight()
        return PhaseFigures(
            method=self.plan.objective.method,
            new=len(self.new),
            replayed=len(self.plan.pairs) - len(self.new),
            before=self.gauge.standing,
            after=self.gauge.standing_of(scores),
            gained=self.gauge.gained(scores),
            seen_right=right,
            seen=seen,
            epochs=self.course.epochs,
            balance=balance([*self.plan.known.to_learn, *self.plan.known.unchanged]),
        )

    def _refuse(self, why: tuple[str, ...], figures: PhaseFigures) -> Refusal:
        self.recorder.refused("; ".join(why))
        return Refusal(self.previous, why, figures)

    def _commit(
        self, outcome: Outcome, figures: PhaseFigures, scores: Sequence[PairScore]
    ) -> Version:
        plan = self.plan
        record = run_record(
            plan,
            outcome,
            self.run.course.started,
            mode="preference",
            optimisation=plan.optimisation,
            more={"preference": figures.to_json(), "drift_bound": Bounds().max_drift},
        )
        with self.store.new_version(after=self.previous) as staging:
            save_adapter(self.model.network, staging.path, base_id=plan.base.hf_id)
            taught = self._taught(staging.name, scores)
            ended = self.recorder.committed(staging.number, outcome.stop_reason)

            def also(database: Database) -> None:
                ended(database)
                note_taught(database, staging.number, taught)
                keep(database, staging.number, outcome.card)

            current = not self.session.options.candidate
            version = staging.commit(record, self._remembered(outcome), also=also, current=current)
        self.session.workshop.committed(version)
        self.store.prune(plan.document.frontmatter.training.keep_last_n)
        return version

    def _taught(self, name: str, scores: Sequence[PairScore]) -> list[Taught]:
        """What the version before knew, and what this phase trained."""
        known = taught_to(self.store.database, self.previous.number)
        for triple, score in zip(self.ids, scores, strict=True):
            since = known[triple].since if triple in known else name
            known[triple] = Taught(triple, since, score.margin)
        return list(known.values())

    def _remembered(self, outcome: Outcome) -> list[Remembered]:
        """The memory of the version before, with the answers as they are now."""
        scores = outcome.scores
        return [
            replace(one, nll=score.nll, exact=score.exact)
            if (score := scores.get(one.lesson.id))
            else one
            for one in self.store.memory(self.previous)
        ]
