"""A real HTTP server on a socket that speaks OpenAI's chat protocol, or fails as it is told to."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

Body = dict[str, Any]


@dataclass(frozen=True)
class Reply:
    """What the server does with one request; `seconds` is how long it takes."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    cut: bool = False


def answer(body: Body, *, n: int | None = None, reasoning: str = "") -> Reply:
    """As many choices as were asked for (or `n`), each made of the prompt and its seed."""
    prompt = body["messages"][-1]["content"]
    thought = {"reasoning_content": reasoning} if reasoning else {}
    choices = [
        {
            "index": i,
            "message": {"content": f"re: {prompt} #{body.get('seed', 0) + i}", **thought},
            "finish_reason": "stop",
        }
        for i in range(body.get("n", 1) if n is None else n)
    ]
    return Reply(body={"choices": choices})


def failure(
    status: int, message: str = "no", headers: dict[str, str] | None = None, **more: Any
) -> Reply:
    return Reply(status, {"error": {"message": message, **more}}, headers or {})


class ChatServer:
    """Serves `plan(number, body)`, the number of the request counting from 0."""

    def __init__(self, plan: Callable[[int, Body], Reply]) -> None:
        self.plan = plan
        self.bodies: list[Body] = []
        self.keys: list[str | None] = []
        self.times: list[float] = []
        self.models = ["tiny"]
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self._stop = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._server.shutdown()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self._send(Reply(body={"data": [{"id": name} for name in server.models]}))

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                with server._lock:
                    number = len(server.bodies)
                    server.bodies.append(body)
                    server.keys.append(self.headers.get("Authorization"))
                    server.times.append(time.monotonic())
                self._send(server.plan(number, body))

            def _send(self, reply: Reply) -> None:
                server._stop.wait(reply.seconds)
                raw = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body)
                data = raw if isinstance(raw, bytes) else raw.encode()
                with contextlib.suppress(OSError):
                    self._write(reply, data)

            def _write(self, reply: Reply, data: bytes) -> None:
                self.send_response(reply.status)
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(data) + (10 if reply.cut else 0)))
                self.end_headers()
                self.wfile.write(data)
                if reply.cut:
                    self.close_connection = True

            def log_message(self, *_: object) -> None:
                return

        return Handler
