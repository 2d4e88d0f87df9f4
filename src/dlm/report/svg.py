"""Drawing: elements, scales, ticks, and the frame every chart stands in. Knows no store.

Charts are 360 units wide, so that their letters stay legible on a phone, where they stand one
below the other; on wide screens several stand side by side.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from markupsafe import Markup, escape

WIDTH: Final = 360
HEIGHT: Final = 196
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 14, 14, 30

# What HTML cannot hold, or what would reorder the text around it on the page.
_NO_CHARACTER: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")

Child: TypeAlias = "str | int | Iterable[Child] | None"


def tag(name: str, /, *children: Child, **attributes: str | float | None) -> Markup:
    """An element. `class_` is the attribute class, `aria_label` aria-label; None leaves one out."""
    opening = f"<{name}{''.join(_attribute(*pair) for pair in attributes.items())}>"
    return Markup(f"{opening}{join(*children)}</{name}>")


def join(*children: Child) -> Markup:
    """Children one after the other; what is no markup among them is escaped."""
    return Markup("".join(_text(child) for child in children))


def readable(value: object) -> object:
    """A value for the page: nothing for None, and no character that HTML cannot hold."""
    if value is None:
        return ""
    if isinstance(value, Markup) or not isinstance(value, str):
        return value
    return _NO_CHARACTER.sub("\N{REPLACEMENT CHARACTER}", value)


def user(text: str, most: int | None = None) -> Markup:
    """A text that others wrote, inline: it has its own direction and disturbs nothing around it."""
    line = " ".join(text.split())
    return tag("bdi", line if most is None or len(line) <= most else f"{line[: most - 1]}…")


@dataclass(frozen=True, slots=True)
class Plot:
    """The area within the axes, and how values become places in it."""

    x_low: float
    x_high: float
    y_low: float
    y_high: float
    width: int = WIDTH
    height: int = HEIGHT

    def x(self, value: float) -> float:
        span = self.x_high - self.x_low
        share = (value - self.x_low) / span if span else 0.5
        return _LEFT + share * (self.width - _LEFT - _RIGHT)

    def y(self, value: float) -> float:
        span = self.y_high - self.y_low
        share = (value - self.y_low) / span if span else 0.5
        return self.height - _BOTTOM - share * (self.height - _TOP - _BOTTOM)

    def axes(
        self,
        y_ticks: Sequence[float],
        show: Callable[[float], str],
        x_ticks: Sequence[tuple[float, str]],
        x_name: str = "",
    ) -> Markup:
        """Lines across at `y_ticks` with their values, names below at `x_ticks`."""
        right = self.width - _RIGHT
        lines = [
            join(
                tag("line", x1=_LEFT, x2=right, y1=self.y(y), y2=self.y(y), class_="grid"),
                label(_LEFT - 6, self.y(y) + 4, show(y), anchor="end"),
            )
            for y in y_ticks
        ]
        names = [label(self.x(x), self.height - 12, name) for x, name in x_ticks]
        name = label(right, self.height - 1, x_name, anchor="end") if x_name else None
        return join(*lines, *names, name)

    def line(self, points: Sequence[tuple[float, float]], class_: str) -> Markup:
        """A line through the points."""
        places = " L".join(f"{self.x(x):.1f} {self.y(y):.1f}" for x, y in points)
        return tag("path", d=f"M{places}", class_=class_)


def picture(title: str, description: str, *drawn: Child, height: int = HEIGHT) -> Markup:
    """An image with the words that stand for it."""
    return tag(
        "svg",
        *drawn,
        viewBox=f"0 0 {WIDTH} {height}",
        role="img",
        aria_label=f"{title}: {description}",
    )


def label(x: float, y: float, text: str, *, anchor: str = "middle", class_: str = "tick") -> Markup:
    return tag("text", text, x=float(x), y=float(y), text_anchor=anchor, class_=class_)


def mark(shape: str, x: float, y: float, class_: str, size: float = 5) -> Markup:
    """A dot, a hollow ring, a square, a triangle, a diamond or a cross."""
    if shape in ("dot", "ring"):
        return tag("circle", cx=x, cy=y, r=size if shape == "dot" else size + 3, class_=class_)
    if shape == "square":
        return tag("rect", x=x - size, y=y - size, width=2 * size, height=2 * size, class_=class_)
    if shape == "cross":
        d = f"M{x - size:.1f} {y - size:.1f}l{2 * size} {2 * size}m0 {-2 * size}l{-2 * size} "
        return tag("path", d=f"{d}{2 * size}", class_=class_)
    if shape == "triangle":
        d = f"M{x:.1f} {y - size * 1.4:.1f}l{size * 1.35} {size * 2.3}h{-size * 2.7}z"
        return tag("path", d=d, class_=class_)
    tall = size * 1.3
    d = f"M{x:.1f} {y - tall:.1f}l{tall} {tall}l{-tall} {tall}l{-tall} {-tall}z"
    return tag("path", d=d, class_=class_)


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


def _text(child: Child) -> str:
    if child is None or isinstance(child, str | int):
        return escape(readable(child))
    return "".join(_text(one) for one in child)


def _attribute(name: str, value: str | float | None) -> str:
    if value is None:
        return ""
    shown = f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
    return f' {name.rstrip("_").replace("_", "-")}="{escape(readable(shown))}"'
