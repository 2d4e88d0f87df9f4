"""What a server of `dlm serve` bears, over raw sockets: it goes on answering, in bounded memory."""

from __future__ import annotations

import contextlib
import json
import resource
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import openai
import pytest
import warm
from rpc_kit import status_of
from serve_kit import FACTS, Served, document, environment, serving

QUESTION, ANSWER = next(iter(FACTS.items()))
KEY = "correct horse"


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("notes") / "club.dlm"
    path.write_text(document())
    return path


@pytest.fixture(scope="module")
def served(path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A document that was never trained: its notes and its base answer."""
    with serving(path, home=tmp_path_factory.mktemp("home")) as served:
        yield served


def still_answers(served: Served) -> None:
    messages: Any = [{"role": "user", "content": QUESTION}]
    with served.client() as client:
        reply = client.chat.completions.create(model="club", messages=messages)
    assert reply.choices[0].message.content == ANSWER


def call(served: Served, path: str, body: bytes | None = None, **headers: str) -> tuple[int, Any]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(served.url + path, body, named)
    try:
        with urllib.request.urlopen(request, timeout=60) as reply:
            return reply.status, reply.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read())["error"]


def head(length: int | None, path: str = "/v1/chat/completions") -> bytes:
    framing = "Transfer-Encoding: chunked" if length is None else f"Content-Length: {length}"
    return f"POST {path} HTTP/1.1\r\nHost: localhost\r\n{framing}\r\n\r\n".encode()


def memory(served: Served) -> float:
    """Resident megabytes of the server."""
    text = Path(f"/proc/{served.process.pid}/status").read_text()
    return int(text.split("VmRSS:")[1].split()[0]) / 1024


def gauge(served: Served, name: str) -> float:
    text: str = call(served, "/metrics")[1]
    return float(text.split(f"\n{name} ")[1].split()[0])


def until(served: Served, name: str, least: float, most: float) -> None:
    deadline = time.monotonic() + 60
    while not least <= gauge(served, name) <= most:
        assert time.monotonic() < deadline, gauge(served, name)
        time.sleep(0.05)


MALFORMED = (
    *(b"", b"{", b"\xff\xfe{}", b"[" * 60_000, b"NaN", b"null", b"[]", b'{"model": 7}'),
    b'{"model": "club"}',
    b'{"model": "club", "messages": [7]}',
    b'{"model": "club", "messages": [{"role": "user", "content": "\\ud800"}]}',
    b'{"model": "club", "messages": [{"role": "tool", "content": "a"}]}',
)


@pytest.mark.parametrize("body", MALFORMED, ids=range(len(MALFORMED)))
def test_what_is_malformed_is_a_400(served: Served, body: bytes) -> None:
    for path in ("/v1/chat/completions", "/v1/completions"):
        status, error = call(served, path, body)
        assert status == 400
        assert error["type"] == "invalid_request_error"
        assert error["message"]


def test_a_body_that_is_too_large_is_not_read(served: Served) -> None:
    with served.raw() as declared:
        declared.sendall(head(10**12))
        assert status_of(declared) == 413
    before = memory(served)
    with served.raw() as endless:
        endless.sendall(head(None))
        with contextlib.suppress(OSError):
            for _ in range(64):
                endless.sendall(b"10000\r\n" + b" " * 65536 + b"\r\n")
        assert status_of(endless) in (413, 0)
    assert memory(served) - before < 64
    still_answers(served)


def test_idle_and_half_open_connections_hold_nobody_up(served: Served) -> None:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    before = memory(served)
    with contextlib.ExitStack() as stack:
        for number in range(1000):
            connection = stack.enter_context(served.raw())
            with contextlib.suppress(OSError):  # the oldest ones are closed by then
                connection.sendall((b"", b"POST /v1", head(1000) + b"{")[number % 3])
        still_answers(served)
        assert memory(served) - before < 128
    still_answers(served)


def test_streams_that_nobody_reads_on_are_given_up(served: Served) -> None:
    cancelled = gauge(served, "dlm_cancelled_total")
    asked = {"model": "club@base", "prompt": "The", "max_tokens": 900, "stream": True}
    body = json.dumps(asked | {"temperature": 5.0, "n": 4}).encode()
    with contextlib.ExitStack() as stack:
        for _ in range(8):
            connection = stack.enter_context(served.raw())
            connection.sendall(head(len(body), "/v1/completions") + body)
        until(served, "dlm_running_rows", 24, 32)
    until(served, "dlm_running_rows", 0, 0)
    assert gauge(served, "dlm_cancelled_total") == cancelled + 8
    still_answers(served)


def test_a_full_queue_says_when_to_try_again(served: Served) -> None:
    def ask(number: int) -> str | None:
        with served.client() as client, contextlib.suppress(openai.APITimeoutError):
            try:
                client.with_options(timeout=5).completions.create(
                    model="club@base", prompt=["The"] * 128, max_tokens=900, temperature=5.0
                )
            except openai.RateLimitError as error:
                return error.response.headers["retry-after"]
        return None

    with ThreadPoolExecutor(8) as pool:
        told = list(pool.map(ask, range(8)))
    assert any(one is not None and int(one) >= 1 for one in told)
    assert None in told
    until(served, "dlm_running_rows", 0, 0)
    still_answers(served)


def test_another_web_page_cannot_ask(served: Served) -> None:
    assert call(served, "/v1/models", Host="evil.example")[0] == 403
    assert call(served, "/v1/models", Host="127.0.0.1.evil.example:7430")[0] == 403
    assert call(served, "/v1/models", Host="")[0] == 403
    for origin in ("http://evil.example", "null", "http://localhost:1", "file://"):
        assert call(served, "/v1/models", Origin=origin)[0] == 403
    assert call(served, "/v1/models", Origin=served.url)[0] == 200
    assert call(served, "/v1/models", Host="localhost:9", Origin="http://localhost:9")[0] == 200


def test_with_a_key_only_health_is_for_anybody(path: Path, tmp_path: Path) -> None:
    with serving(path, "--api-key-env", "CLUB_KEY", home=tmp_path, CLUB_KEY=KEY) as served:
        assert call(served, "/health")[0] == 200
        for key in (None, "Bearer", "Bearer wrong", f"Basic {KEY}", f"Bearer {KEY}x"):
            for where in ("/v1/models", "/metrics", "/nothing"):
                headers = {} if key is None else {"Authorization": key}
                assert call(served, where, **headers)[0] == 401
        with served.client(KEY) as client:
            assert client.models.retrieve("club").id == "club"
        assert served.stop() == 0


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--host", "0.0.0.0"], "--api-key-env"),
        (["--api-key-env", "NOT_SET_HERE"], "NOT_SET_HERE"),
        (["nothing.dlm"], "nothing.dlm"),
    ],
)
def test_what_cannot_be_served_is_one_sentence(
    path: Path, tmp_path: Path, arguments: list[str], named: str
) -> None:
    done = warm.run("serve", path, *arguments, "--port", "0", env=environment(tmp_path))
    assert done.returncode == 1
    assert named in done.stderr
    assert "Traceback" not in done.stderr


def test_a_port_in_use_is_one_sentence(served: Served, path: Path, tmp_path: Path) -> None:
    done = warm.run("serve", path, "--port", served.port, env=environment(tmp_path))
    assert done.returncode == 1
    assert "cannot listen" in done.stderr


def test_the_end_does_not_wait_for_a_long_answer(path: Path, tmp_path: Path) -> None:
    with serving(path, home=tmp_path) as served:
        body = json.dumps(
            {"model": "club@base", "prompt": "The", "max_tokens": 900, "stream": True}
        )
        with socket.create_connection((served.host, served.port), timeout=60) as connection:
            connection.sendall(head(len(body), "/v1/completions") + body.encode())
            assert status_of(connection) == 200
            began = time.monotonic()
            assert served.stop() == 0
            assert time.monotonic() - began < 15
