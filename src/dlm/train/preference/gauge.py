"""Measures a loaded model against a preference plan: before the first step, and as it goes."""

from __future__ import annotations

from collections.abc import Sequence

from dlm.data.rows import Row
from dlm.engine.model import Score
from dlm.eval.probes import question_sheet
from dlm.eval.scorecard import Scorecard
from dlm.train.preference.figures import PairEpoch, PairScore, Standing, standing
from dlm.train.preference.plan import PreferencePlan
from dlm.train.preference.scoring import answer_length, score_pairs
from dlm.train.workshop import Bench

_DRIFT_EVERY = 3  # epochs
_DRIFT_TEXTS = 16
_MOST_GUARDED = 200  # pairs of the document


class TripleGauge:
    """What is measured when it is made is what was before; a resumed run finds the same."""

    def __init__(self, bench: Bench, plan: PreferencePlan) -> None:
        self._bench, self._model, self._plan = bench, bench.model, plan
        self.scores = tuple(self.score())
        self.standing = self.standing_of(self.scores)
        rows = plan.own_pairs[:: max(1, len(plan.own_pairs) // _MOST_GUARDED)]
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
        """The scorecard of the model as it stands."""
        return self._bench.evaluator.measure(
            question_sheet(self._plan.lessons),
            self._plan.codec,
            document_sha256=self._plan.document.sha256,
            sequence_length=self._plan.sequence_length,
        )

    def _answers(self, rows: Sequence[Row]) -> list[Score]:
        return self._model.score([row.encoded for row in rows], pad_id=self._plan.codec.pad_id)
