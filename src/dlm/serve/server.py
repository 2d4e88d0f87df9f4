"""The server for pushed probes in a thread of its own, beside the trainer: started and stopped.

Binds before it starts, so that a port in use is an error of the command and not of the thread.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from dlm.errors import DlmError
from dlm.serve.connections import Address, QuietServer, bind, quiet_server
from dlm.serve.rpc import Horizon, Intake, build_app

TOKEN_VARIABLE: Final = "DLM_PROBE_TOKEN"
_START_SECONDS: Final = 30.0
_STOP_SECONDS: Final = 5


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
    with contextlib.closing(bind(address)) as bound:
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
        self._server: QuietServer | None = None

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
            app = build_app(intake, self._horizon, self._token)
            self._server = quiet_server(app, stop_seconds=_STOP_SECONDS)
            await self._server.serve(sockets=[self._bound])
        finally:
            intake.close()
