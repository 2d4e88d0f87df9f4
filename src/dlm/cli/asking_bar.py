"""How far a loop is that asks models: on standard error."""

from __future__ import annotations

import sys

from dlm.cli.common import count, note


class AskingBar:
    """How far the asking is: a line on a terminal that is written over, else one line a stage."""

    def __init__(self) -> None:
        self._tty = sys.stderr.isatty()
        self._said = ""

    def __call__(self, what: str, done: int, of: int) -> None:
        if self._tty:
            text = f"{what}: {done} of {of}" if of else f"{what} …"
            print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)
        elif what != self._said:
            note(f"{what}: {count(of, 'request')} …" if of else f"{what} …")
        self._said = what

    def close(self) -> None:
        if self._tty and self._said:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
