"""The second phase: triples, from a committed version to the next one, or to a refusal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from dlm.data.preferences import balance
from dlm.data.rows import PairRow, Row
from dlm.eval.comparison import compare as compare_cards, kept
from dlm.store.memory import Taught, note_refused, note_taught, refused_before, taught_to
from dlm.store.records import Remembered, Version
from dlm.train.figures import (
    PairState,
    PhaseFigures,
    Standing,
    standing,
)
from dlm.train.measuring import TripleEvaluator
from dlm.train.phase import Phase
from dlm.train.preview import triples_summary, triples_warnings
from dlm.train.recorder import Recorder
from dlm.train.report import Outcome, Refusal, TrainingReport
from dlm.train.resume import Work
from dlm.train.session import Session
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
    with session.recorder("preference") as recorder:
        phase = PreferencePhase(session, plan, previous, recorder)
        if refused := phase.refused_at_once():
            return refused
        done = phase.execute()
    if isinstance(done, Refusal):
        digest = phase.work().digest
        note_refused(session.store.database, previous.number, digest, done.reasons)
    elif isinstance(done, TrainingReport) and not session.options.candidate:
        phase.write_lock(done.version)
    return done


class PreferencePhase(Phase[PreferencePlan]):
    """What differs where triples are trained."""

    mode = "preference"
    looks_first = True

    def __init__(
        self, session: Session, plan: PreferencePlan, previous: Version, recorder: Recorder
    ) -> None:
        super().__init__(session, plan, previous, recorder)
        self.follows = previous
        self.objective = plan.objective
        self.contradiction = contradicting((*plan.known.to_learn, *plan.known.unchanged))
        self.ids = [row.lesson.id for row in plan.pairs]
        self.new = {one.id for one in plan.known.to_learn}

    def refused_at_once(self) -> Refusal | None:
        """For what the triples say, or because the same was refused before."""
        if self.options.force:
            return None
        database, number = self.store.database, self.follows.number
        if before := refused_before(database, number, self.work().digest):
            return Refusal(self.follows, before, before=True)
        if self.contradiction:
            self.begin()
            return self._refuse((self.contradiction,), None)
        return None

    def work(self) -> Work:
        plan = self.plan
        settings = (plan.objective, plan.reference, plan.optimisation, plan.open_end, Bounds())
        return Work("preference", plan.schedule.rows, plan.schedule.epoch_ends, settings)

    def announced(self) -> tuple[str, Sequence[str]]:
        return triples_summary(self.plan, self.previous), triples_warnings(self.plan)

    def look_before(self) -> None:
        self.progress.stage("measuring what is preferred now")
        self.gauge = TripleEvaluator(self.bench, self.plan, whole=self.options.candidate)

    def nothing_to_do(self) -> Standing | None:
        """How the new triples stand where each is clearly preferred already, and nobody insists.

        It is noted that the version knows them as it is.
        """
        if not self.plan.open_end or self.options.force or self.kept:
            return None
        both = zip(self.ids, self.gauge.scores, strict=True)
        scores = {triple: score for triple, score in both if triple in self.new}
        if any(score.margin < Bounds().clear for score in scores.values()):
            return None
        name, number = self.follows.name, self.follows.number
        noted = [Taught(triple, name, score.margin) for triple, score in scores.items()]
        with self.store.database.transaction():
            note_taught(self.store.database, number, noted)
        self.session.workshop.committed(self.follows)
        return standing(list(scores.values()))

    def rows(self) -> Sequence[Row | PairRow]:
        """With the references of the triples."""
        sha256 = self.plan.document.sha256
        self.before = kept(self.store, self.follows, sha256) or self.gauge.measure_all()
        self.sums = self.gauge.sums()
        chosen_nll = self.gauge.standing.chosen_nll
        self.stop = Stop(Bounds(), chosen_nll, open_end=self.plan.open_end)
        rows = with_references(self.plan.schedule.rows, self._references())
        for epoch in self.triples.epochs:
            self.stop.verdict(epoch)  # it judges by what it saw before
        return rows

    def conclude(self, steps: int, stopped: str) -> TrainingReport | Refusal:
        force = self.options.force
        self.scores = self.gauge.score()
        figures = self._figures()
        if (nothing := self._agree_on_nothing()) and not force:
            return self._refuse((nothing,), figures)
        card = self.gauge.measure_all()
        compared = compare_cards(self.follows.name, self.before, card)
        against = reasons(figures, self.before, card, compared)
        if self.contradiction:
            against = (self.contradiction, *against)
        if against and not force:
            return self._refuse(against, figures)
        outcome = self.outcome(card, self.triples.epochs, steps, stopped)
        more = {"preference": figures.to_json(), "drift_bound": Bounds().max_drift}
        version = self.commit(outcome, more, current=not self.options.candidate)
        return TrainingReport(version, self.previous, outcome, compared, figures, against)

    @property
    def triples(self) -> PairState:
        """What happened to the triples so far."""
        found = self.course.preference
        assert found is not None
        return found

    def look(self, epoch: int) -> str | None:
        """Measure the state after an epoch; returns why to stop, if so."""
        figures = self.gauge.look(epoch)
        if self.stop.saturated(figures):
            figures = replace(figures, lost=self.gauge.lost())
        self._note(replace(self.triples, epochs=(*self.triples.epochs, figures)))
        self.recorder.epoch(figures)
        self.progress.preference(figures)
        if epoch == 1 and not self.options.force and (nothing := self._agree_on_nothing()):
            return nothing  # every triple was seen once, so more would not tell more
        return self.stop.verdict(figures)

    def see(self, report: StepReport) -> None:
        """Note the gains of the new triples that a step trained for the first time.

        Nothing was taught before the first step, so it tells nothing: 0 stands for that.
        """
        seen = dict(self.triples.first_sight)
        for row, sums in zip(self.plan.step_of(report.step), report.pairs, strict=True):
            if row.lesson.id in self.new and row.lesson.id not in seen:
                before = self.sums[row.lesson.id]
                gain = (sums[0] - before[0]) - (sums[1] - before[1])
                seen[row.lesson.id] = gain if report.step > 1 else 0.0
        self._note(replace(self.triples, first_sight=seen))

    def taught(self, name: str) -> Sequence[Taught]:
        """What the version before knew, and what this phase trained."""
        known = taught_to(self.store.database, self.follows.number)
        for triple, score in zip(self.ids, self.scores, strict=True):
            since = known[triple].since if triple in known else name
            known[triple] = Taught(triple, since, score.margin)
        return list(known.values())

    def remembered(self, outcome: Outcome, name: str) -> list[Remembered]:
        """The memory of the version before, with the answers as they are now."""
        scores = outcome.scores
        return [
            replace(one, nll=score.nll, exact=score.exact)
            if (score := scores.get(one.lesson.id))
            else one
            for one in self.store.memory(self.follows)
        ]

    def _note(self, course: PairState) -> None:
        self.course = replace(self.course, preference=course)

    def _references(self) -> dict[str, tuple[float, float]]:
        """Of the adapter before the phase, or of the base; a resumed run has them already."""
        course = self.course.preference
        if course is None:
            base = self.plan.reference == "base"
            scores = self.gauge.score(base=True) if base else self.gauge.scores
            course = PairState(tuple((one.chosen, one.rejected) for one in scores), {})
            self._note(course)
        return dict(zip(self.ids, course.reference, strict=True))

    def _agree_on_nothing(self) -> str | None:
        return by_chance(self.gauge.standing, *self._first_sight())

    def _first_sight(self) -> tuple[int, int]:
        """How many new triples had gained when they were first trained, and of how many."""
        gains = [gain for gain in self.triples.first_sight.values() if gain]
        return sum(gain > 0 for gain in gains), len(gains)

    def _figures(self) -> PhaseFigures:
        right, seen = self._first_sight()
        return PhaseFigures(
            method=self.plan.objective.method,
            new=len(self.new),
            replayed=len(self.plan.pairs) - len(self.new),
            before=self.gauge.standing,
            after=self.gauge.standing_of(self.scores),
            gained=self.gauge.gained(self.scores),
            seen_right=right,
            seen=seen,
            epochs=self.triples.epochs,
            balance=balance([*self.plan.known.to_learn, *self.plan.known.unchanged]),
        )

    def _refuse(self, why: tuple[str, ...], figures: PhaseFigures | None) -> Refusal:
        self.recorder.refused("; ".join(why))
        return Refusal(self.follows, why, figures)
