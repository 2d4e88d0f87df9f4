"""How far work is and when it will end, on standard error."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Final

from dlm.cli.common import LiveLine, note

RARELY: Final = 30.0  # seconds between two lines of a log, at least
_OFTEN: Final = 0.2  # and of a terminal
_AT_ONCE: Final = 1.0  # seconds of work, from which a terminal shows how far it is
_SOON: Final = 5.0  # and a log


class WorkLine:
    """A `dlm.working.Tell`: how far work is and, by its rate, when it will end.

    Once it has lasted a moment, a line on a terminal that is written over; elsewhere a line of its
    own, rarely, whatever the work.
    """

    def __init__(
        self, indent: str = "  ", *, seconds: Callable[[], float] = time.monotonic
    ) -> None:
        self._line, self._seconds, self._indent = LiveLine(sys.stderr), seconds, indent
        self._what = ""  # nothing goes on
        self._first, self._began = 0, 0.0
        self._shown: float | None = None

    def __call__(self, what: str, done: int, of: int) -> None:
        if done >= of:
            self.close()
            return
        now = self._seconds()
        if what != self._what:
            self.close()
            self._what, self._first, self._began = what, done, now
        if done > self._first and now >= self._due():
            self._shown = now
            left = (now - self._began) / (done - self._first) * (of - done)
            self._say(f"{self._indent}{what}: {done / of:.0%}, about {clock(left)} left")

    def close(self) -> None:
        """End the line that is written over."""
        if self._what and self._shown is not None:
            self._line.show("")
        self._what = ""

    def _due(self) -> float:
        wait, pause = (_AT_ONCE, _OFTEN) if self._line.live else (_SOON, RARELY)
        last = -pause if self._shown is None else self._shown
        return max(self._began + wait, last + pause)

    def _say(self, text: str) -> None:
        if self._line.live:
            self._line.show(text)
        else:
            note(text)


def clock(seconds: float) -> str:
    """`0:07`, `1:02:40`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
