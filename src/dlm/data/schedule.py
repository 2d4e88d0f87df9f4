"""The order in which rows are trained: epochs of pairs, rewordings, prose and fresh general text.

A schedule is a pure function of its rows, mixture and seed, so any run can be replayed.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from dlm.data.rows import Row

Reworder = Callable[[Row, random.Random], Row]

_WINDOW = 8  # batches whose rows are sorted by length together, so that little is padded


@dataclass(frozen=True, slots=True)
class Mixture:
    """What an epoch holds.

    `rewordings` reworded copies of each pair, prose in every `prose_every`-th epoch, and general
    text up to `general_share` of the epoch's tokens, at most `general_cap` tokens.
    """

    rows_per_step: int
    rewordings: int = 3
    prose_every: int = 3
    general_share: float = 0.2
    general_cap: int = 8192


@dataclass(frozen=True, slots=True)
class Schedule:
    """All rows of a run in order; after optimiser step `epoch_ends[e]`, epoch e is over."""

    rows: tuple[Row, ...]
    epoch_ends: tuple[int, ...]

    @property
    def steps(self) -> int:
        return self.epoch_ends[-1]


def build_schedule(
    pairs: Sequence[Row],
    prose: Sequence[Row],
    general: Sequence[Row],
    reword: Reworder,
    mixture: Mixture,
    *,
    epochs: int,
    seed: int,
) -> Schedule:
    """Lay out `epochs` epochs; every epoch is a whole number of steps."""
    order = list(general)
    random.Random(f"general:{seed}").shuffle(order)
    rows: list[Row] = []
    ends: list[int] = []
    taken = 0
    for epoch in range(epochs):
        rng = random.Random(f"epoch:{seed}:{epoch}")
        own = list(pairs)
        for _ in range(mixture.rewordings):
            own += [reword(row, rng) for row in pairs]
        if epoch % mixture.prose_every == 0 or not pairs:
            own += prose
        fresh = _general(order, taken, own, mixture)
        taken += len(fresh)
        rows += _in_batches(own + fresh, own, mixture.rows_per_step, rng)
        ends.append(len(rows) // mixture.rows_per_step)
    return Schedule(tuple(rows), tuple(ends))


def _general(order: Sequence[Row], taken: int, own: Sequence[Row], mixture: Mixture) -> list[Row]:
    """The next general rows in turn: none is seen twice before all were seen once."""
    share = mixture.general_share
    if not order or share <= 0:
        return []
    own_tokens = sum(len(row.ids) for row in own)
    budget = min(mixture.general_cap, int(own_tokens * share / (1 - share)))
    rows: list[Row] = []
    used = 0
    while used < budget:
        row = order[(taken + len(rows)) % len(order)]
        rows.append(row)
        used += len(row.ids)
    return rows


def _in_batches(rows: list[Row], own: Sequence[Row], size: int, rng: random.Random) -> list[Row]:
    """Shuffle, top up to whole batches, group rows of similar length, and shuffle the batches."""
    missing = -len(rows) % size
    rows = rows + [rng.choice(own) for _ in range(missing)]
    rng.shuffle(rows)
    window = size * _WINDOW
    grouped: list[Row] = []
    for start in range(0, len(rows), window):
        grouped += sorted(rows[start : start + window], key=lambda row: len(row.ids))
    batches = [grouped[start : start + size] for start in range(0, len(grouped), size)]
    rng.shuffle(batches)
    return [row for batch in batches for row in batch]
