"""A figure with what it stands on: how many things were counted, and how sure that makes it.

Intervals are 90 %: for a share that of Wilson (1927, "Probable inference, the law of succession,
and statistical inference"), for a mean the percentile bootstrap of Efron (1979) with 1,000
resamples and a fixed seed. Below ten things counted there is none.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

from dlm.store.records import from_json

_FEWEST = 10
_Z = 1.6448536  # the normal distribution holds 90 % within this many deviations of its mean
_RESAMPLES = 1000


@dataclass(frozen=True, slots=True)
class Figure:
    """`value` from `n` things counted, between `low` and `high` with 90 % confidence.

    A figure that cannot be measured has no value and `note` says why; otherwise `note` says what
    it was measured on, where that matters.
    """

    value: float | None
    n: int = 0
    low: float | None = None
    high: float | None = None
    note: str = ""

    @property
    def hits(self) -> int:
        """Of a share: how many of the `n` things it counts are hits."""
        return round((self.value or 0.0) * self.n)

    @classmethod
    def absent(cls, why: str) -> Self:
        return cls(None, note=why)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """The inverse of `to_json`; raises ValueError on anything else."""
        return from_json(cls, data)


def share(hits: Sequence[bool], *, note: str = "", why_none: str = "nothing to count") -> Figure:
    """The share of hits, 0..1."""
    if not hits:
        return Figure.absent(why_none)
    low, high = wilson(sum(hits), len(hits)) if len(hits) >= _FEWEST else (None, None)
    return Figure(sum(hits) / len(hits), len(hits), low, high, note)


def mean(
    values: Sequence[float],
    weights: Sequence[float] | None = None,
    *,
    note: str = "",
    why_none: str = "nothing to measure",
) -> Figure:
    """The mean, weighted where weights are given; `n` counts the values."""
    heavy = [1.0] * len(values) if weights is None else list(weights)
    if not values or sum(heavy) <= 0:
        return Figure.absent(why_none)
    value = sum(v * w for v, w in zip(values, heavy, strict=True)) / sum(heavy)
    low, high = bootstrap(values, heavy) if len(values) >= _FEWEST else (None, None)
    return Figure(value, len(values), low, high, note)


def wilson(hits: int, n: int, z: float = _Z) -> tuple[float, float]:
    """The interval of Wilson for a share of `hits` in `n` trials, 90 % unless told."""
    centre = (hits + z**2 / 2) / (n + z**2)
    half = z / (n + z**2) * math.sqrt(hits * (n - hits) / n + z**2 / 4)
    return max(0.0, centre - half), min(1.0, centre + half)


def binomial_tail(hits: int, n: int, share: float = 0.5) -> float:
    """The chance of at least so many hits in `n` trials, each with the chance `share`."""
    yes, no = math.log(share), math.log(1 - share)
    logs = [
        math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1) + k * yes + (n - k) * no
        for k in range(hits, n + 1)
    ]
    return min(1.0, math.fsum(map(math.exp, logs)))


def bootstrap(values: Sequence[float], weights: Sequence[float]) -> tuple[float, float]:
    """The 90 % percentile interval of a weighted mean; the same values give the same interval."""
    import numpy as np

    drawn = np.random.default_rng(0).integers(0, len(values), (_RESAMPLES, len(values)))
    heavy = np.asarray(weights, dtype=float)[drawn]
    means = (np.asarray(values, dtype=float)[drawn] * heavy).sum(1) / heavy.sum(1)
    low, high = np.quantile(means, [0.05, 0.95])
    return float(low), float(high)
