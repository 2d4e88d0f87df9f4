"""Drift: how much worse the adapter predicts general text than the frozen base does.

Measured in nats per token on texts that are never trained on; 0 is no change, negative is better.
"""

from __future__ import annotations

from collections.abc import Sequence

from dlm.data.chat import Codec, Encoded
from dlm.data.general import held_out_texts
from dlm.data.rows import general_rows
from dlm.engine.model import Model, Score
from dlm.eval.items import Fit, Item, Kind, opening

_LENGTH = 128  # tokens a text


class DriftGauge:
    """Scores the held-out general texts once under the base, and then as often as asked."""

    def __init__(self, model: Model, codec: Codec) -> None:
        rows = general_rows(held_out_texts(), codec, _LENGTH)
        self._rows: Sequence[Encoded] = [row.encoded for row in rows]
        self._model = model
        self._pad_id = codec.pad_id
        with model.base_only():
            self._base = self._scores(len(self._rows))

    def measure(self, texts: int | None = None) -> float:
        """Loss with the adapter minus loss without it, in nats per token, on the first `texts`."""
        count = len(self._rows) if texts is None else min(texts, len(self._rows))
        return _mean(self._scores(count)) - _mean(self._base[:count])

    def items(self) -> list[Item]:
        """Every text with its loss under the adapter as it stands, and under the base."""
        scores = zip(held_out_texts(), self._scores(len(self._rows)), self._base, strict=True)
        return [
            Item(Kind.TEXT, "", opening(text), Fit(now.nll, base.nll, now.tokens, now.exact))
            for text, now, base in scores
        ]

    def _scores(self, count: int) -> list[Score]:
        return self._model.score(self._rows[:count], pad_id=self._pad_id)


def _mean(scores: Sequence[Score]) -> float:
    return sum(s.nll * s.tokens for s in scores) / sum(s.tokens for s in scores)
