"""What the server tests share: a server on a real socket, and a raw client that misbehaves."""

from __future__ import annotations

import contextlib
import json
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dlm.serve.connections import Address
from dlm.serve.server import listening
from dlm.store.database import Database
from dlm.store.edits import Probe, waiting_probes

TOKEN = "correct horse battery"


@dataclass
class FixedHorizon:
    """Says how long the next cycle takes, because nothing runs here."""

    seconds: float = 2.5
    woken: int = 0
    facts: dict[str, Any] = field(default_factory=lambda: {"version": "v0003"})

    def eta(self) -> float:
        return self.seconds

    def status(self) -> dict[str, Any]:
        return self.facts

    def pushed(self, depth: int) -> None:
        self.woken += 1


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Client:
    address: Address
    database: Path
    horizon: FixedHorizon

    def call(
        self,
        body: bytes | dict[str, Any] | list[Any],
        *,
        path: str = "/rpc",
        method: str = "POST",
        token: str | None = TOKEN,
    ) -> Answer:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        url = self.address.url + path
        request = urllib.request.Request(url, data if method == "POST" else None, method=method)
        if token is not None:
            request.add_header("Authorization", f"Bearer {token}")
        try:
            with urllib.request.urlopen(request, timeout=60) as reply:
                return Answer(reply.status, dict(reply.headers), reply.read())
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, dict(error.headers), error.read())

    def inject(self, prompt: str, reference: str = "Because.", **more: Any) -> Answer:
        params = {"prompt": prompt, "reference": reference, **more}
        return self.call({"method": "inject_probe", "params": params})

    def raw(self) -> socket.socket:
        return socket.create_connection((self.address.host, self.address.port), timeout=60)

    def waiting(self) -> tuple[Probe, ...]:
        database = Database.open(self.database)
        with contextlib.closing(database):
            return waiting_probes(database)


@contextlib.contextmanager
def serving(folder: Path, *, capacity: int = 1000) -> Iterator[Client]:
    horizon, path = FixedHorizon(), folder / "store.sqlite"
    with listening(
        Address("127.0.0.1", 0), horizon, token=TOKEN, database=path, capacity=capacity
    ) as address:
        yield Client(address, path, horizon)


def head(length: int | str | None = None, *, token: str = TOKEN, more: str = "") -> bytes:
    """The head of a `POST /rpc`, ready for a body that need not keep what it promises."""
    lines = ["POST /rpc HTTP/1.1", "Host: x", f"Authorization: Bearer {token}"]
    lines += [f"Content-Length: {length}"] if length is not None else []
    lines += [more] if more else []
    return "\r\n".join([*lines, "", ""]).encode()


def status_of(connection: socket.socket) -> int:
    """The status of the answer that comes, 0 when the connection ends without one."""
    data = b""
    with contextlib.suppress(ConnectionResetError):
        while b"\r\n\r\n" not in data and (piece := connection.recv(65536)):
            data += piece
    return int(data.split()[1]) if data else 0
