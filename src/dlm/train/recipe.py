"""How a document is taught to a base of some size, as `docs/benchmarks.md` measured it.

A small base has to learn the prose by heart, and questions in other words from many of them. One
that has been taught to follow instructions speaks already, is asked with the notes open, and costs
so much a token that what it need not be taught is left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from dlm.base_models import BaseModel

_SMALL: Final = 50_000_000  # weights


@dataclass(frozen=True, slots=True)
class Recipe:
    """What an epoch holds (see `data.schedule.Mixture`), and the fewest epochs of an open end.

    `prose_every` epochs prose is trained, 0 stands for the first alone; `most_cued` sentences are
    asked by a cue; `replay_share` of the document's tokens are known ones; `texts_every` says
    which share of the general rows is text of people. `everyday` is whether the base's samples are
    answers to everyday prompts; with `distilled`, general rows are not learned by heart: the
    adapter is held to all that the base says there. An `eased` adapter is left at the least
    strength at which it keeps what it knows; `answer_nll` is how surely an answer is to be given
    before that, in nats a token.
    """

    rewordings: int
    prose_every: int
    most_cued: int
    replay_share: float
    general_share: float
    texts_every: int
    min_epochs: int
    everyday: bool
    distilled: bool
    eased: bool
    answer_nll: float


SMALL: Final = Recipe(
    rewordings=3,
    prose_every=3,
    most_cued=32,
    replay_share=0.3,
    general_share=0.2,
    texts_every=2,
    min_epochs=8,
    everyday=False,
    distilled=False,
    eased=False,
    answer_nll=0.15,
)
LARGE: Final = Recipe(
    rewordings=1,
    prose_every=0,
    most_cued=0,
    replay_share=0.5,
    general_share=0.5,
    texts_every=4,
    min_epochs=3,
    everyday=True,
    distilled=True,
    eased=True,
    answer_nll=0.05,
)


_LEARNING: Final = 2.2  # times what reading costs: forward, and backward through a frozen base
_MEASURING: Final = 1 / 4  # of the time that training takes
_CHEAP: Final = 1e12  # operations; what takes no more is measured whole


def measured_tokens(base: BaseModel, device: str, trained: int) -> int | None:
    """How many tokens may be read to measure what training on `trained` ones came to.

    At most a quarter of the time of the training, or some seconds; None is no bound, where
    measuring is quick. A token that is read costs two operations a weight (Kaplan et al., 2020).
    """
    if device != "cpu" or not base.params:
        return None
    return int(max(_MEASURING * _LEARNING * trained, _CHEAP / (2 * base.params)))


def recipe_of(base: BaseModel) -> Recipe:
    """The recipe for a base; one of unknown size counts as large."""
    return SMALL if 0 < base.params <= _SMALL else LARGE
