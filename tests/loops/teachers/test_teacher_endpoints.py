"""Several servers of one teacher: who is asked, how much at a time, who is left out."""

from __future__ import annotations

import contextlib
import itertools
import socket
import threading
import time
import tracemalloc
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from dlm.data.completion import Refused, Request
from dlm.doc.document import Document
from dlm.doc.parser import parse_text
from dlm.errors import TeacherError
from dlm.loops.teachers import open_teacher
from dlm.loops.teachers.endpoints import Endpoint
from dlm.loops.teachers.http import Address, Connection, Failure, Unreachable
from dlm.loops.teachers.remote import RemoteTeacher, addresses_of, server_addresses
from dlm.testing import Body, ChatServer, Reply, answer, failure

BACKOFF = 0.02


def asked(count: int) -> list[Request]:
    return [Request("", f"question {i}", seed=i) for i in range(count)]


def teacher(*servers: ChatServer | str, **options: Any) -> RemoteTeacher:
    urls = [one if isinstance(one, str) else one.url for one in servers]
    addresses = [Address(f"{url}/v1", "tiny") for url in urls]
    return RemoteTeacher(*addresses, **{"backoff": BACKOFF, "timeout": 5.0, **options})


def complete(one: RemoteTeacher, requests: Sequence[Request]) -> dict[int, Sequence[str]]:
    found: dict[int, Sequence[str]] = {}
    one.complete(requests, found.__setitem__)
    return found


def assert_all_answered(found: dict[int, Sequence[str]], count: int) -> None:
    assert {i: list(texts) for i, texts in found.items()} == {
        i: [f"re: question {i} #{i}"] for i in range(count)
    }


@pytest.fixture
def document() -> Document:
    text = (
        "---\ndlm_id: 01J9ZQ6W3N8R2T4V6X8Y0A1B2C\ndlm_version: 15\nbase_model: pocket\n---\nRye.\n"
    )
    return parse_text(text, path=Path("shed.dlm"))


