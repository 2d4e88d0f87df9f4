"""How the page says numbers, times and shares in words, and texts that others wrote."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

from markupsafe import Markup

from dlm.eval.figures import Figure

# What HTML cannot hold, or what would reorder the text around it on the page.
_NO_CHARACTER: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


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
    shown = line if most is None or len(line) <= most else f"{line[: most - 1]}…"
    return Markup("<bdi>{}</bdi>").format(readable(shown))


def percent(value: float) -> str:
    return f"{100 * value:.0f}\N{NO-BREAK SPACE}%"


def signed(value: float) -> str:
    """`+0.27`, `−0.03`, `0`."""
    return f"{value:+.2f}".replace("-", "−") if round(value, 2) else "0"


def plain(value: float) -> str:
    return f"{value:.2f}".replace("-", "−")


def when(at: datetime) -> str:
    """The local time, to the minute."""
    return f"{at.astimezone():%Y-%m-%d %H:%M}"


def between(figure: Figure, show: Callable[[float], str]) -> str:
    """The interval in words; why there is none, where there is none."""
    if figure.low is None or figure.high is None:
        return "fewer than ten, so no interval"
    return f"{show(figure.low)} to {show(figure.high)} with 90\N{NO-BREAK SPACE}% confidence"


def listed(parts: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    if len(parts) < 2:
        return "".join(parts)
    return f"{', '.join(parts[:-1])} and {parts[-1]}"


def duration(seconds: float) -> str:
    """`36 s`, `4 min 5 s`."""
    whole = round(seconds)
    return f"{whole} s" if whole < 60 else f"{whole // 60} min {whole % 60} s"
