"""What is measured of a loaded model: before the first step, after each epoch, and how often.

The budget decides from it. What is measured when one of these is made is what was before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from statistics import fmean

from dlm.data.chat import Codec
from dlm.data.lessons import Lesson, distinct
from dlm.data.rows import PairRow, Row, pair_rows
from dlm.engine.decoding import generate
from dlm.engine.model import Model, Score
from dlm.errors import TrainingError
from dlm.eval.measure import Evaluator
from dlm.eval.open_notes import with_notes_open
from dlm.eval.probes import Budget as Measured, question_sheet
from dlm.eval.scorecard import Scorecard
from dlm.store.memory import Taught, taught_to
from dlm.store.records import Version
from dlm.store.store import Store
from dlm.train.base import Setup
from dlm.train.figures import EpochFigures, PairEpoch, PairScore, Standing, standing
from dlm.train.plan import TrainingPlan
from dlm.train.recipe import measured_tokens
from dlm.train.session import Bench
from dlm.train.strength import least_strength
from dlm.train.triples import PreferencePlan
from dlm.train.verdict import Budget

_DRIFT_EVERY = 3  # epochs; looking more often costs more than it tells
_QUICK_DRIFT_EVERY = 6
_DRIFT_TEXTS = 16  # while training; the figure in the report stands on all of them
_FEW = 32  # known answers; so many can be asked after every epoch
_GUARD_EVERY = 3
_MOST_GUARDED = 500


class PairEvaluator:
    """Scores what is learned, what was known before, and what is to be forgotten."""

    def __init__(
        self, model: Model, plan: TrainingPlan, evaluator: Evaluator, *, quick: bool = False
    ) -> None:
        self._model, self._plan, self._evaluator = model, plan, evaluator
        self._drift_every = _QUICK_DRIFT_EVERY if quick else _DRIFT_EVERY
        material = plan.material
        replayed = material.known_pairs
        replayed = replayed[:: max(1, len(replayed) // _MOST_GUARDED)]
        if quick:  # the record of the version in memory says it
            known = (*plan.known.unchanged, *plan.known.kept)
            exact = {one.lesson.id for one in known if one.exact}
            self._guard = [row for row in replayed if row.lesson.id in exact]
        else:
            before = self._scores(replayed)
            self._guard = [row for row, score in zip(replayed, before, strict=True) if score.exact]
        forget = [row.encoded for row in material.forget]
        self._before = evaluator.scores(forget)
        with model.base_only():
            self._base = model.score(forget, pad_id=plan.codec.pad_id)

    def look(self, epoch: int, budget: Budget | None) -> EpochFigures:
        """The figures after `epoch`; the dear ones only when they may decide something."""
        figures = EpochFigures(
            epoch,
            tuple(self._scores(self._plan.material.pairs)),
            drift=self._evaluator.drift(_DRIFT_TEXTS) if epoch % self._drift_every == 0 else None,
            guarded=len(self._guard),
            remembered=self.remembered(),
            held_out_nll=self.held_out_nll(),
        )
        if budget is None or not self._guard or not budget.learned(figures):
            return figures
        if len(self._guard) > _FEW and epoch % _GUARD_EVERY:
            return figures
        return replace(figures, lost=self.lost())

    def least_strength(self) -> float:
        """The share of the adapter's weights at which what is learned or was known stays so."""

        def scores(rows: Sequence[Row]) -> list[Score]:
            # Not by the evaluator, which keeps what it found until the next step.
            return self._model.score([row.encoded for row in rows], pad_id=self._plan.codec.pad_id)

        pairs = self._plan.material.pairs
        return least_strength(self._model, lambda: scores(pairs), lambda: scores(self._guard))

    def lost(self) -> int:
        """How many of the answers known before are no longer given word for word."""
        return sum(not score.exact for score in self._scores(self._guard))

    def remembered(self) -> float | None:
        """What is left of the text to forget, 0..1: 0 when it is as likely as under the base."""
        now = self._scores(self._plan.material.forget)
        if not now:
            return None
        left = [
            (base.nll - score.nll) / max(base.nll - before.nll, 0.1)
            for base, before, score in zip(self._base, self._before, now, strict=True)
        ]
        return max(0.0, min(1.0, sum(max(0.0, share) for share in left) / len(left)))

    def held_out_nll(self) -> float | None:
        """Mean loss of the held-out answers in nats per token, each answer counting alike."""
        scores = self._scores(self._plan.held_out)
        return sum(score.nll for score in scores) / len(scores) if scores else None

    def _scores(self, rows: Sequence[Row]) -> list[Score]:
        return self._evaluator.scores([row.encoded for row in rows])


_ASKED = 16  # prompts, spread over the triples
_LONGEST = 128  # tokens
_ROOM = 1.5  # times the longest answer of the triples


def score_pairs(model: Model, rows: Sequence[PairRow], pad_id: int) -> list[PairScore]:
    """One score a row, under the model as it stands."""
    both = [row.chosen.encoded for row in rows] + [row.rejected.encoded for row in rows]
    scores = model.score(both, pad_id=pad_id)
    return [
        PairScore(
            -chosen.nll * chosen.tokens,
            -rejected.nll * rejected.tokens,
            chosen.tokens,
            rejected.tokens,
        )
        for chosen, rejected in zip(scores[: len(rows)], scores[len(rows) :], strict=True)
    ]


