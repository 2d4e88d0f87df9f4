"""The command line in one of several processes: only a training is shared, and one speaks."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence

from dlm.errors import UsageError
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
        yield
        return
    with (
        open(os.devnull, "w", encoding="utf-8") as nowhere,  # noqa: PTH123 - a device
        contextlib.redirect_stdout(nowhere),
        contextlib.redirect_stderr(nowhere),
    ):
        yield
