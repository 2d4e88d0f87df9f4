"""What every teacher is to the loops, and how one that is slow is asked several things at once.

Knows no models and no network.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from dlm.data.completion import Completion, Done, Refused, Request
from dlm.errors import TeacherError

RUN_AGAIN = "what it answered before is kept; run this again to ask only what is missing"
_PATIENCE = 2  # failures in a row beyond one for each request under way


class Teacher(Protocol):
    """Completes prompts.

    `name` is for people and for provenance, as in `self:v0003`. `identity` changes with anything
    that may change an answer, such as the weights behind the same name; the cache goes by it.
    """

    @property
    def name(self) -> str: ...

    @property
    def identity(self) -> str: ...

    def complete(self, requests: Sequence[Request], done: Done) -> None:
        """Call `done` with each index and its completions, in any order, as they come.

        A request that cannot be answered gets a `Refused`, which holds the reason. Raises
        TeacherError when the teacher cannot go on; what was passed to `done` before stands.
        """
        ...


class Unanswered(Exception):
    """This request got no answer; others may. The text says why, as in `answered 500: …`."""


Ask = Callable[[Request], Awaitable[Sequence[str]]]


async def ask_together(
    name: str, requests: Sequence[Request], ask: Ask, done: Done, *, at_once: int
) -> None:
    """Call `done` as answers come; a request that `ask` leaves Unanswered is refused.

    Raises TeacherError when too many in a row are, and passes on any other error; either way what
    is still under way is cancelled.
    """
    left = enumerate(requests)
    failures = 0

    async def work() -> None:
        nonlocal failures
        for index, request in left:
            try:
                answer = answered(await ask(request), request)
            except Unanswered as error:
                answer = Refused(str(error))
            done(index, answer)
            failures = failures + 1 if isinstance(answer, Refused) else 0
            if isinstance(answer, Refused) and failures >= at_once + _PATIENCE:
                raise TeacherError(
                    f"{name} failed {failures} times in a row; the last time it {answer.reason}",
                    hint=RUN_AGAIN,
                )

    tasks = [asyncio.create_task(work()) for _ in range(min(at_once, len(requests)))]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def answered(texts: Sequence[str], request: Request) -> Sequence[str]:
    """The completions without those that ended inside their reasoning; Refused if all did."""
    found = [text for text in texts if not _only_thought(text)]
    if found or not texts:
        return found or texts
    return Refused(
        f"was cut off while thinking, after {request.max_new_tokens} tokens; "
        "--max-new-tokens gives it more"
    )


def _only_thought(text: str) -> bool:
    return isinstance(text, Completion) and not (text.finished or text.strip())
