"""Addresses and connections: what listens, and what no client can hold up.

Connections have a deadline wherever uvicorn has none: for slow heads, for idling, and for bodies
that nobody will read. Knows HTTP heads and sockets, not what is asked.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, cast

import h11
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from dlm.errors import DlmError, UsageError

HEAD_LIMIT: Final = 16 * 1024  # bytes
HEAD_SECONDS: Final = 10.0  # from the first sign of a request to the end of its head
LINGER_SECONDS: Final = 2.0  # for what is left of a body that was refused
LINGER_BYTES: Final = 32 * 1024 * 1024
MOST_CONNECTIONS: Final = 512
_BACKLOG: Final = 512


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen. `is_loopback` says that only this machine can reach it."""

    host: str
    port: int

    @property
    def is_loopback(self) -> bool:
        return is_loopback(self.host)

    @property
    def url(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"


def is_loopback(name: str) -> bool:
    """Whether a name or address means this machine alone."""
    if name.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def parse_address(text: str) -> Address:
    """Read HOST:PORT, `:PORT` for this machine only, `[::1]:PORT`; raises UsageError."""
    host, colon, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]") if host.startswith("[") else host
    if not colon or not (port.isascii() and port.isdigit()) or int(port) > 65535:
        raise UsageError(
            f"{text!r} is not an address to listen on", hint="write HOST:PORT, as 127.0.0.1:7433"
        )
    return Address(host or "127.0.0.1", int(port))


def bind(address: Address) -> socket.socket:
    """A socket that listens there; DlmError when the address cannot be had."""
    try:
        found = socket.getaddrinfo(
            address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        family, kind, protocol, _, where = found[0]
        bound = socket.socket(family, kind, protocol)
    except OSError as error:
        raise _cannot_listen(address, error) from error
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(where)
        bound.listen(_BACKLOG)
    except OSError as error:
        bound.close()
        raise _cannot_listen(address, error) from error
    return bound


class QuietServer(uvicorn.Server):
    """A server that leaves signals to whoever started it; `should_exit` ends it."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def quiet_server(app: ASGIApp, *, stop_seconds: int) -> QuietServer:
    """A server of `app` behind guarded connections, which logs nothing."""
    return QuietServer(
        uvicorn.Config(
            app,
            http=GuardedProtocol,
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            log_level="critical",  # a log of ours holds no request, whatever it says
            access_log=False,
            server_header=False,
            timeout_keep_alive=5,
            timeout_graceful_shutdown=stop_seconds,
            h11_max_incomplete_event_size=HEAD_LIMIT,
        )
    )


class GuardedProtocol(H11Protocol):
    """A connection with a deadline wherever uvicorn has none.

    After a refusal, what still arrives of the body is dropped unread for a moment, so that the
    sender gets to see the answer; then the connection is closed.
    """

    head_seconds = HEAD_SECONDS
    linger_seconds = LINGER_SECONDS
    most = MOST_CONNECTIONS

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._deadline: asyncio.TimerHandle | None = None
        self._dropped: int | None = None  # bytes, once the connection only lingers
        self._since = time.monotonic()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(cast(asyncio.Transport, _Patient(transport, self)))
        self._expect_head()
        if len(self.connections) > self.most:
            self._close_the_oldest()

    def connection_lost(self, exc: Exception | None) -> None:
        self._set_deadline(None)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._dropped is not None:
            self._dropped += len(data)
            if self._dropped > LINGER_BYTES:
                self.transport.abort()
            return
        super().data_received(data)
        if self.conn.their_state is h11.IDLE:  # part of a head
            self._expect_head()
        else:
            self._set_deadline(None)

    def eof_received(self) -> None:
        if self._dropped is not None:
            self.transport.abort()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.has_unread_body:
            self.transport.close()

    @property
    def is_idle(self) -> bool:
        """Whether no request is being answered."""
        return self.cycle is None or self.cycle.response_complete

    @property
    def has_unread_body(self) -> bool:
        """Whether a body is under way that nobody will read any more."""
        return self.conn.their_state is h11.SEND_BODY and self.is_idle

    def linger(self) -> None:
        """Drop what arrives until the sender has seen the answer, or time is up."""
        if self._dropped is None:
            self._dropped = 0
            self._unset_keepalive_if_required()
            self._set_deadline(self.linger_seconds)

    def _expect_head(self) -> None:
        if self._deadline is None:
            self._set_deadline(self.head_seconds)

    def _set_deadline(self, seconds: float | None) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = None if seconds is None else self.loop.call_later(seconds, self._give_up)

    def _give_up(self) -> None:
        self._deadline = None
        self.transport.abort()

    def _close_the_oldest(self) -> None:
        idle = [
            other
            for other in self.connections
            if isinstance(other, GuardedProtocol) and other.is_idle and other is not self
        ]
        if idle:
            min(idle, key=lambda other: other._since).transport.abort()


class _Patient:
    """A transport that is closed only when the other side had the time to read what was sent.

    Closing a socket with unread bytes resets it, and the answer may be lost with it.
    """

    def __init__(self, transport: asyncio.Transport, protocol: GuardedProtocol) -> None:
        self._transport, self._protocol = transport, protocol

    def close(self) -> None:
        if not self._protocol.has_unread_body or self._transport.is_closing():
            self._transport.close()
            return
        if self._transport.can_write_eof():
            self._transport.write_eof()
        self._transport.resume_reading()
        self._protocol.linger()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


def _cannot_listen(address: Address, error: OSError) -> DlmError:
    return DlmError(
        f"cannot listen on {address.host}:{address.port}: {error.strerror or error}",
        hint="choose another port, or 0 to take a free one",
    )
