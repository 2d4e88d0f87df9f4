"""How a watching process stands: what a status line shows and what the server answers.

Written by the loop, read by other threads. The estimate of the next cycle comes from measured ones.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from statistics import median
from typing import Any, Final

_REMEMBERED: Final = 8  # cycles
_WRITING_SECONDS: Final = 2.0  # after the last step, while no cycle was measured yet
_FIRST_SECONDS: Final = 60.0  # a first training, until its steps tell


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known at one moment. `loss` is that of the last step, in nats a token."""

    phase: str = "starting"
    version: str | None = None
    change: str = ""
    loss: float | None = None
    probes_passed: int | None = None
    probes_asked: int | None = None
    queue_depth: int = 0
    held: int = 0
    cycles: int = 0
    cycle_seconds: float | None = None
    error: str | None = None


class WatchStatus:
    """The facts, and how long it takes until what is pushed now is written."""

    def __init__(
        self,
        *,
        settle_seconds: float,
        changed: Callable[[Facts], None] = lambda facts: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.wake = threading.Event()
        self._lock = threading.RLock()
        self._facts = Facts()
        self._settle, self._clock, self._changed = settle_seconds, clock, changed
        self._began: float | None = None
        self._left: tuple[float, float] | None = None  # seconds to the last step, as of when
        self._took: deque[float] = deque(maxlen=_REMEMBERED)
        self._pushed_at: float | None = None
        self._new_pushes = False

    @property
    def facts(self) -> Facts:
        with self._lock:
            return self._facts

    def note(self, **changes: Any) -> None:
        """Set some of the facts."""
        with self._lock:
            self._facts = replace(self._facts, **changes)
            facts = self._facts
        self._changed(facts)

    def begin(self) -> None:
        """A cycle begins: what is pushed from now on waits for the next."""
        with self._lock:
            self._began, self._left, self._pushed_at = self._clock(), None, None

    def left(self, seconds: float) -> None:
        """The steps of the running cycle take this much longer, at most."""
        with self._lock:
            self._left = seconds, self._clock()

    def end(self) -> float:
        """The cycle is over; returns what it took in seconds."""
        with self._lock:
            took = self._clock() - (self._began or self._clock())
            self._took.append(took)
            self._began = None
            return took

    def idle(self) -> None:
        """The cycle came to nothing, which says nothing of how long others take."""
        with self._lock:
            self._began = None

    def eta(self) -> float:
        """Seconds until the next cycle takes up what waits."""
        with self._lock:
            now = self._clock()
            if self._began is None:
                since = now - self._pushed_at if self._pushed_at is not None else 0.0
                return max(0.0, self._settle - since)
            return self._rest(now) + self._settle

    def status(self) -> dict[str, Any]:
        """The facts as JSON."""
        facts = asdict(self.facts)
        del facts["queue_depth"]  # the queue itself says it better
        return facts

    def pushed(self, depth: int) -> None:
        """Probes were pushed and `depth` wait now; the loop is woken."""
        with self._lock:
            self._pushed_at = self._pushed_at or self._clock()
            self._new_pushes = True
        self.note(queue_depth=depth)
        self.wake.set()

    def take_pushes(self) -> bool:
        """Whether anything was pushed since this was last asked."""
        with self._lock:
            taken, self._new_pushes = self._new_pushes, False
            return taken

    def _rest(self, now: float) -> float:
        """What is left of the running cycle: as long as cycles take, but no longer than steps."""
        assert self._began is not None
        bound = None
        if self._left is not None:
            seconds, at = self._left
            bound = max(0.0, seconds - (now - at)) + _WRITING_SECONDS
        if self._took:
            usual = median(self._took) - (now - self._began)
            if usual > 0:
                return min(usual, bound) if bound is not None else usual
        if bound is not None:
            return bound
        return max(_WRITING_SECONDS, _FIRST_SECONDS - (now - self._began))
