"""What is measured after each epoch, and how often: the budget decides from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from dlm.data.rows import Row, RowKind
from dlm.engine.model import Model, Score
from dlm.eval.measure import Evaluator
from dlm.train.budget import Budget, EpochFigures
from dlm.train.plan import TrainingPlan

_DRIFT_EVERY = 3  # epochs; looking more often costs more than it tells
_BRISK_DRIFT_EVERY = 6
_DRIFT_TEXTS = 16  # while training; the figure in the report stands on all of them
_FEW = 32  # known answers; so many can be asked after every epoch
_GUARD_EVERY = 3
_MOST_GUARDED = 500


class Lookout:
    """Scores what is learned, what was known before, and what is to be forgotten."""

    def __init__(
        self, model: Model, plan: TrainingPlan, evaluator: Evaluator, *, brisk: bool = False
    ) -> None:
        self._model, self._plan, self._evaluator = model, plan, evaluator
        self._drift_every = _BRISK_DRIFT_EVERY if brisk else _DRIFT_EVERY
        material = plan.material
        replayed = [row for row in material.replay if row.kind is RowKind.PAIR]
        replayed = replayed[:: max(1, len(replayed) // _MOST_GUARDED)]
        if brisk:  # the record of the version in memory says it
            known = (*plan.known.unchanged, *plan.known.kept)
            exact = {one.lesson.id for one in known if one.exact}
            self._guard = [row for row in replayed if row.lesson.id in exact]
        else:
            before = self._scores(replayed)
            self._guard = [row for row, score in zip(replayed, before, strict=True) if score.exact]
        self._before = self._scores(material.forget)
        with model.base_only():
            self._base = self._scores(material.forget)

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
        return self._model.score([row.encoded for row in rows], pad_id=self._plan.codec.pad_id)
