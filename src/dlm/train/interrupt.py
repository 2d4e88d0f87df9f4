"""Ctrl-C during training: the first asks for a stop at the next step, the second aborts."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType


class StopFlag:
    """Set by the first SIGINT or SIGTERM; the second raises KeyboardInterrupt."""

    def __init__(self, on_request: Callable[[], None]) -> None:
        self.requested = False
        self._on_request = on_request

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True
        self._on_request()


@contextlib.contextmanager
def stop_flag(on_request: Callable[[], None] = lambda: None) -> Iterator[StopFlag]:
    """A flag that Ctrl-C raises while the context lasts; outside the main thread it stays down.

    `on_request` is called inside the signal handler of the first one.
    """
    flag = StopFlag(on_request)
    if threading.current_thread() is not threading.main_thread():
        yield flag
        return
    before = {number: signal.signal(number, flag._handle) for number in _SIGNALS}
    try:
        yield flag
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


_SIGNALS = (signal.SIGINT, signal.SIGTERM)
