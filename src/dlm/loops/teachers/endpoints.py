"""The servers of one teacher: which is asked next, how much at a time, and which is left out.

A request goes where the fewest are under way. Who fails is left out for a while and then asked by a
real request; who answers 429 gets half as many at a time, and one more after each round that goes
well (additive increase, multiplicative decrease: Chiu and Jain, 1989). Knows no prompts.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, Final, TypeVar

from dlm.errors import TeacherError
from dlm.loops.teachers.http import Address, Connection, Failure, Unreachable
from dlm.loops.teachers.protocol import RUN_AGAIN

_LONGEST_WAIT: Final = 300.0  # seconds; whoever asks for more is not waited for
_LONGEST_ASIDE: Final = 30.0  # seconds
_PATIENCE: Final = 5  # failures in a row, of every server

T = TypeVar("T")


class Endpoint:
    """One server: `under_way` requests of at most `room`, and none before `free_at`."""

    def __init__(self, connection: Connection, most: int) -> None:
        self.connection = connection
        self.under_way = 0
        self.free_at = 0.0
        self.failures = 0  # in a row, those of requests that were under way together as one
        self.unreached = False  # whoever answered once is known to be there
        self._answered = False
        self._most = self._allowed = most
        self._well = 0  # answers since `_allowed` changed
        self._changed_at = 0.0

    @property
    def room(self) -> int:
        """One who failed has to answer one request before it gets more."""
        return 1 if self.failures else self._allowed

    def went_well(self) -> None:
        """It answered: a round of as many answers as are allowed allows one more."""
        self.failures, self.unreached, self._answered = 0, False, True
        self._well += 1
        if self._well >= self._allowed < self._most:
            self._allowed, self._well = self._allowed + 1, 0

    def went_wrong(self, failure: Failure, asked_at: float, aside: float) -> None:
        """Too much for it: half as many. Down: left out, at first for `aside` seconds, if not 0."""
        now = time.monotonic()
        news = asked_at >= self._changed_at  # and not of a request from before the last change
        self.unreached = isinstance(failure, Unreachable) and not self._answered
        if failure.status == 429 or aside:
            # Who asks one of several requests to slow down means all of them.
            self.free_at = max(self.free_at, now + failure.wait)
        if failure.status == 429 and news:
            self._allowed, self._well, self._changed_at = max(1, self._allowed // 2), 0, now
        if not failure.down:
            self.failures = 0
        elif aside and news:
            self.failures, self._changed_at = self.failures + 1, now
            wait = min(aside * 2.0 ** (self.failures - 1), _LONGEST_ASIDE)
            self.free_at = max(self.free_at, now + wait)


class Endpoints:
    """Requests to whichever server is free; ask inside `async with endpoints.open()`."""

    def __init__(
        self, addresses: Sequence[Address], *, at_once: int, timeout: float, backoff: float
    ) -> None:
        """At most `at_once` under way at each; `backoff` is the first wait in seconds."""
        self._all = [Endpoint(Connection(one, timeout=timeout), at_once) for one in addresses]
        self._backoff = backoff
        self.name = ", ".join(one.url for one in addresses)
        self.at_once = at_once * len(addresses)
        self._freed = asyncio.Condition()

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Connections are kept open inside."""
        self._freed = asyncio.Condition()  # belongs to one event loop
        async with contextlib.AsyncExitStack() as stack:
            for one in self._all:
                one.free_at = min(one.free_at, time.monotonic() + _LONGEST_WAIT)
                await stack.enter_async_context(one.connection.open())
            yield

    async def ask(
        self,
        method: str,
        path: str,
        read: Callable[[Any, Connection], T],
        body: Any = None,
        in_vain: Callable[[Failure], bool] = lambda failure: False,
    ) -> T:
        """What `read` makes of the JSON that a server answers.

        A Failure, of a server or raised by `read`, is tried again, at another server at once and
        else after a wait, where it may pass and the same again is not `in_vain`; else it is raised.
        TeacherError when no other request would fare better.
        """
        tries = 0
        tried: list[Endpoint] = []
        while True:
            one = await self._take(tried)
            asked_at = time.monotonic()
            try:
                found = read(await one.connection.ask(method, path, body), one.connection)
            except Failure as failure:
                if in_vain(failure):
                    raise
                several = len(self._all) > 1
                one.went_wrong(failure, asked_at, self._backoff if several else 0.0)
                if failure.tries <= 1:
                    raise
                self._give_up(one, failure)
                tried.append(one)
                if self._others(tried):
                    continue
                tries += 1
                if tries >= failure.tries:
                    raise
                tried = []
                wait = self._backoff * 2.0 ** (tries - 1) * random.uniform(0.5, 1.5)
                pause = wait if several else max(wait, failure.wait)
            else:
                one.went_well()
                return found
            finally:
                await self._free(one)
            await asyncio.sleep(pause)

    async def _take(self, tried: Sequence[Endpoint]) -> Endpoint:
        """A place at the server with the fewest under way, the first named where several have."""
        async with self._freed:
            while True:
                now = time.monotonic()
                among = self._others(tried) or self._all
                free = [one for one in among if one.free_at <= now and one.under_way < one.room]
                if free:
                    chosen = min(free, key=lambda one: one.under_way)
                    chosen.under_way += 1
                    return chosen
                resting = [one.free_at - now for one in self._all if one.free_at > now]
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(min(resting) if resting else None):
                        await self._freed.wait()

    async def _free(self, one: Endpoint) -> None:
        one.under_way -= 1
        async with self._freed:
            self._freed.notify_all()

    def _others(self, tried: Sequence[Endpoint]) -> list[Endpoint]:
        """The servers that are not left out just now and were not tried."""
        now = time.monotonic()
        return [one for one in self._all if one not in tried and one.free_at <= now]

    def _give_up(self, one: Endpoint, failure: Failure) -> None:
        """Raise TeacherError where no server is worth another request."""
        until = time.monotonic() + _LONGEST_WAIT
        if all(each.unreached for each in self._all):
            raise TeacherError(
                f"{self.name} cannot be reached: {failure.said or 'no connection'}",
                hint="check that the server runs and that the address is right",
            ) from failure
        if failure.wait > _LONGEST_WAIT and all(
            each is one or each.free_at > until for each in self._all
        ):
            raise TeacherError(
                f"{one.connection.address.url} wants to be left alone for {failure.wait:.0f} s"
                + (f": {failure.said}" if failure.said else ""),
                hint="what it answered before is kept; run this again then",
            ) from failure
        if all(each.failures >= _PATIENCE for each in self._all):
            raise TeacherError(
                f"{self.name} failed {_PATIENCE} times in a row; the last time "
                f"{one.connection.address.url} {failure}",
                hint=RUN_AGAIN,
            ) from failure
