"""An adapter at the least strength at which it still gives the answers that it learned.

What an adapter costs elsewhere falls with its strength sooner than what it knows: between the
weights before and after lie better ones than either (Wortsman et al., 2022, "Robust fine-tuning of
zero-shot models"), and here nothing has to be guessed, since every answer can be asked. A version
keeps at which share of its whole strength it was left: a retraining goes on from the whole, where
nothing that is known sits loosely.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from dlm.engine.model import Model, Score

_LEAST: Final = 0.5
_STEPS: Final = 10  # from there to the whole
_SURE: Final = 0.15  # nats a token, up to which an answer counts as known

Scores = Callable[[], Sequence[Score]]


def least_strength(model: Model, learned: Scores, known: Scores) -> float:
    """The share of the adapter's weights, 0.5 to 1, at which what it knows is known still.

    `learned` are the scores, under the model as it stands, of the answers that were to be learned,
    `known` those of others that were known before. What is not given word for word now need not be
    then, and no answer need be surer.
    """
    whole = learned()
    if not any(score.exact for score in whole):
        return 1.0

    def holds(steps: int, scores: Scores, wanted: Sequence[Score]) -> bool:
        with model.at_strength(_share(steps)):
            return _still_given(wanted, scores())

    lost, kept = -1, _STEPS
    while kept - lost > 1:
        middle = (kept + lost) // 2
        if holds(middle, learned, whole):
            kept = middle
        else:
            lost = middle
    before = known()
    while kept < _STEPS and not holds(kept, known, before):
        kept += 1
    return _share(kept)


def _still_given(wanted: Sequence[Score], now: Sequence[Score]) -> bool:
    return all(
        score.exact and score.nll <= max(_SURE, before.nll)
        for score, before in zip(now, wanted, strict=True)
        if before.exact
    )


def _share(steps: int) -> float:
    return _LEAST + (1 - _LEAST) * steps / _STEPS
