"""Where the lines, marks and words of the report's charts stand; `charts.html` draws them.

A picture is 360 units wide, so that its letters stay legible on a phone, where charts stand one
below the other; on wide screens several stand side by side. Knows no HTML.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from dlm.eval.figures import Figure
from dlm.report.facts import Knowledge
from dlm.store.metrics import smoothed

WIDTH: Final = 360
HEIGHT: Final = 196
LEFT, RIGHT, _TOP, _BOTTOM = 44, WIDTH - 14, 14, 30
_MOST_POINTS: Final = 240  # of a curve; more could not be told apart
_MEASURED: Final = {"held-out answers": ("dot", "held"), "answers to learn": ("diamond", "answers")}

STATES: Final[Mapping[str, tuple[str, str]]] = {
    Knowledge.LEARNED: ("learned", "●"),
    Knowledge.PARTLY: ("partly", "◐"),
    Knowledge.NOT: ("not", "○"),
    Knowledge.UNMEASURED: ("none", "–"),
    Knowledge.ASKED: ("none", "?"),
    Knowledge.SILENT: ("none", "–"),
}
"""Of each state its class in the style, and its sign."""

SHAPES: Final[Mapping[str, str]] = {
    "promoted": "triangle",
    "not promoted": "cross",
    "rolled back": "square",
}


@dataclass(frozen=True, slots=True)
class Point:
    """A figure at a place along the x axis, and how what stands there came out: see `SHAPES`."""

    name: str
    figure: Figure
    outcome: str = ""
    current: bool = False


@dataclass(frozen=True, slots=True)
class Mark:
    """A dot, square, triangle, diamond or cross, with its interval from `top` to `bottom`."""

    shape: str
    x: float
    y: float
    style: str
    top: float | None = None
    bottom: float | None = None
    current: bool = False


@dataclass(frozen=True, slots=True)
class Chart:
    """A picture and the words that stand for it.

    `across` are lines with their values, `names` stand below, `lines` are (class, path), and
    `bound` is the height of what a figure must not pass.
    """

    label: str
    across: list[tuple[float, str]]
    names: list[tuple[float, str]]
    lines: list[tuple[str, str]] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)
    bound: float | None = None


class _Plot:
    """The area within the axes, and how values become places in it."""

    def __init__(self, x_low: float, x_high: float, y_ticks: Sequence[float]) -> None:
        self._x_low, self._x_span = x_low, x_high - x_low
        self._y_low, self._y_span = y_ticks[0], y_ticks[-1] - y_ticks[0]

    def x(self, value: float) -> float:
        share = (value - self._x_low) / self._x_span if self._x_span else 0.5
        return round(LEFT + share * (RIGHT - LEFT), 1)

    def y(self, value: float) -> float:
        share = (value - self._y_low) / self._y_span if self._y_span else 0.5
        return round(HEIGHT - _BOTTOM - share * (HEIGHT - _TOP - _BOTTOM), 1)

    def line(self, style: str, points: Sequence[tuple[float, float]]) -> list[tuple[str, str]]:
        """A line through the points; none where there is only one."""
        places = " L".join(f"{self.x(x)} {self.y(y)}" for x, y in points)
        return [(style, f"M{places}")] if len(points) > 1 else []


def trend(
    title: str,
    points: Sequence[Point],
    show: Callable[[float], str],
    *,
    low: float | None = None,
    high: float | None = None,
    bound: float | None = None,
) -> Chart:
    """One figure over versions, with its interval; the bound it must not pass, where it has one."""
    drawn = [(x, p, p.figure.value) for x, p in enumerate(points) if p.figure.value is not None]
    values = [value for _, _, value in drawn]
    for figure in (point.figure for point in points):
        values += [one for one in (figure.low, figure.high) if one is not None]
    values += [one for one in (low, high, bound) if one is not None]
    y_ticks = ticks(min(values), max(values), 4)
    plot = _Plot(-0.5, len(points) - 0.5, y_ticks)
    told = ", ".join(f"{point.name} {show(value)}" for _, point, value in drawn)
    limit = f" The bound is {show(bound)}." if bound is not None else ""
    joined = [(x, value) for x, point, value in drawn if point.outcome != "not promoted"]
    return Chart(
        f"{title}: {told}.{limit}",
        [(plot.y(y), show(y)) for y in y_ticks],
        [(plot.x(x), name) for x, name in thinned([(x, p.name) for x, p in enumerate(points)])],
        plot.line("curve", joined),
        [_mark(plot, x, point, value) for x, point, value in drawn],
        None if bound is None else plot.y(bound),
    )


def curve(
    title: str,
    losses: Sequence[tuple[int, float]],
    measured: Mapping[str, Sequence[tuple[float, float]]],
) -> Chart:
    """The loss of every step, smoothed, and what was measured after epochs, by name."""
    every = [*losses, *(point for points in measured.values() for point in points)]
    y_ticks = [0.0, *ticks(0.0, max(y for _, y in every), 4)[1:]]
    steps = [x for x, _ in every]
    last = max(steps)
    plot = _Plot(min(0, *steps), last, y_ticks)
    smooth = list(zip((x for x, _ in losses), smoothed([y for _, y in losses]), strict=True))
    told = f"From {smooth[0][1]:.2f} to {smooth[-1][1]:.2f} nats a token" if smooth else ""
    names = thinned([(x, f"{x:g}") for x in ticks(0, last, 5) if x <= last])
    return Chart(
        f"{title}: {told} in {int(last)} steps.",
        [(plot.y(y), f"{y:g}") for y in y_ticks],
        [(plot.x(x), name) for x, name in names],
        plot.line("faint", _fewer(losses)) + plot.line("curve", _fewer(smooth)),
        [
            Mark(_MEASURED[name][0], plot.x(x), plot.y(y), _MEASURED[name][1])
            for name, points in measured.items()
            for x, y in points
        ],
    )


def ticks(low: float, high: float, most: int = 5) -> list[float]:
    """Round values that cover what lies between two numbers."""
    span = high - low
    if span <= 0:
        return [low]
    rough = span / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * each for each in (1, 2, 2.5, 5, 10) if power * each >= rough * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(index * step, 10) for index in range(first, last + 1)]


def thinned(places: Sequence[tuple[float, str]], most: int = 7) -> list[tuple[float, str]]:
    """At most so many of them, the first and the last among them."""
    if len(places) <= most:
        return list(places)
    chosen = {round(index * (len(places) - 1) / (most - 1)) for index in range(most)}
    return [place for index, place in enumerate(places) if index in chosen]


def _mark(plot: _Plot, x: float, point: Point, value: float) -> Mark:
    low, high = point.figure.low, point.figure.high
    known = low is not None and high is not None
    shape = SHAPES.get(point.outcome, "dot")
    return Mark(
        shape,
        plot.x(x),
        plot.y(value),
        f"point {shape}",
        plot.y(high) if known and high is not None else None,
        plot.y(low) if known and low is not None else None,
        point.current,
    )


def _fewer(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Neighbours as their means, where there are too many to draw."""
    size = -(-len(points) // _MOST_POINTS)
    groups = [points[start : start + size] for start in range(0, len(points), size)]
    return [
        (sum(x for x, _ in group) / len(group), sum(y for _, y in group) / len(group))
        for group in groups
    ]