@pytest.fixture
def closed() -> Iterator[str]:
    """An address where nobody listens."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{holder.getsockname()[1]}"


def test_requests_are_spread_and_the_slower_server_gets_fewer() -> None:
    quick = ChatServer(lambda n, body: _late(body, 0.02))
    slow = ChatServer(lambda n, body: _late(body, 0.2))
    with quick, slow:
        assert_all_answered(complete(teacher(slow, quick, at_once=2), asked(40)), 40)
    assert 2 <= len(slow.bodies) < len(quick.bodies)


def test_where_as_many_are_under_way_the_first_named_is_asked() -> None:
    with ChatServer() as first, ChatServer() as second:
        one = teacher(second, first, at_once=1)
        for i in range(3):
            complete(one, asked(i + 1)[i:])
    assert (len(second.bodies), len(first.bodies)) == (3, 0)


def test_no_server_has_more_under_way_than_allowed() -> None:
    servers = [ChatServer(), ChatServer()]
    most = [_counting(server) for server in servers]
    with servers[0], servers[1]:
        assert_all_answered(complete(teacher(*servers, at_once=3), asked(24)), 24)
    assert [peak[0] for peak in most] == [3, 3]


def test_a_server_that_refuses_is_left_out_and_nothing_is_lost(closed: str) -> None:
    with ChatServer() as server:
        assert_all_answered(complete(teacher(closed, server, at_once=4), asked(30)), 30)
        assert len(server.bodies) == 30


@pytest.mark.parametrize(
    "bad", [failure(503, "loading"), Reply(body=b"{", cut=True)], ids=["503", "cut"]
)
def test_a_failing_server_is_probed_by_one_request_at_a_time_and_ever_later(bad: Reply) -> None:
    with ChatServer(lambda n, body: bad) as sick, ChatServer(lambda n, b: _late(b, 0.02)) as well:
        assert_all_answered(complete(teacher(sick, well, at_once=4), asked(100)), 100)
    # 0.5 s at the well one; the sick one is asked by the first four, then after 20, 40, 80, … ms.
    assert len(sick.bodies) <= 4 + 6


def test_a_server_that_dies_midway_is_taken_back_when_it_answers() -> None:
    dead = threading.Event()

    def mortal(number: int, body: Body) -> Reply:
        return Reply(body=b"{", cut=True) if dead.is_set() else _late(body, 0.01)

    with contextlib.ExitStack() as stack:
        well = stack.enter_context(ChatServer(lambda n, body: _late(body, 0.01)))
        first = ChatServer(mortal)
        first.__enter__()
        port = int(first.url.rpartition(":")[2])
        again: list[ChatServer] = []
        found: dict[int, Sequence[str]] = {}

        def done(index: int, texts: Sequence[str]) -> None:
            found[index] = texts
            if len(found) == 20:
                dead.set()
                first.__exit__()  # connections that are open break, new ones are refused
            if len(found) == 60:
                again.append(stack.enter_context(ChatServer(port=port)))

        teacher(first, well, at_once=2).complete(asked(200), done)
    assert_all_answered(found, 200)
    assert len(first.bodies) >= 8
    assert len(again[0].bodies) >= 20


def test_a_busy_server_is_asked_less_at_a_time_until_it_no_longer_minds() -> None:
    lock, under_way, refused = threading.Lock(), [0], [0]

    def two_at_once(number: int, body: Body) -> Reply:
        with lock:
            under_way[0] += 1
            busy = under_way[0] > 2
            refused[0] += busy
        time.sleep(0 if busy else 0.02)
        with lock:
            under_way[0] -= 1
        return failure(429, "slow down", {"Retry-After": "0.05"}) if busy else answer(body)

    with ChatServer(two_at_once) as server:
        assert_all_answered(complete(teacher(server, at_once=16), asked(80)), 80)
    # Sixteen at a time would be refused for ever; now one in a few is, as it tries three at once.
    assert refused[0] < 50


def test_when_one_server_asks_to_wait_the_others_go_on() -> None:
    def busy(number: int, body: Body) -> Reply:
        return failure(429, "tomorrow", {"Retry-After": "9999"})

    with ChatServer(busy) as server, ChatServer() as well:
        assert_all_answered(complete(teacher(server, well, at_once=2), asked(20)), 20)
        assert len(server.bodies) <= 2
        with pytest.raises(TeacherError, match="wants to be left alone for 9999 s"):
            complete(teacher(server, server.url.replace("127.0.0.1", "localhost")), asked(3))


def test_room_is_halved_once_a_burst_and_grows_by_one_a_round() -> None:
    one = Endpoint(Connection(Address("http://host/v1", "tiny")), 8)
    before = time.monotonic()
    for _ in range(8):  # all of one burst
        one.went_wrong(Failure("busy", status=429, tries=5), before, 0.0)
    assert one.room == 4
    rooms = []
    for _ in range(4 + 5 + 6 + 7 + 8):
        one.went_well()
        rooms.append(one.room)
    assert [room for room, _ in itertools.groupby(rooms)] == [4, 5, 6, 7, 8]
    assert rooms.count(5) == 5
    for _ in range(9):
        one.went_wrong(Failure("busy", status=429, tries=5), time.monotonic(), 0.0)
    assert one.room == 1


def test_servers_that_nobody_serves_are_one_sentence_at_once(closed: str) -> None:
    other = closed.replace("127.0.0.1", "localhost")
    began = time.monotonic()
    with pytest.raises(TeacherError) as caught:
        complete(teacher(closed, other, backoff=1.0), asked(9))
    assert f"{closed}/v1, {other}/v1 cannot be reached" in caught.value.message
    assert "check that the server runs" in str(caught.value.hint)
    assert time.monotonic() - began < 5


def test_servers_that_all_fail_for_good_end_the_run_and_what_they_gave_is_kept() -> None:
    def plan(number: int, body: Body) -> Reply:
        return answer(body) if number < 3 else failure(500, "on fire")

    found: dict[int, Sequence[str]] = {}
    with ChatServer(plan) as first, ChatServer(plan) as second:
        one = teacher(first, second, at_once=2)
        with pytest.raises(TeacherError) as caught:
            one.complete(asked(60), found.__setitem__)
    assert "failed 5 times in a row; the last time http" in caught.value.message
    assert "answered 500: on fire" in caught.value.message
    assert "is kept" in str(caught.value.hint)
    assert sum(not isinstance(texts, Refused) for texts in found.values()) == 6


def test_a_request_that_breaks_every_server_costs_only_itself() -> None:
    def plan(number: int, body: Body) -> Reply:
        poison = body["messages"][-1]["content"] == "question 7"
        return failure(500, "cannot") if poison else answer(body)

    with ChatServer(plan) as first, ChatServer(plan) as second:
        found = complete(teacher(first, second, at_once=2), asked(40))
    assert found.pop(7) == Refused("answered 500: cannot")
    assert len(found) == 39
    assert not any(isinstance(texts, Refused) for texts in found.values())


def test_a_server_that_was_never_there_may_come_while_another_answers() -> None:
    one = Endpoint(Connection(Address("http://host/v1", "tiny")), 8)
    one.went_wrong(Unreachable("refused"), time.monotonic(), 1.0)
    assert (one.unreached, one.room) == (True, 1)
    assert one.free_at > time.monotonic()
    one.went_well()
    assert (one.unreached, one.room) == (False, 8)


def test_who_the_teacher_is_depends_on_neither_order_nor_who_is_up(
    document: Document, closed: str
) -> None:
    names = []
    with ChatServer() as server:
        for spec in (
            f"openai:tiny@{server.url},{closed}",
            f"vllm-server:{closed},{server.url}#tiny",
            f"{closed},{server.url}",  # asks for its model whoever is up
        ):
            with open_teacher(spec, document) as one:
                names.append((one.name, one.identity))
        urls = ",".join(sorted([f"{server.url}/v1", f"{closed}/v1"]))
        assert names == [(f"{urls}#tiny", f"{urls}#tiny")] * 3
        for spec in (f"openai:tiny@{server.url}", server.url, f"vllm-server:{server.url}#tiny"):
            with open_teacher(spec, document) as one:
                assert one.identity == f"{server.url}/v1#tiny"


def test_a_model_before_an_at_is_asked_of_the_servers_after_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    one, two = Address("http://one/v1", "org/m@2"), Address("http://two:1/v1", "org/m@2")
    assert addresses_of("openai", "org/m@2@http://one,two:1", None) == [one, two]
    assert {address.key for address in addresses_of("openai", "m@one,two", None)} == {""}
    assert server_addresses("one, two:1/v1#org/m@2", None) == [one, two]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("openai:m@", "'' is not the address of a server"),
        ("openai:@http://a", "names no model"),
        ("openai:m@http://a,,http://b", "'' is not the address of a server"),
        ("vllm-server:http://a,", "'' is not the address of a server"),
        ("vllm-server:http://a,http://a/v1/", "http://a/v1 is named twice"),
        ("openai:m@http://a,https://b", "http and https are mixed in http://a/v1, https://b/v1"),
        ("http://a#m,http://b#n", "serve one model, and these are m and n"),
        ("openai:m@http://a#n", "names a model before the @ and one after a #"),
        ("openai:m@http://me:hunter2,x@a", "holds a password"),
        ("http://b,http://me:hunter2@a", "holds a password"),
        ("http://b#m,http://me:hunter2,@a", "holds a password"),
    ],
)
def test_servers_that_cannot_be_meant_are_one_sentence(
    document: Document, text: str, words: str
) -> None:
    with pytest.raises(TeacherError, match=words) as caught, open_teacher(text, document):
        pass
    assert "hunter2" not in f"{caught.value.message}{caught.value.hint}"
    assert caught.value.hint


@pytest.mark.slow
def test_ten_thousand_requests_hold_memory_flat() -> None:
    with ChatServer() as first, ChatServer() as second:
        held: dict[int, int] = {}
        count = 0

        def done(index: int, texts: Sequence[str]) -> None:
            nonlocal count
            count += 1
            if count % 1000 == 0:
                for server in (first, second):  # what they note down is not the teacher's
                    server.bodies.clear()
                    server.keys.clear()
                    server.times.clear()
                held[count] = tracemalloc.get_traced_memory()[0]

        requests = asked(10_000)
        tracemalloc.start()
        try:
            teacher(first, second).complete(requests, done)
        finally:
            tracemalloc.stop()
    assert count == 10_000
    assert held[10_000] - held[1_000] < 500_000, held


def _late(body: Body, seconds: float) -> Reply:
    reply = answer(body)
    return Reply(body=reply.body, seconds=seconds)


def _counting(server: ChatServer) -> list[int]:
    """Make it note how many requests it had under way at most."""
    lock, under_way, most = threading.Lock(), [0], [0]

    def plan(number: int, body: Body) -> Reply:
        with lock:
            under_way[0] += 1
            most[0] = max(most[0], under_way[0])
        time.sleep(0.05)
        with lock:
            under_way[0] -= 1
        return answer(body)

    server.plan = plan
    return most
