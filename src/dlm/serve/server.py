"""A server in a thread of its own, beside the trainer: started, addressed, stopped.

Binds before it starts, so that a port in use is an error of the command and not of the thread.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import os
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import uvicorn

from dlm.errors import DlmError, UsageError
from dlm.serve.connections import GuardedProtocol
from dlm.serve.intake import Intake
from dlm.serve.rpc import Horizon, build_app

TOKEN_VARIABLE: Final = "DLM_PROBE_TOKEN"
_START_SECONDS: Final = 30.0
_STOP_SECONDS: Final = 5
_BACKLOG: Final = 512
_HEAD_LIMIT: Final = 16 * 1024  # bytes


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen. `is_loopback` says that only this machine can reach it."""

    host: str
    port: int

    @property
    def is_loopback(self) -> bool:
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    @property
    def url(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}/rpc"


def parse_address(text: str) -> Address:
    """Read HOST:PORT, `:PORT` for this machine only, `[::1]:PORT`; raises UsageError."""
    host, colon, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]") if host.startswith("[") else host
    if not colon or not (port.isascii() and port.isdigit()) or int(port) > 65535:
        raise UsageError(
            f"{text!r} is not an address to listen on", hint="write HOST:PORT, as 127.0.0.1:7433"
        )
    return Address(host or "127.0.0.1", int(port))


def probe_token() -> str:
    """The token that callers must send; raises DlmError when none is set."""
    token = os.environ.get(TOKEN_VARIABLE, "").strip()
    if not token:
        raise DlmError(
            f"${TOKEN_VARIABLE} is not set, and without a token anyone could write the document",
            hint=f"export {TOKEN_VARIABLE}=$(openssl rand -hex 16)",
        )
    return token


@contextlib.contextmanager
def listening(
    address: Address, horizon: Horizon, *, token: str, database: Path, capacity: int
) -> Iterator[Address]:
    """Serve while the context lasts; gives the address with its real port.

    `database` is the store's file. Raises DlmError when the address cannot be had.
    """
    with contextlib.closing(_bind(address)) as bound:
        thread = _ServerThread(bound, horizon, token, database, capacity)
        thread.start()
        thread.wait_until_up()
        try:
            yield Address(address.host, bound.getsockname()[1])
        finally:
            thread.stop()


class _ServerThread(threading.Thread):
    def __init__(
        self, bound: socket.socket, horizon: Horizon, token: str, database: Path, capacity: int
    ) -> None:
        super().__init__(name="dlm-rpc", daemon=True)
        self._bound, self._horizon, self._token = bound, horizon, token
        self._path, self._capacity = database, capacity
        self._failure: BaseException | None = None
        self._server: uvicorn.Server | None = None

    def run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:
            self._failure = error

    def wait_until_up(self) -> None:
        """Return when requests are answered; raises DlmError when they never will be."""
        deadline = time.monotonic() + _START_SECONDS
        while self.is_alive() and time.monotonic() < deadline:
            if self._server is not None and self._server.started:
                return
            time.sleep(0.01)
        raise DlmError(f"the server for pushed probes did not start: {self._failure or 'too slow'}")

    def stop(self) -> None:
        """Answer what is under way, and end."""
        if self._server is not None:
            self._server.should_exit = True
        self.join(_STOP_SECONDS + 5)

    async def _serve(self) -> None:
        intake = Intake(self._path, capacity=self._capacity, pushed=self._horizon.pushed)
        try:
            self._server = uvicorn.Server(
                uvicorn.Config(
                    build_app(intake, self._horizon, self._token),
                    http=GuardedProtocol,
                    ws="none",
                    lifespan="off",
                    interface="asgi3",
                    log_config=None,
                    log_level="critical",  # a log of ours holds no request, whatever it says
                    access_log=False,
                    server_header=False,
                    timeout_keep_alive=5,
                    timeout_graceful_shutdown=_STOP_SECONDS,
                    h11_max_incomplete_event_size=_HEAD_LIMIT,
                )
            )
            await self._server.serve(sockets=[self._bound])
        finally:
            intake.close()


def _bind(address: Address) -> socket.socket:
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


def _cannot_listen(address: Address, error: OSError) -> DlmError:
    return DlmError(
        f"cannot listen on {address.host}:{address.port}: {error.strerror or error}",
        hint="choose another port, or 0 to take a free one",
    )
