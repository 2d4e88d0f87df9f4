"""An adapter at the least strength at which it still gives the answers that it learned.

What an adapter costs elsewhere falls with its strength sooner than what it knows: between the
weights before and after lie better ones than either (Wortsman et al., 2022, "Robust fine-tuning of
zero-shot models"), and here nothing has to be guessed, since every answer can be asked.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from dlm.engine.model import Model, Score

_LEAST: Final = 0.5
_STEPS: Final = 10  # from there to the whole
_SURE: Final = 0.15  # nats a token, up to which an answer counts as known


def least_strength(model: Model, scores: Callable[[], Sequence[Score]]) -> float:
    """The share of the adapter's weights, 0.5 to 1, at which what it knows is known still.

    `scores` are those of its answers under the model as it stands; those that are not given word
    for word now need not be then, and none need be surer.
    """
    whole = scores()

    def knows(steps: int) -> bool:
        with model.at_strength(_share(steps)):
            now = scores()
        return all(
            score.exact and score.nll <= max(_SURE, before.nll)
            for score, before in zip(now, whole, strict=True)
            if before.exact
        )

    if not any(score.exact for score in whole):
        return 1.0
    lost, kept = -1, _STEPS
    while kept - lost > 1:
        middle = (kept + lost) // 2
        if knows(middle):
            kept = middle
        else:
            lost = middle
    return _share(kept)


def _share(steps: int) -> float:
    return _LEAST + (1 - _LEAST) * steps / _STEPS
