"""What of the known material comes along in a retraining: a sample, new for each epoch.

Recent items come more often than old ones, and none comes twice before all came once.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence

from dlm.data.rows import Row

_OLDEST = 0.2  # the least weight of an item, so that the oldest still come
_AT_LEAST = 4  # rows, so that a one-pair edit does not train alone


def recency(age: int) -> float:
    """The weight of an item that was first trained `age` versions ago."""
    return max(_OLDEST, 1 / (1 + age))


class Replay:
    """Draws rows from a pool without replacement until all were drawn, then again."""

    def __init__(self, pool: Sequence[tuple[Row, float]]) -> None:
        self._pool = [row for row, _ in pool]
        self._weights = [weight for _, weight in pool]
        self._drawn: Counter[int] = Counter()

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
        used = 0
        for index in self._order(rng):
            size = len(self._pool[index].ids)
            fits = used + size <= budget
            if not fits and (len(rows) >= _AT_LEAST or used + size > own_tokens):
                continue
            rows.append(self._pool[index])
            self._drawn[index] += 1
            used += size
            if used >= budget and len(rows) >= _AT_LEAST:
                break
        return rows

    def _order(self, rng: random.Random) -> list[int]:
        """Those drawn least first; among these by weight (Efraimidis and Spirakis, 2006)."""
        keys = [rng.random() ** (1 / weight) for weight in self._weights]
        return sorted(range(len(self._pool)), key=lambda i: (self._drawn[i], -keys[i]))
