"""The command line in one of several processes: only a training is shared, and one speaks."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator, Sequence
from types import FrameType

from dlm.errors import Abandoned, UsageError
from dlm.launch import Launch

_HELP = {"-h", "--help", "--version"}


@contextlib.contextmanager
def in_company(here: Launch, words: Sequence[str]) -> Iterator[None]:
    """Run the command of `words` inside, silently unless this is the first process.

    Raises UsageError where it is none that several processes share.
    """
    command = next((word for word in words if not word.startswith("-")), None)
    if command not in (None, "train") and not _HELP & set(words):
        raise UsageError(
            f"`dlm {command}` runs in one process, and {here.processes} were started",
            hint=f"only `dlm train` is shared by several; start this one as `dlm {command}`",
        )
    if here.leads:
        with _ended_by_launcher(here):
            yield
        return
    with (
        open(os.devnull, "w", encoding="utf-8") as nowhere,  # noqa: PTH123 - a device
        contextlib.redirect_stdout(nowhere),
        contextlib.redirect_stderr(nowhere),
    ):
        yield


@contextlib.contextmanager
def _ended_by_launcher(here: Launch) -> Iterator[None]:
    """Say so where the launcher ends this process, as it does when another one died."""

    def ended(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # it may ask more than once
        raise Abandoned(
            f"the launcher ended this process: another of the {here.processes} ended, or it was "
            "stopped itself",
            hint="nothing was changed; start them again",
        )

    before = signal.signal(signal.SIGTERM, ended)
    try:
        yield
    finally:
        if signal.getsignal(signal.SIGTERM) is ended:
            signal.signal(signal.SIGTERM, before)
