"""Tells when a file was saved and has come to rest, whatever way its editor saves.

Editors replace the file, write it in place, or do either in several goes; what counts is that the
name stands for a file that has not changed for a while. Knows nothing of what is in it.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from watchfiles import Change, watch

Stamp = tuple[int, int, int]
"""Inode, time of change and size: two saves never have the same."""

_LOOK_SECONDS: Final = 0.02
_LONGEST: Final = 10.0  # debounce times: a file that never rests is read as it is


def stamp(path: Path) -> Stamp | None:
    """What tells one save of a file from another; None while there is no file."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


def settle(path: Path, seconds: float, sleep: Callable[[float], None] = time.sleep) -> Stamp | None:
    """Wait until the file exists and has rested for `seconds`; returns its stamp.

    None when it stays away for ten times as long.
    """
    last, since = stamp(path), time.monotonic()
    began = since
    while True:
        now = time.monotonic()
        if now - since >= seconds and last is not None:
            return last
        if now - began >= _LONGEST * max(seconds, 0.1):
            return last
        sleep(min(_LOOK_SECONDS, max(seconds, 0.001)))
        if (found := stamp(path)) != last:
            last, since = found, time.monotonic()


class Saves:
    """Sets `event` whenever the file may have been saved; a context manager.

    Watches the folder, because a file that is replaced is another file. A document behind a
    symbolic link is watched where it lies too.
    """

    def __init__(self, path: Path, event: threading.Event) -> None:
        self._names = {path.absolute(), path.resolve()}
        self._event = event
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="dlm-saves", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join(timeout=2)

    def _watch(self) -> None:
        folders = {name.parent for name in self._names}
        while not self._stop.is_set():
            # A folder that goes away and comes back ends the watching of it.
            with contextlib.suppress(OSError, RuntimeError):
                for _ in watch(
                    *folders,
                    watch_filter=self._is_ours,
                    debounce=50,
                    step=10,
                    stop_event=self._stop,
                    recursive=False,
                    raise_interrupt=False,
                ):
                    self._event.set()
            self._stop.wait(0.5)
            self._event.set()

    def _is_ours(self, change: Change, name: str) -> bool:
        return Path(name) in self._names
