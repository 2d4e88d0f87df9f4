"""The order in which rows are trained: epochs of what is new, what is replayed, and general text.

A schedule is a pure function of its material, mixture and seed, so any run can be replayed.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np

from dlm.data.rows import Row, RowKind, Waiting

R = TypeVar("R")
Reworder = Callable[[Row, random.Random], Row]

_WINDOW = 8  # batches whose rows are sorted by length together, so that little is padded
_REWORDED = 0.5  # of the replayed pairs
_MOST_REPLAY = 0.5  # of the document's tokens in an epoch, whatever the anchor asks for
_OLDEST = 0.2  # the least weight of an item, so that the oldest still come
_MOST_MISSED = 100  # rows that are too long for the room that is left
_AT_LEAST = 4  # rows, so that a one-pair edit does not train alone


@dataclass(frozen=True, slots=True)
class Mixture:
    """What an epoch holds.

    `rewordings` reworded copies of each pair, a cue for each of `most_cued` sentences in turn (for
    known ones in every `cues_every`-th epoch), prose in every `prose_every`-th epoch (0: in the
    first alone), known material up to `replay_share` of the document's tokens, authored text at
    least `real_share` of them where synthetic text trains, and general rows up to `general_share`
    of all, at most `general_cap`; every `texts_every`-th of these is text of people.
    """

    rows_per_step: int
    rewordings: int = 3
    prose_every: int = 3
    most_cued: int = 32
    cues_every: int = 1
    replay_share: float = 0.3
    real_share: float = 0.35
    general_share: float = 0.2
    general_cap: int = 8192
    texts_every: int = 2

    def has_prose(self, epoch: int) -> bool:
        """Whether the prose is trained in an epoch."""
        return epoch % self.prose_every == 0 if self.prose_every else epoch == 0


@dataclass(frozen=True, slots=True)
class Material:
    """The rows of a run by what they are for; `recency` weighs those of `replay`, in order.

    `sentences` are those of `prose` and of what is to be forgotten, each to be asked by a cue.
    `general` is text of people, `samples` what the base wrote itself: they take turns. Known prose
    waits to be encoded until it is drawn.
    """

    pairs: Sequence[Row] = ()
    prose: Sequence[Row] = ()
    forget: Sequence[Row] = ()
    sentences: Sequence[Row] = ()
    replay: Sequence[Row | Waiting] = ()
    recency: Sequence[float] = ()
    general: Sequence[Row] = ()
    samples: Sequence[Row] = ()

    @property
    def known_pairs(self) -> list[Row]:
        """The pairs that are replayed, in order."""
        return [one for one in self.replay if isinstance(one, Row) and one.kind is RowKind.PAIR]


@dataclass(frozen=True, slots=True)
class Schedule(Generic[R]):
    """All rows of a run in order; after optimiser step `epoch_ends[e]`, epoch e is over."""

    rows: tuple[R, ...]
    epoch_ends: tuple[int, ...]

    @property
    def steps(self) -> int:
        return self.epoch_ends[-1]

    def cut(self, steps: int) -> Schedule[R]:
        """The first `steps` of it; the last epoch may be a part of one."""
        if steps >= self.steps:
            return self
        ends = [end for end in self.epoch_ends if end < steps]
        return Schedule(self.rows[: steps * (len(self.rows) // self.steps)], (*ends, steps))


def recency(age: int) -> float:
    """The weight of an item that was first trained `age` versions ago."""
    return max(_OLDEST, 1 / (1 + age))


def build_schedule(
    material: Material, reword: Reworder, mixture: Mixture, *, epochs: int, seed: int
) -> Schedule[Row]:
    """Lay out `epochs` epochs; every epoch is a whole number of steps."""
    general = _taking_turns(material.general, material.samples, mixture.texts_every, seed)
    sentences = _shuffled(material.sentences, f"sentences:{seed}")
    pools = _Pools.of(material)
    rows: list[Row] = []
    ends: list[int] = []
    taken = 0
    for epoch in range(epochs):
        rng = random.Random(f"epoch:{seed}:{epoch}")
        own = _new(material, reword, mixture, epoch, rng)
        own += [reword(row, rng) for row in _turn(sentences, epoch, mixture.most_cued)]
        known = _known(own, pools, reword, mixture, epoch, rng)
        known += _anchor([*own, *known], material, reword, mixture, rng)
        fresh = _general(general, taken, [*own, *known], mixture)
        taken += len(fresh)
        rows += _in_batches([*own, *known, *fresh], own, mixture.rows_per_step, rng)
        ends.append(len(rows) // mixture.rows_per_step)
    return Schedule(tuple(rows), tuple(ends))


def _new(
    material: Material, reword: Reworder, mixture: Mixture, epoch: int, rng: random.Random
) -> list[Row]:
    pairs = [*material.pairs, *material.forget]
    own = list(pairs)
    for _ in range(mixture.rewordings):
        own += [reword(row, rng) for row in pairs]
    if mixture.has_prose(epoch) or not pairs:
        own += material.prose
    return own or list(material.prose)


def _turn(rows: Sequence[Row], epoch: int, most: int) -> Sequence[Row]:
    """Those of an epoch: all of them, or the next `most` in turn."""
    if len(rows) <= most:
        return rows
    return [rows[(epoch * most + at) % len(rows)] for at in range(most)]


class _Replay:
    """Draws rows from a pool without replacement until all were drawn, then again."""

    def __init__(self, pool: Sequence[tuple[Row | Waiting, float]]) -> None:
        self._pool = [row for row, _ in pool]
        self._inverse = np.array([1 / weight for _, weight in pool])
        self._drawn = np.zeros(len(pool), dtype=np.int64)

    def __bool__(self) -> bool:
        return bool(self._pool)

    def draw(self, own_tokens: int, share: float, rng: random.Random) -> list[Row]:
        """Rows that make up `share` of the tokens together with `own_tokens` of other material.

        At least four while they stay within half of all; none where the share is 0.
        """
        if not self._pool or share <= 0:
            return []
        budget = int(own_tokens * share / (1 - share))
        rows: list[Row] = []
        used = missed = 0
        for index in self._order(rng):
            found = _rows(self._pool[index])
            size = _tokens(found)
            fits = used + size <= budget
            if not fits and (len(rows) >= _AT_LEAST or used + size > own_tokens):
                if (missed := missed + 1) == _MOST_MISSED:
                    break
                continue
            rows += found
            self._drawn[index] += 1
            used += size
            if used >= budget and len(rows) >= _AT_LEAST:
                break
        return rows

    def _order(self, rng: random.Random) -> list[int]:
        """Those drawn least first; among these by weight (Efraimidis and Spirakis, 2006)."""
        keys = np.array([rng.random() for _ in self._pool]) ** self._inverse
        order: list[int] = np.lexsort((-keys, self._drawn)).tolist()
        return order


@dataclass(frozen=True, slots=True)
class _Pools:
    """What is known, apart: long rows of prose would otherwise crowd out the pairs."""

    pairs: _Replay
    prose: _Replay
    sentences: _Replay

    @classmethod
    def of(cls, material: Material) -> _Pools:
        both = list(zip(material.replay, material.recency, strict=True))
        kinds = (RowKind.PAIR, RowKind.PROSE, RowKind.SENTENCE)
        return cls(*(_Replay([one for one in both if _kind(one[0]) is kind]) for kind in kinds))


def _kind(one: Row | Waiting) -> RowKind:
    return one.kind if isinstance(one, Row) else RowKind.PROSE


def _rows(one: Row | Waiting) -> tuple[Row, ...]:
    return (one,) if isinstance(one, Row) else one.rows()


def _known(
    own: Sequence[Row],
    pools: _Pools,
    reword: Reworder,
    mixture: Mixture,
    epoch: int,
    rng: random.Random,
) -> list[Row]:
    """Known pairs, half of them in other words; sentences by cues; prose in the epochs it has."""
    share = mixture.replay_share
    drawn = pools.pairs.draw(_tokens(own), share, rng)
    known = [reword(row, rng) if rng.random() < _REWORDED else row for row in drawn]
    if mixture.most_cued and epoch % mixture.cues_every == 0:
        sentences = pools.sentences.draw(_tokens(own) - _tokens(known), share, rng)
        known += [reword(row, rng) for row in sentences]
    if mixture.has_prose(epoch) or not pools.pairs:
        known += pools.prose.draw(_tokens(own) - _tokens(known), share, rng)
    return known


def _anchor(
    rows: Sequence[Row],
    material: Material,
    reword: Reworder,
    mixture: Mixture,
    rng: random.Random,
) -> list[Row]:
    """More authored rows, where synthetic ones would otherwise outweigh them.

    From what is known first, while that stays within half of the tokens, then once more from what
    is new.
    """
    synthetic = sum(len(row.ids) for row in rows if row.synthetic)
    real = sum(len(row.ids) for row in rows if row.authored)
    wanted = synthetic * mixture.real_share / (1 - min(mixture.real_share, 0.9))
    if not synthetic:
        return []
    new = [row for row in (*material.pairs, *material.prose) if row.authored]
    known = [one for one in material.replay if _kind(one) is not RowKind.SENTENCE and one.authored]
    if not new and not known:
        return []
    replayed = sum(len(row.ids) for row in rows if row.replayed)
    total = _tokens(rows)
    added: list[Row] = []
    while real < wanted:
        pool = known if (known and replayed < _MOST_REPLAY * total) or not new else new
        drawn = _rows(rng.choice(pool))
        row = reword(drawn[0] if len(drawn) == 1 else rng.choice(drawn), rng)
        added.append(row)
        real, total = real + len(row.ids), total + len(row.ids)
        replayed += len(row.ids) if row.replayed else 0
    return added


def _taking_turns(
    general: Sequence[Row], samples: Sequence[Row], every: int, seed: int
) -> list[Row]:
    """Texts of people, and between two of them `every` - 1 samples of the base."""
    texts = _shuffled(general, f"general:{seed}")
    own = _shuffled(samples, f"samples:{seed}")
    rounds = min(len(texts), len(own) // (every - 1))
    turns: list[Row] = []
    for at in range(rounds):
        turns += [texts[at], *own[at * (every - 1) : (at + 1) * (every - 1)]]
    return turns + texts[rounds:] + own[rounds * (every - 1) :]


def _shuffled(rows: Sequence[Row], seed: str) -> list[Row]:
    made = list(rows)
    random.Random(seed).shuffle(made)
    return made


def _general(order: Sequence[Row], taken: int, own: Sequence[Row], mixture: Mixture) -> list[Row]:
    """The next general rows in turn: none is seen twice before all were seen once."""
    share = mixture.general_share
    if not order or share <= 0:
        return []
    budget = min(mixture.general_cap, int(_tokens(own) * share / (1 - share)))
    rows: list[Row] = []
    used = 0
    while used < budget:
        row = order[(taken + len(rows)) % len(order)]
        rows.append(row)
        used += len(row.ids)
    return rows


def _tokens(rows: Sequence[Row]) -> int:
    return sum(len(row.ids) for row in rows)


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
