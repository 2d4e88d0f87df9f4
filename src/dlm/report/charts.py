"""The charts of the report, each from plain numbers, each with the words that stand for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup

from dlm.eval.figures import Figure
from dlm.report.facts import Knowledge
from dlm.report.svg import WIDTH, Plot, join, label, mark, picture, tag, thinned, ticks
from dlm.store.metrics import smoothed

_MOST_POINTS: Final = 240  # of a curve; more could not be told apart
_BAR, _STEP = 20, 40
_LETTERED: Final = 0.04  # of the whole; less is too narrow for a letter
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


@dataclass(frozen=True, slots=True)
class Point:
    """A figure at a place along the x axis, and how what stands there came out: see `SHAPES`."""

    name: str
    figure: Figure
    outcome: str = ""
    current: bool = False


SHAPES: Final[Mapping[str, str]] = {
    "promoted": "triangle",
    "not promoted": "cross",
    "rolled back": "square",
}


def trend(
    title: str,
    points: Sequence[Point],
    show: Callable[[float], str],
    *,
    low: float | None = None,
    high: float | None = None,
    bound: float | None = None,
) -> Markup:
    """One figure over versions, with its interval; the bound it must not pass, where it has one."""
    found = [(x, point, point.figure.value) for x, point in enumerate(points)]
    drawn = [(x, point, value) for x, point, value in found if value is not None]
    values = [value for _, _, value in drawn]
    values += [p.figure.low for p in points if p.figure.low is not None]
    values += [p.figure.high for p in points if p.figure.high is not None]
    values += [one for one in (low, high, bound) if one is not None]
    y_ticks = ticks(min(values), max(values), 4)
    plot = Plot(-0.5, len(points) - 0.5, y_ticks[0], y_ticks[-1])
    told = ", ".join(f"{point.name} {show(value)}" for _, point, value in drawn)
    return picture(
        title,
        f"{told}." + (f" The bound is {show(bound)}." if bound is not None else ""),
        plot.axes(y_ticks, show, thinned([(x, point.name) for x, point, _ in found])),
        _bound(plot, bound),
        plot.line([(x, v) for x, point, v in drawn if point.outcome != "not promoted"], "curve")
        if len(drawn) > 1
        else None,
        [_point(plot, x, point, value) for x, point, value in drawn],
    )


def curve(
    title: str,
    losses: Sequence[tuple[int, float]],
    measured: Mapping[str, Sequence[tuple[float, float]]],
) -> Markup:
    """The loss of every step, smoothed, and what was measured after epochs, by name."""
    every = [*losses, *(point for points in measured.values() for point in points)]
    y_ticks = ticks(0.0, max(y for _, y in every), 4)
    steps = [x for x, _ in every]
    plot = Plot(min(0, *steps), max(steps), 0.0, y_ticks[-1])
    smooth = list(zip((x for x, _ in losses), smoothed([y for _, y in losses]), strict=True))
    told = f"From {smooth[0][1]:.2f} to {smooth[-1][1]:.2f} nats a token" if smooth else ""
    return picture(
        title,
        f"{told} in {int(max(steps))} steps.",
        plot.axes(
            y_ticks,
            lambda value: f"{value:g}",
            thinned([(x, f"{x:g}") for x in ticks(0, max(steps), 5) if x <= max(steps)]),
        ),
        plot.line(_fewer(losses), "faint") if len(losses) > 1 else None,
        plot.line(_fewer(smooth), "curve") if len(smooth) > 1 else None,
        [
            mark(_MEASURED[name][0], plot.x(x), plot.y(y), _MEASURED[name][1], 4)
            for name, points in measured.items()
            for x, y in points
        ],
    )


def meter(figure: Figure, description: str) -> Markup:
    """A share from 0 to 1 as a dot on a track, its interval as a band."""
    value = figure.value or 0.0
    low, high = figure.low, figure.high
    band = None
    if low is not None and high is not None:
        band = tag("rect", x=_along(low), y=7, width=_along(high) - _along(low), height=8, rx=4)
    return tag(
        "svg",
        tag("rect", x=6, y=10, width=208, height=2, rx=1, class_="track"),
        tag("g", band, class_="band"),
        tag("circle", cx=_along(value), cy=11, r=6, class_="dot"),
        viewBox="0 0 220 22",
        role="img",
        aria_label=description,
        class_="meter",
    )


def bars(title: str, rows: Sequence[tuple[str, int]]) -> Markup:
    """Counts that fall from row to row, each with its name and number."""
    most = max((number for _, number in rows), default=0) or 1
    drawn = []
    for index, (name, number) in enumerate(rows):
        y = index * _STEP
        width = (WIDTH - 2) * number / most
        drawn += [
            label(1, y + 12, name, anchor="start", class_="row"),
            label(WIDTH - 1, y + 12, f"{number:,}", anchor="end", class_="row number"),
            tag("rect", x=1, y=y + 18, width=WIDTH - 2, height=_BAR - 8, rx=3, class_="track"),
            tag("rect", x=1, y=y + 18, width=max(width, 1.5), height=_BAR - 8, rx=3, class_="bar"),
        ]
    told = ", ".join(f"{name} {number}" for name, number in rows)
    return picture(title, f"{told}.", *drawn, height=len(rows) * _STEP)


def stack(title: str, parts: Sequence[tuple[str, float]]) -> Markup:
    """Shares of a whole side by side; the letter on each is that of the table below."""
    blocks = [
        tag(
            "span",
            letter(index) if share >= _LETTERED else "",
            class_=f"s{index % 6}",
            style=f"flex:{share:.4f} 0 0",
        )
        for index, (_, share) in enumerate(parts)
    ]
    told = ", ".join(f"{name} {share:.0%}" for name, share in parts)
    return tag("div", blocks, class_="stack", role="img", aria_label=f"{title}: {told}.")


def letter(index: int) -> str:
    """A, B, C, …"""
    return chr(ord("A") + index % 26)


def strip(title: str, blocks: Sequence[tuple[str, str | None, int, str]]) -> Markup:
    """The document from its beginning to its end: (state class, link, length, words) a block."""
    total = sum(length for _, _, length, _ in blocks) or 1
    drawn = []
    x = 0.0
    for state, link, length, words in blocks:
        width = 1000 * length / total
        block = tag("rect", x=x, y=0, width=max(width - 2, 1.0), height=30, class_=f"k {state}")
        pattern = tag("rect", x=x, y=0, width=max(width - 2, 1.0), height=30, class_=f"h {state}")
        drawn.append(
            tag("a" if link else "g", tag("title", words), block, pattern, href=link and f"#{link}")
        )
        x += width
    return tag(
        "svg",
        _HATCHES,
        *drawn,
        viewBox="0 0 1000 30",
        preserveAspectRatio="none",
        role="group",
        aria_label=title,
        class_="strip",
    )


def _fewer(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Neighbours as their means, where there are too many to draw."""
    size = -(-len(points) // _MOST_POINTS)
    groups = [points[start : start + size] for start in range(0, len(points), size)]
    return [
        (sum(x for x, _ in group) / len(group), sum(y for _, y in group) / len(group))
        for group in groups
    ]


def _bound(plot: Plot, bound: float | None) -> Markup | None:
    if bound is None:
        return None
    y = plot.y(bound)
    line = tag("line", x1=plot.x(plot.x_low), x2=plot.x(plot.x_high), y1=y, y2=y, class_="bound")
    return join(line, label(plot.x(plot.x_high), y - 5, "bound", anchor="end", class_="boundname"))


def _point(plot: Plot, x: float, point: Point, value: float) -> Markup:
    figure = point.figure
    at, y = plot.x(x), plot.y(value)
    whisker = None
    if figure.low is not None and figure.high is not None:
        top, low = plot.y(figure.high), plot.y(figure.low)
        whisker = tag("line", x1=at, x2=at, y1=top, y2=low, class_="whisker")
    shape = SHAPES.get(point.outcome, "dot")
    ring = mark("ring", at, y, "ring") if point.current else None
    return join(whisker, ring, mark(shape, at, y, f"point {shape}"))


def _along(value: float) -> float:
    return 6 + 208 * min(max(value, 0.0), 1.0)


def _hatch(name: str, d: str) -> Markup:
    path = tag("path", d=d, class_="hatch")
    return tag("pattern", path, id=name, width=10, height=10, patternUnits="userSpaceOnUse")


_HATCHES = tag(
    "defs",
    _hatch("hatch-partly", "M0 10L10 0"),
    _hatch("hatch-not", "M0 10L10 0M0 0L10 10"),
)
