"""Teachers behind a server: what is sent, what is tried again, and what is said when it fails."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from dlm.data.completion import Completion, Refused, Request
from dlm.errors import TeacherError
from dlm.loops.teachers.http import Address
from dlm.loops.teachers.remote import RemoteTeacher, openai_address, server_address
from dlm.testing import Body, ChatServer, Reply, answer, failure

KEY = "sk-secret-0123456789"
ASKED = [Request("Be short.", f"question {i}", seed=i) for i in range(6)]


def teacher(server: ChatServer, **options: Any) -> RemoteTeacher:
    address = Address(f"{server.url}/v1", "tiny", KEY, "MY_KEY")
    return RemoteTeacher(address, **{"backoff": 0.01, "timeout": 5.0, **options})


def complete(one: RemoteTeacher, requests: Sequence[Request]) -> dict[int, Sequence[str]]:
    found: dict[int, Sequence[str]] = {}
    one.complete(requests, found.__setitem__)
    return found


def fails(one: RemoteTeacher, requests: Sequence[Request]) -> tuple[str, dict[int, Sequence[str]]]:
    found: dict[int, Sequence[str]] = {}
    with pytest.raises(TeacherError) as caught:
        one.complete(requests, found.__setitem__)
    said = f"{caught.value.message} | {caught.value.hint}"
    assert KEY not in said
    return said, found


def test_a_request_is_sent_as_the_protocol_has_it() -> None:
    with ChatServer(lambda _, body: answer(body)) as server:
        request = Request("Be short.", "Why?", n=2, max_new_tokens=9, temperature=0.5, seed=4)
        found = complete(teacher(server), [request, Request("", "How?", top_p=0.9)])
    assert {i: list(texts) for i, texts in found.items()} == {
        0: ["re: Why? #4", "re: Why? #5"],
        1: ["re: How? #0"],
    }
    bodies = {body["messages"][-1]["content"]: body for body in server.bodies}
    assert bodies["Why?"] == {
        "model": "tiny",
        "messages": [
            {"role": "system", "content": "Be short."},
            {"role": "user", "content": "Why?"},
        ],
        "max_tokens": 9,
        "temperature": 0.5,
        "seed": 4,
        "n": 2,
    }
    assert [m["role"] for m in bodies["How?"]["messages"]] == ["user"]
    assert bodies["How?"]["top_p"] == 0.9
    assert set(server.keys) == {f"Bearer {KEY}"}


def test_requests_are_under_way_together_and_no_more_than_allowed() -> None:
    lock = threading.Lock()
    under_way: list[int] = [0]
    most = 0

    def plan(number: int, body: Body) -> Reply:
        nonlocal most
        with lock:
            under_way[0] += 1
            most = max(most, under_way[0])
        time.sleep(0.4)
        with lock:
            under_way[0] -= 1
        return answer(body)

    with ChatServer(plan) as server:
        assert len(complete(teacher(server, at_once=3), ASKED)) == 6
    assert most == 3


def test_reasoning_and_cuts_are_told_apart() -> None:
    def plan(number: int, body: Body) -> Reply:
        reply = answer(body, reasoning_content="let me see")
        reply.body["choices"][0]["finish_reason"] = "length"
        return reply

    with ChatServer(plan) as server:
        text = complete(teacher(server), ASKED[:1])[0][0]
    assert isinstance(text, Completion)
    assert (text.reasoning, text.finished) == ("let me see", False)
    assert str(text) == "re: question 0 #0"


def test_a_server_that_gives_one_choice_a_call_is_asked_again_for_the_others() -> None:
    with ChatServer(lambda _, body: answer(body, n=1)) as server:
        found = complete(teacher(server), [Request("", "Why?", n=3)])
    assert list(found[0]) == ["re: Why? #0", "re: Why? #1", "re: Why? #2"]
    assert [body.get("n", 1) for body in server.bodies] == [3, 2, 1]


def test_a_parameter_that_the_server_does_not_take_is_left_out_and_named() -> None:
    def plan(number: int, body: Body) -> Reply:
        if "max_tokens" in body:
            said = "Unsupported parameter: use 'max_completion_tokens' instead."
            return failure(400, said, param="max_tokens", code="unsupported_parameter")
        if "temperature" in body:
            return failure(400, "Only the default (1) value.", param="temperature")
        return answer(body)

    with ChatServer(plan) as server:
        one = teacher(server)
        assert len(complete(one, ASKED)) == 6
    assert "max_completion_tokens" in server.bodies[-1]
    assert one.notices == (f"{one.name} does not take temperature",)


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (
            401,
            "refuses the key (401): bad key … | check the key in the environment variable MY_KEY",
        ),
        (403, "refuses the key (403)"),
        (404, "does not know the model or the path (404)"),
        (402, "asks to be paid first"),
    ],
)
def test_what_no_second_try_can_help_is_said_at_once(status: int, words: str) -> None:
    with ChatServer(lambda n, body: failure(status, f"bad key {KEY}")) as server:
        said, found = fails(teacher(server, at_once=1), ASKED)
    assert words in said
    assert not found
    assert len(server.bodies) == 1


def test_a_spent_quota_is_not_taken_for_a_busy_server() -> None:
    with ChatServer(lambda n, b: failure(429, "over", code="insufficient_quota")) as server:
        said, _ = fails(teacher(server, at_once=1), ASKED)
    assert "asks to be paid first (429): over" in said
    assert len(server.bodies) == 1


@pytest.mark.parametrize("spelling", ["seconds", "date"])
def test_who_asks_to_wait_is_waited_for(spelling: str) -> None:
    def plan(number: int, body: Body) -> Reply:
        until = format_datetime(datetime.now(UTC) + timedelta(seconds=2.5), usegmt=True)
        wait = {"Retry-After": "1" if spelling == "seconds" else until}
        return failure(429, "slow down", wait) if number == 0 else answer(body)

    with ChatServer(plan) as server:
        assert len(complete(teacher(server, at_once=1), ASKED[:2])) == 2
    assert server.times[1] - server.times[0] > 0.9


def test_who_asks_to_wait_for_an_hour_is_not_waited_for() -> None:
    with ChatServer(lambda n, b: failure(429, "no", {"Retry-After": "3600"})) as server:
        said, _ = fails(teacher(server), ASKED)
    assert "wants to be left alone for 3600 s" in said


@pytest.mark.parametrize(
    "bad",
    [
        failure(500),
        failure(503, "overloaded"),
        Reply(body=b"<html>busy</html>"),
        Reply(body=b'{"choices": ['),
        Reply(body={"choices": "none"}),
        Reply(body={"choices": [{"text": "x"}]}),
        Reply(body=b'{"choices": []', cut=True),
    ],
    ids=["500", "503", "html", "half json", "no list", "no message", "cut"],
)
def test_a_passing_failure_is_tried_again(bad: Reply) -> None:
    with ChatServer(lambda number, body: bad if number == 1 else answer(body)) as server:
        found = complete(teacher(server, at_once=1), ASKED[:3])
    assert [found[i][0] for i in range(3)] == [f"re: question {i} #{i}" for i in range(3)]
    assert len(server.bodies) == 4


def test_a_server_that_fails_for_good_is_given_up_and_what_it_gave_is_kept() -> None:
    plan = lambda number, body: answer(body) if number < 2 else failure(500, "on fire")  # noqa: E731
    with ChatServer(plan) as server:
        said, found = fails(teacher(server, at_once=1), ASKED)
    assert "failed 3 times in a row; the last time it answered 500: on fire" in said
    assert "is kept" in said
    assert [list(found[i]) for i in range(2)] == [["re: question 0 #0"], ["re: question 1 #1"]]
    assert found[2] == Refused("answered 500: on fire")
    assert len(server.bodies) == 2 + 3 * 5


def test_one_request_that_is_refused_costs_only_itself() -> None:
    def plan(number: int, body: Body) -> Reply:
        bad = body["messages"][-1]["content"] == "question 1"
        return failure(400, "too\nlong\x1b[31m") if bad else answer(body)

    with ChatServer(plan) as server:
        found = complete(teacher(server), ASKED)
    assert found[1] == Refused("answered 400: too long [31m")
    assert sum(bool(texts) for texts in found.values()) == 5


def test_a_server_that_hangs_is_given_up() -> None:
    plan = lambda number, body: Reply(seconds=60) if number else answer(body)  # noqa: E731
    with ChatServer(plan) as server:
        began = time.monotonic()
        said, found = fails(teacher(server, at_once=1, timeout=0.2), ASKED)
        took = time.monotonic() - began
    assert "gave no answer within 0.2 s" in said
    assert list(found[0]) == ["re: question 0 #0"]
    assert took < 20


def test_a_server_that_sends_drop_by_drop_is_no_answer_either() -> None:
    def drip(listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                peer, _ = listener.accept()
                with peer, contextlib.suppress(OSError):
                    peer.recv(65536)
                    peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
                    for _ in range(30):
                        peer.sendall(b" ")
                        time.sleep(0.05)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        dripping = threading.Thread(target=drip, args=(listener,))
        dripping.start()
        address = Address(f"http://127.0.0.1:{listener.getsockname()[1]}/v1", "tiny")
        said, _ = fails(RemoteTeacher(address, at_once=1, timeout=0.5, backoff=0.01), ASKED[:3])
        listener.shutdown(socket.SHUT_RDWR)
    dripping.join()
    assert "gave no answer within 0.5 s" in said


@pytest.fixture
def closed_port() -> Iterator[int]:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]


def test_nobody_listening_is_one_sentence_at_once(closed_port: int) -> None:
    address = Address(f"http://127.0.0.1:{closed_port}/v1", "tiny")
    began = time.monotonic()
    said, _ = fails(RemoteTeacher(address), ASKED)
    assert f"http://127.0.0.1:{closed_port}/v1 cannot be reached" in said
    assert time.monotonic() - began < 5


def test_a_redirect_is_not_followed_with_the_key() -> None:
    with ChatServer(lambda n, b: Reply(307, {}, {"Location": "http://evil.example/v1"})) as server:
        said, _ = fails(teacher(server, at_once=1), ASKED)
    assert "sends us on to http://evil.example/v1" in said


def test_a_server_with_one_model_needs_no_name_and_one_with_several_does() -> None:
    with ChatServer(lambda _, body: answer(body)) as server:
        one = RemoteTeacher(server_address(server.url, None))
        assert one.name == f"{server.url}/v1#tiny"
        complete(one, ASKED[:1])
        assert server.bodies[0]["model"] == "tiny"
        assert server.keys == [None]
        server.models = ["small", "large"]
        with pytest.raises(TeacherError, match="serves small, large") as caught:
            RemoteTeacher(server_address(server.url, None))
    assert "#model" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("text", "url", "model"),
    [
        ("localhost:8000", "http://localhost:8000/v1", ""),
        ("http://localhost:8000/", "http://localhost:8000/v1", ""),
        ("https://host/v1#org/model", "https://host/v1", "org/model"),
        ("https://host/api/v1/chat/completions#m", "https://host/api/v1", "m"),
        ("http://[::1]:8000", "http://[::1]:8000/v1", ""),
    ],
)
def test_addresses(text: str, url: str, model: str) -> None:
    assert server_address(text, None) == Address(url, model)


@pytest.mark.parametrize("text", ["", "http://", "http://a b", "ftp://host", "http://h:port"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(TeacherError, match="is not the address of a server"):
        server_address(text, None)


def test_a_password_in_an_address_is_refused_and_not_repeated() -> None:
    with pytest.raises(TeacherError) as caught:
        server_address("http://me:hunter2@host/v1", None)
    assert "hunter2" not in f"{caught.value.message}{caught.value.hint}"


def test_keys_come_from_the_environment_and_show_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.delenv("OTHER_KEY", raising=False)
    address = openai_address("gpt", None)
    assert (address.key, address.url) == (KEY, "https://api.openai.com/v1")
    assert KEY not in repr(address)
    # OpenAI's key is OpenAI's: no other server gets it unless the owner says so.
    assert server_address("http://host", None).key == ""
    assert server_address("http://host", "OPENAI_API_KEY").key == KEY
    with pytest.raises(TeacherError, match="OTHER_KEY is not set"):
        openai_address("gpt", "OTHER_KEY")
