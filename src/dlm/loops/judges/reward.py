"""A judge that is a reward model: a sequence classifier with one output, of the hub or a folder."""

from __future__ import annotations

import math
from collections.abc import Sequence

from dlm.engine.resident import RewardModel
from dlm.loops.judges.protocol import Judge, Question
from dlm.loops.judges.sway import asked, asked_with


class RewardJudge(Judge):
    """Scores are the logits of the model, whose zero is its own."""

    threshold = 0.0
    margin = 0.5

    def __init__(self, model: RewardModel, name: str) -> None:
        self._model, self.name = model, name

    def score_all(self, questions: Sequence[Question]) -> list[list[float]]:
        """The reward of each candidate, read after its passage where there is one."""
        rows = [
            (asked_with(q.passage, q.prompt) if q.passage else asked(q.prompt), text)
            for q in questions
            for text in q.candidates
        ]
        rewards = iter(self._model.rewards(rows))
        return [[next(rewards, math.nan) for _ in q.candidates] for q in questions]
