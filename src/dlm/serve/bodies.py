"""Bodies read and streams written so that no client fills the memory or holds a row for ever."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator, Callable
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from dlm.serve.refusals import Refused

BODY_LIMIT: Final = 1024 * 1024  # bytes
BODY_SECONDS: Final = 15.0  # for a whole body to arrive
SEND_SECONDS: Final = 30.0  # for a client to take what waits for it
_HELD: Final = 32 * 1024 * 1024  # bytes of all bodies that are arriving


class Bodies:
    """Reads whole bodies, as long as all that arrive at once fit the memory.

    One over the limit of bytes is refused with `too_large`, an HTTP status.
    """

    def __init__(
        self, limit: int = BODY_LIMIT, seconds: float = BODY_SECONDS, *, too_large: int = 413
    ) -> None:
        self._limit, self._seconds, self._status = limit, seconds, too_large
        self._held = 0

    async def read(self, request: Request) -> bytes:
        """The whole body; nothing past the limit is asked for. Raises Refused."""
        declared = request.headers.get("content-length", "")
        if declared.isascii() and declared.isdigit() and int(declared[:20]) > self._limit:
            raise self._too_large()
        body = bytearray()
        try:
            async with asyncio.timeout(self._seconds):
                async for piece in request.stream():
                    body += piece
                    self._held += len(piece)
                    if len(body) > self._limit:
                        raise self._too_large()
                    if self._held > _HELD:
                        raise Refused(503, "too much arrives at once", headers={"Retry-After": "1"})
        except TimeoutError:
            message = f"the body did not arrive within {self._seconds:g} seconds"
            raise Refused(408, message) from None
        finally:
            self._held -= len(body)
        return bytes(body)

    def _too_large(self) -> Refused:
        kib = self._limit // 1024
        return Refused(self._status, f"the body is over the limit of {kib} KiB")


def json_of(body: bytes) -> Any:
    """The value of a body in JSON; Refused, saying why, for anything else."""
    try:
        return json.loads(body.decode("utf-8"), parse_constant=_refuse_constant)
    except UnicodeDecodeError:
        raise Refused(400, "the body is not UTF-8") from None
    except RecursionError:
        raise Refused(400, "the body is nested too deeply") from None
    except ValueError as error:
        raise Refused(400, f"the body is not JSON: {error}") from None


def object_of(body: bytes) -> dict[str, Any]:
    """The object of a body in JSON; Refused as `json_of`."""
    value = json_of(body)
    if not isinstance(value, dict):
        raise Refused(400, "the body is not a JSON object")
    return value


async def until_gone(request: Request) -> None:
    """Return when the client has gone; for after its body was read."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


class EventStream(Response):
    """Server-sent events; a client that goes away, or takes nothing for long, ends the source.

    `gone` is called then.
    """

    media_type = "text/event-stream"

    def __init__(self, events: AsyncGenerator[bytes], gone: Callable[[], None]) -> None:
        self.status_code, self.background = 200, None
        self.init_headers({"Cache-Control": "no-cache"})
        self._events, self._gone = events, gone

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        writing = asyncio.create_task(self._write(send))
        leaving = asyncio.create_task(until_gone(Request(scope, receive)))
        try:
            await asyncio.wait((writing, leaving), return_when=asyncio.FIRST_COMPLETED)
            if writing.done() and not isinstance(writing.exception(), TimeoutError):
                writing.result()
            else:
                self._gone()
        finally:
            for task in (writing, leaving):
                task.cancel()
            await asyncio.gather(writing, leaving, return_exceptions=True)

    async def _write(self, send: Send) -> None:
        head = {"type": "http.response.start", "status": 200, "headers": self.raw_headers}
        async with contextlib.aclosing(self._events) as events:
            async with asyncio.timeout(SEND_SECONDS):
                await send(head)
            async for event in events:
                async with asyncio.timeout(SEND_SECONDS):
                    await send({"type": "http.response.body", "body": event, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")
