"""Asking several requests of a slow teacher at once, in one thread, and giving up on a dead one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from dlm.data.completion import Done, Refused, Request
from dlm.errors import TeacherError

_PATIENCE = 2  # failures in a row beyond one for each request under way


class Unanswered(Exception):
    """This request got no answer; others may. The text says why."""


Ask = Callable[[Request], Awaitable[Sequence[str]]]


async def ask_together(
    name: str, requests: Sequence[Request], ask: Ask, done: Done, *, at_once: int
) -> None:
    """Call `done` as answers come; a request that `ask` leaves Unanswered is refused.

    Raises TeacherError when too many in a row are, and passes on any other error; either way what
    is still under way is cancelled.
    """
    left = iter(list(enumerate(requests)))
    failures = 0

    async def work() -> None:
        nonlocal failures
        for index, request in left:
            try:
                answer = await ask(request)
            except Unanswered as error:
                failures += 1
                done(index, Refused(str(error)))
                if failures >= at_once + _PATIENCE:
                    raise _gave_up(name, failures, str(error)) from error
            else:
                failures = 0
                done(index, answer)

    tasks = [asyncio.create_task(work()) for _ in range(min(at_once, len(requests)))]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _gave_up(name: str, failures: int, reason: str) -> TeacherError:
    return TeacherError(
        f"{name} failed {failures} times in a row; the last time it {reason}",
        hint="what it answered before is kept; run this again to ask only what is missing",
    )