def answer_length(
    model: Model, triples: Sequence[Lesson], rows: Sequence[PairRow], codec: Codec
) -> float:
    """The mean length of greedy answers to some of the prompts, in tokens."""
    every = max(1, len(triples) // _ASKED)
    prompts = [
        codec.prompt_ids([{"role": "user", "content": one.prompt}])
        for one in triples[::every][:_ASKED]
    ]
    longest = max(sum(row.supervised) for pair in rows for row in (pair.chosen, pair.rejected))
    answers = generate(
        model,
        prompts,
        max_new_tokens=min(_LONGEST, int(_ROOM * longest) + 1),
        stop_ids=codec.stop_ids,
        pad_id=codec.pad_id,
    )
    return fmean(map(len, answers))


_MOST_GUARDED_PAIRS = 200  # pairs of the document


class TripleEvaluator:
    """What is measured when it is made is what was before; a resumed run finds the same."""

    def __init__(self, bench: Bench, plan: PreferencePlan, *, whole: bool = False) -> None:
        self._bench, self._model, self._plan = bench, bench.model, plan
        self._whole = whole  # whether scorecards are, however long that takes
        self.scores = tuple(self.score())
        self.standing = self.standing_of(self.scores)
        rows = plan.own_pairs[:: max(1, len(plan.own_pairs) // _MOST_GUARDED_PAIRS)]
        known = zip(rows, self._answers(rows), strict=True)
        self._guarded = [row for row, score in known if score.exact]

    def sums(self) -> dict[str, tuple[float, float]]:
        """Both answers' log-probabilities before, by triple."""
        pairs = zip(self._plan.pairs, self.scores, strict=True)
        return {row.lesson.id: (score.chosen, score.rejected) for row, score in pairs}

    def score(self, *, base: bool = False) -> list[PairScore]:
        """Every triple under the model as it stands, or under the frozen base."""
        if not base:
            return score_pairs(self._model, self._plan.pairs, self._plan.codec.pad_id)
        with self._model.base_only():
            return self.score()

    def standing_of(self, scores: Sequence[PairScore]) -> Standing:
        """Of scores that were just taken, with the length of the answers now."""
        plan = self._plan
        triples = (*plan.known.to_learn, *plan.known.unchanged)
        return standing(scores, answer_length(self._model, triples, plan.pairs, plan.codec))

    def gained(self, scores: Sequence[PairScore]) -> int:
        """How many triples moved the right way since before."""
        both = zip(self.scores, scores, strict=True)
        return sum(now.gain((before.chosen, before.rejected)) > 0 for before, now in both)

    def look(self, epoch: int) -> PairEpoch:
        """The state after an epoch; drift is measured only now and then."""
        scores = self.score()
        now = standing(scores)
        drift = None
        if epoch % _DRIFT_EVERY == 0:
            drift = self._bench.evaluator.drift(_DRIFT_TEXTS)
        return PairEpoch(
            epoch,
            n=now.n,
            preferred=now.preferred,
            gained=self.gained(scores),
            margin=now.margin,
            chosen_nll=now.chosen_nll,
            drift=drift,
            guarded=len(self._guarded),
        )

    def lost(self) -> int:
        """How many answers of the document that were known before are not given any more."""
        return sum(not score.exact for score in self._answers(self._guarded))

    def measure_all(self) -> Scorecard:
        """The scorecard of the model as it stands: whole, or as much as is quickly measured."""
        plan = self._plan
        most = None if self._whole else measured_tokens(plan.base, plan.hardware.device, 0)
        card = self._bench.evaluator.measure(
            question_sheet(plan.lessons),
            plan.codec,
            Measured(tokens=most),
            document_sha256=plan.document.sha256,
            sequence_length=plan.sequence_length,
        )
        return with_notes_open(card, plan.document, plan.base, self._bench.evaluator.tell)

    def _answers(self, rows: Sequence[Row]) -> list[Score]:
        return self._model.score([row.encoded for row in rows], pad_id=self._plan.codec.pad_id)


def inherited(
    store: Store, setup: Setup, previous: Version | None, model: Model, *, quick: bool
) -> list[Taught]:
    """The triples that a version knows which only pairs were trained on.

    Unless the training was a quick one, those in the document are scored again.
    """
    before = taught_to(store.database, previous.number) if previous else {}
    after = before if quick or not before else before | _scored_again(setup, model, before)
    return list(after.values())


def _scored_again(setup: Setup, model: Model, known: dict[str, Taught]) -> dict[str, Taught]:
    here = tuple(one for one in distinct(setup.lessons.triples) if one.id in known)
    try:
        rows = pair_rows(here, setup.codec, sequence_length=setup.sequence_length, path=setup.name)
    except TrainingError:  # shorter rows are asked for since; the next preference phase says so
        return {}
    found = {}
    for row, score in zip(rows, score_pairs(model, rows, setup.codec.pad_id), strict=True):
        one = known[row.lesson.id]
        slipped = one.slipped or (one.margin > 0 >= score.margin)
        found[row.lesson.id] = replace(one, margin=score.margin, slipped=slipped)
    return found
