"""Stand-ins for models, judges and servers, for tests and examples: they answer as they are told.

`ScriptedTeacher` and `FixedJudge` stand where a loop asks a teacher or a judge; `ChatServer` is a
real HTTP server on a socket that speaks OpenAI's chat protocol, or fails as servers do.
"""

from __future__ import annotations

import contextlib
import json
import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from dlm.data.completion import Completion, Done, Refused, Request
from dlm.errors import TeacherError
from dlm.loops.judges import Judge, Question

Body = dict[str, Any]


class ScriptedTeacher:
    """A teacher that gives `answer(request)` for each completion, by default its prompt again.

    Refuses prompts that hold `refuses`, and cannot go on after `dies_at` of them. `seen` are the
    prompts that it was asked.
    """

    def __init__(
        self,
        answer: Callable[[Request], str] = lambda request: f"re: {request.prompt}",
        *,
        name: str = "scripted",
        identity: str = "one",
        refuses: str | None = None,
        dies_at: int | None = None,
    ) -> None:
        self.name, self.identity = name, identity
        self.seen: list[str] = []
        self._answer, self._refuses, self._dies_at = answer, refuses, dies_at

    def complete(self, requests: Sequence[Request], done: Done) -> None:
        """As `dlm.loops.teachers.Teacher` has it."""
        for index, request in enumerate(requests):
            if len(self.seen) == self._dies_at:
                raise TeacherError("out of chalk")
            self.seen.append(request.prompt)
            if self._refuses is not None and self._refuses in request.prompt:
                done(index, Refused("will not"))
            else:
                text = Completion(self._answer(request), reasoning="hm", tokens=3)
                done(index, [text] * request.n)


class FixedJudge(Judge):
    """A judge with a score for each candidate it knows, and NaN for any other."""

    name = "fixed"
    threshold = 0.5
    margin = 0.2

    def __init__(self, scores: Mapping[str, float]) -> None:
        self._scores = scores

    def score_all(self, questions: Sequence[Question]) -> list[list[float]]:
        """The scores, whatever the question."""
        return [[self._scores.get(text, math.nan) for text in q.candidates] for q in questions]


@dataclass(frozen=True)
class Reply:
    """What a server does with one request; `seconds` is how long it takes, `cut` breaks it off."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    cut: bool = False


def answer(
    body: Body, text: str | None = None, *, n: int | None = None, finish: str = "stop", **more: Any
) -> Reply:
    """As many choices as were asked for (or `n`), by default made of the prompt and its seed.

    `more` goes into each message.
    """
    prompt = body["messages"][-1]["content"]
    choices = [
        {
            "index": i,
            "message": {
                "role": "assistant",
                "content": text or f"re: {prompt} #{body.get('seed', 0) + i}",
                **more,
            },
            "finish_reason": finish,
        }
        for i in range(body.get("n", 1) if n is None else n)
    ]
    return Reply(body={"choices": choices})


def failure(
    status: int, message: str = "no", headers: dict[str, str] | None = None, **more: Any
) -> Reply:
    """An error as OpenAI writes it."""
    return Reply(status, {"error": {"message": message, **more}}, headers or {})


class ChatServer:
    """Serves `plan(number, body)`, the number of the request counting from 0.

    `bodies`, `keys` and `times` are what came, in order; `models` is what it says it serves. `port`
    is a free one if 0.
    """

    def __init__(
        self,
        plan: Callable[[int, Body], Reply] = lambda number, body: answer(body),
        *,
        port: int = 0,
    ):
        self.plan = plan
        self.bodies: list[Body] = []
        self.keys: list[str | None] = []
        self.times: list[float] = []
        self.models = ["tiny"]
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", port), _handler(self))
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self._stop = threading.Event()

    @property
    def url(self) -> str:
        """Its address, without a path."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._server.shutdown()
        self._server.server_close()

    def take(self, body: Body, key: str | None) -> Reply:
        """Note a request and decide what becomes of it."""
        with self._lock:
            number = len(self.bodies)
            self.bodies.append(body)
            self.keys.append(key)
            self.times.append(time.monotonic())
        return self.plan(number, body)

    def wait(self, seconds: float) -> None:
        """Until the time is over or the server closes."""
        self._stop.wait(seconds)


def _handler(server: ChatServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # head and body are two packets; the second need not wait

        def do_GET(self) -> None:
            self._send(Reply(body={"data": [{"id": name} for name in server.models]}))

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self._send(server.take(body, self.headers.get("Authorization")))

        def _send(self, reply: Reply) -> None:
            server.wait(reply.seconds)
            raw = reply.body
            data = raw if isinstance(raw, bytes) else json.dumps(raw).encode()
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
