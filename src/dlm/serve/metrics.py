"""Counts of a running server as Prometheus reads them; pure but for the clock of the caller."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping
from typing import Final

TEXT: Final = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
_ROWS: Final = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class Histogram:
    """How often a value was at most each bound."""

    def __init__(self, name: str, help: str, bounds: tuple[float, ...]) -> None:
        self._name, self._help, self._bounds = name, help, bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0

    def add(self, value: float) -> None:
        self._counts[bisect_left(self._bounds, value)] += 1
        self._sum += value

    def lines(self) -> list[str]:
        lines, total = _head(self._name, self._help, "histogram"), 0
        for bound, count in zip((*self._bounds, "+Inf"), self._counts, strict=True):
            total += count
            lines.append(f'{self._name}_bucket{{le="{bound}"}} {total}')
        return [*lines, f"{self._name}_sum {self._sum:.6f}", f"{self._name}_count {total}"]


class Metrics:
    """What was asked of a server since it started."""

    def __init__(self) -> None:
        self.requests: Counter[tuple[str, int]] = Counter()  # by path and status
        self.tokens: Counter[str] = Counter()  # by kind: prompt, completion
        self.cancelled = 0
        self.seconds = Histogram(
            "dlm_request_seconds", "From the head of a request to the end of its answer.", _SECONDS
        )
        self.rows = Histogram("dlm_batch_rows", "Rows of each step of a model.", _ROWS)

    def text(self, gauges: Mapping[str, tuple[str, float]]) -> str:
        """All of it, with gauges of the moment: name to (help, value)."""
        lines = _head("dlm_requests_total", "Requests by path and status.", "counter")
        for (path, status), count in sorted(self.requests.items()):
            lines.append(f'dlm_requests_total{{path="{path}",code="{status}"}} {count}')
        lines += _head("dlm_tokens_total", "Tokens that were read and said.", "counter")
        for kind in ("prompt", "completion"):
            lines.append(f'dlm_tokens_total{{kind="{kind}"}} {self.tokens[kind]}')
        lines += _head("dlm_cancelled_total", "Answers that a client did not wait for.", "counter")
        lines.append(f"dlm_cancelled_total {self.cancelled}")
        for name, (help, value) in gauges.items():
            lines += [*_head(name, help, "gauge"), f"{name} {value:g}"]
        lines += self.seconds.lines() + self.rows.lines()
        return "\n".join(lines) + "\n"


def _head(name: str, help: str, kind: str) -> list[str]:
    return [f"# HELP {name} {help}", f"# TYPE {name} {kind}"]
