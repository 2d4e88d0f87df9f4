"""How the page says numbers, times and states in words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

from dlm.eval.figures import Figure


def count(number: int, noun: str, plural: str | None = None) -> str:
    """`1 pair`, `2 pairs`."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


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


def hits(figure: Figure) -> int:
    """How many of the `n` things a share counts are hits."""
    return round((figure.value or 0.0) * figure.n)


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


def sentences(parts: Iterable[str]) -> str:
    return " ".join(part for part in parts if part)


def duration(seconds: float) -> str:
    """`36 s`, `4 min 5 s`."""
    whole = round(seconds)
    return f"{whole} s" if whole < 60 else f"{whole // 60} min {whole % 60} s"
