"""The figures of several bases side by side, for a terminal and for a model card."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def table(results: Mapping[str, Mapping[str, Any]]) -> str:
    """A Markdown table: a line for each figure, a column for each base."""
    flat = {name: dict(_flat(result)) for name, result in results.items()}
    lines = list(dict.fromkeys(line for figures in flat.values() for line in figures))
    rows = [[line, *(_cell(figures.get(line)) for figures in flat.values())] for line in lines]
    rows = [["", *flat], *rows]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    said = ["| " + " | ".join(map(str.ljust, row, widths)) + " |" for row in rows]
    return "\n".join([said[0], rule, *said[1:]])


def _flat(figures: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in figures.items():
        said = f"{before}{name}".replace("_", " ")
        if isinstance(value, Mapping):
            yield from _flat(value, f"{said}: ")
        else:
            yield said, value


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if not isinstance(value, float):
        return str(value)
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3f}"
