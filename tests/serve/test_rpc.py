"""Pushing probes over a real socket: what is answered, and what is on the disk by then."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rpc_kit import TOKEN, Client, FixedHorizon, head, serving, status_of

from dlm.errors import DlmError, UsageError
from dlm.serve.connections import Address, parse_address
from dlm.serve.server import listening, probe_token


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    with serving(tmp_path_factory.mktemp("rpc")) as client:
        yield client


def test_a_probe_that_is_accepted_is_on_the_disk(client: Client) -> None:
    before = len(client.waiting())
    answer = client.inject("Why is the sky blue?", "Rayleigh.", tags=["physics", "sky"])
    assert answer.status == 200
    assert answer.json == {
        "accepted": True,
        "next_cycle_eta_s": 2.5,
        "queue_depth": before + 1,
    }
    probe = client.waiting()[-1]
    assert (probe.prompt, probe.reference) == ("Why is the sky blue?", "Rayleigh.")
    assert probe.tags == ("physics", "sky")
    assert probe.source == f"physics/{probe.probe_id}"
    assert client.horizon.woken > 0


MALFORMED: list[tuple[Any, str]] = [
    (b"", "not JSON"),
    (b"{", "not JSON"),
    (b"\xff\xfe{}", "not UTF-8"),
    (b"[" * 60_000, "deeply"),
    (b'{"a":' * 12_000, "deeply"),
    (b"1" * 60_000, "not JSON"),
    (b"NaN", "NaN"),
    (b"null", "object"),
    (b'"inject_probe"', "object"),
    ({}, "method"),
    ({"method": 7}, "method"),
    ({"method": "inject_probe"}, "params"),
    ({"method": "inject_probe", "params": ["q", "a"]}, "params"),
    ({"method": "inject_probe", "params": {"reference": "a"}}, "prompt is missing"),
    ({"method": "inject_probe", "params": {"prompt": "q"}}, "reference is missing"),
    ({"method": "inject_probe", "params": {"prompt": " \n", "reference": "a"}}, "prompt is empty"),
    ({"method": "inject_probe", "params": {"prompt": "q", "reference": ""}}, "reference is empty"),
    ({"method": "inject_probe", "params": {"prompt": 3, "reference": "a"}}, "not a string"),
    ({"method": "inject_probe", "params": {"prompt": "q\0", "reference": "a"}}, "no document"),
    ({"method": "inject_probe", "params": {"prompt": "\ud800", "reference": "a"}}, "no document"),
    ({"method": "inject_probe", "params": {"prompt": "q", "reference": "a", "tags": "t"}}, "tags"),
    ({"method": "inject_probe", "params": {"prompt": "q", "reference": "a", "tags": [1]}}, "tags"),
    ({"method": "inject_probe", "params": {"prompt": "q", "reference": "a", "tags": [""]}}, "tags"),
]


@pytest.mark.parametrize(("body", "named"), MALFORMED)
def test_what_is_malformed_is_refused_and_named(client: Client, body: Any, named: str) -> None:
    before = client.waiting()
    answer = client.call(body)
    assert answer.status == 400
    assert named in answer.json["error"]
    assert client.waiting() == before


@pytest.mark.parametrize("token", [None, "", "wrong", TOKEN + "x", TOKEN[:-1], "ünïcode"])
def test_without_the_token_nothing_is_done(client: Client, token: str | None) -> None:
    before = client.waiting()
    body = {"method": "inject_probe", "params": {"prompt": "q", "reference": "a"}}
    if token == "ünïcode":
        with client.raw() as connection:
            line = f"Authorization: Bearer {token}\r\n".encode()
            connection.sendall(b"POST /rpc HTTP/1.1\r\nHost: x\r\n" + line + b"\r\n")
            assert status_of(connection) in (400, 401)
    else:
        answer = client.call(body, token=token)
        assert answer.status == 401
        assert answer.headers["www-authenticate"] == "Bearer"
        assert client.call(b"", path="/status", method="GET", token=token).status == 401
    assert client.waiting() == before


def test_other_schemes_and_a_token_given_twice_are_refused(client: Client) -> None:
    for line in (f"Authorization: Basic {TOKEN}", f"Authorization: {TOKEN}"):
        with client.raw() as connection:
            connection.sendall(f"GET /status HTTP/1.1\r\nHost: x\r\n{line}\r\n\r\n".encode())
            assert status_of(connection) == 401
    with client.raw() as connection:
        connection.sendall(head(2, more="Authorization: Bearer x") + b"{}")
        assert status_of(connection) == 401


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/rpc"), ("PUT", "/rpc"), ("POST", "/"), ("POST", "/healthz"), ("GET", "/rpc/x")],
)
def test_another_path_or_http_method_is_not_found(client: Client, method: str, path: str) -> None:
    assert client.call(b"{}", method=method, path=path).status == 404


def test_another_method_is_not_found(client: Client) -> None:
    answer = client.call({"method": "drop_tables", "params": {}})
    assert answer.status == 404
    assert "inject_probe" in answer.json["error"]


def test_health_needs_no_token_and_the_state_does(client: Client) -> None:
    assert client.call(b"", path="/healthz", method="GET", token=None).json == {"status": "ok"}
    state = client.call(b"", path="/status", method="GET").json
    assert state["version"] == "v0003"
    assert state["next_cycle_eta_s"] == 2.5
    assert state["queue_depth"] == len(client.waiting())


def test_json_rpc_is_answered_in_kind(client: Client) -> None:
    params = {"prompt": "In kind?", "reference": "Yes."}
    call = {"jsonrpc": "2.0", "id": "7", "method": "inject_probe", "params": params}
    answer = client.call(call)
    assert answer.status == 200
    assert answer.json["jsonrpc"] == "2.0"
    assert answer.json["id"] == "7"
    assert answer.json["result"]["accepted"] is True
    unknown = client.call({**call, "method": "other", "id": 1.5})
    assert unknown.status == 404
    assert unknown.json["error"]["code"] == -32601
    assert unknown.json["id"] == 1.5
    invalid = client.call({**call, "params": {}})
    assert (invalid.status, invalid.json["error"]["code"]) == (400, -32602)
    old = client.call({**call, "jsonrpc": "1.0"})
    assert (old.status, old.json["error"]["code"]) == (400, -32600)
    odd = client.call({**call, "id": {"a": 1}})
    assert (odd.status, odd.json["id"]) == (400, None)


def test_a_batch_is_answered_call_by_call_and_notifications_not_at_all(client: Client) -> None:
    before = len(client.waiting())
    params = {"prompt": "In a batch?", "reference": "Yes."}
    call = {"jsonrpc": "2.0", "method": "inject_probe", "params": params}
    answer = client.call([{**call, "id": 1}, call, 5, {**call, "id": 2, "params": {}}])
    assert answer.status == 200
    assert [each["id"] for each in answer.json] == [1, None, 2]
    assert answer.json[0]["result"]["accepted"] is True
    assert answer.json[1]["error"]["code"] == -32600
    assert answer.json[2]["error"]["code"] == -32602
    assert len(client.waiting()) == before + 2
    silent = client.call([call, call])
    assert (silent.status, silent.body) == (204, b"")
    assert client.call(call).status == 204
    assert len(client.waiting()) == before + 5
    empty = client.call([])
    assert (empty.status, empty.json["error"]["code"]) == (400, -32600)


def test_over_capacity_says_when_to_come_back(tmp_path: Path) -> None:
    with serving(tmp_path, capacity=3) as client:
        assert [client.inject(f"Question {n}?").status for n in range(4)] == [200, 200, 200, 429]
        full = client.inject("One more?")
        assert full.headers["retry-after"] == "3"
        assert full.json["accepted"] is False
        assert full.json["queue_depth"] == 3
        call = {"jsonrpc": "2.0", "id": 1, "method": "inject_probe"}
        call["params"] = {"prompt": "q", "reference": "a"}
        assert client.call(call).json["error"]["data"]["queue_depth"] == 3
        assert len(client.waiting()) == 3


def test_a_body_over_the_limit_is_refused_before_it_is_sent(client: Client) -> None:
    with client.raw() as connection:
        connection.sendall(head(10_000_000))
        assert status_of(connection) == 400


def test_a_body_of_ten_megabytes_is_refused_with_the_limit_named(client: Client) -> None:
    answer = client.call(b'{"method": "' + b"x" * 10_000_000 + b'"}')
    assert answer.status == 400
    assert "64 KiB" in answer.json["error"]
    at_limit = json.dumps({"method": "inject_probe", "params": {"prompt": "", "reference": "a"}})
    body = at_limit.replace('""', '"' + "x" * (64 * 1024 - len(at_limit)) + '"').encode()
    assert len(body) == 64 * 1024
    assert client.call(body).status == 200
    assert client.call(body + b" ").status == 400


def test_chunks_without_end_are_refused_at_the_limit(client: Client) -> None:
    sent = 0
    with client.raw() as connection:
        connection.sendall(head(more="Transfer-Encoding: chunked"))
        with contextlib.suppress(ConnectionError):
            for _ in range(5):
                connection.sendall(b"4000\r\n" + b" " * 0x4000 + b"\r\n")
                sent += 0x4000
        assert status_of(connection) == 400
        began = time.monotonic()
        with contextlib.suppress(OSError):
            while time.monotonic() - began < 30:
                connection.sendall(b"4000\r\n" + b" " * 0x4000 + b"\r\n")
        assert time.monotonic() - began < 20, "the server went on listening to an endless body"


def test_chunked_bodies_within_the_limit_are_read(client: Client) -> None:
    body = json.dumps(
        {"method": "inject_probe", "params": {"prompt": "Chunked?", "reference": "Yes."}}
    ).encode()
    with client.raw() as connection:
        connection.sendall(head(more="Transfer-Encoding: chunked"))
        for byte in body:
            connection.sendall(b"1\r\n" + bytes([byte]) + b"\r\n")
        connection.sendall(b"0\r\n\r\n")
        assert status_of(connection) == 200


@pytest.mark.parametrize("length", ["-1", "abc", "1, 2", "99999999999999999999999999"])
def test_a_length_that_is_none_is_refused(client: Client, length: str) -> None:
    with client.raw() as connection:
        connection.sendall(head(length) + b"{}")
        assert status_of(connection) == 400


def test_a_length_that_is_too_short_leaves_half_a_json(client: Client) -> None:
    with client.raw() as connection:
        connection.sendall(head(10) + b'{"method": "inject_probe"}')
        assert status_of(connection) == 400


def test_no_length_at_all_is_an_empty_body(client: Client) -> None:
    with client.raw() as connection:
        connection.sendall(head())
        assert status_of(connection) == 400


def test_idle_connections_and_slow_heads_shut_nobody_out(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dlm.serve.connections import GuardedProtocol

    monkeypatch.setattr(GuardedProtocol, "most", 64)
    monkeypatch.setattr(GuardedProtocol, "head_seconds", 1.0)
    with contextlib.ExitStack() as stack:
        idle = [stack.enter_context(client.raw()) for _ in range(200)]
        assert client.inject("Anyone there?").status == 200
        slow = stack.enter_context(client.raw())
        began = time.monotonic()
        with contextlib.suppress(ConnectionError):
            for byte in head(2) * 100:
                slow.sendall(bytes([byte]))
                time.sleep(0.05)
        assert time.monotonic() - began < 20
        assert all(status_of(connection) == 0 for connection in idle)


def test_a_body_that_trickles_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dlm.serve.rpc.build_app.__kwdefaults__", {"body_seconds": 0.5})
    with serving(tmp_path) as client, client.raw() as connection:
        connection.sendall(head(1000) + b"{")
        assert status_of(connection) == 408
        assert client.inject("And the others?").status == 200


def test_many_clients_at_once_lose_nothing(tmp_path: Path) -> None:
    with serving(tmp_path) as client:

        def push(number: int) -> None:
            for n in range(10):
                assert client.inject(f"Question {number}-{n}?").status == 200

        threads = [threading.Thread(target=push, args=(number,)) for number in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        prompts = [probe.prompt for probe in client.waiting()]
        assert sorted(prompts) == sorted(f"Question {c}-{n}?" for c in range(20) for n in range(10))


def test_nothing_of_a_request_is_logged(client: Client, capfd: pytest.CaptureFixture[str]) -> None:
    client.inject("a very secret prompt")
    client.call(b"{secret", token="secret token")
    with client.raw() as connection:
        connection.sendall(b"not http at all, secret\r\n\r\n")
        status_of(connection)
    assert capfd.readouterr() == ("", "")


def test_a_port_in_use_is_one_sentence(client: Client, tmp_path: Path) -> None:
    taken = Address("127.0.0.1", client.address.port)
    with (
        pytest.raises(DlmError, match="cannot listen on 127"),
        listening(taken, FixedHorizon(), token="x", database=tmp_path / "q", capacity=1),
    ):
        pass


def test_addresses() -> None:
    assert parse_address("127.0.0.1:7433") == Address("127.0.0.1", 7433)
    assert parse_address(":0") == Address("127.0.0.1", 0)
    assert parse_address("[::1]:80") == Address("::1", 80)
    assert parse_address("[::1]:80").url == "http://[::1]:80"
    assert parse_address("localhost:1").is_loopback
    assert not parse_address("0.0.0.0:1").is_loopback
    assert not parse_address("shed.example:1").is_loopback
    for text in ("", "7433", "host:", "host:x", "host:65536", "host:-1"):
        with pytest.raises(UsageError):
            parse_address(text)


@pytest.mark.parametrize("value", [None, "", "  "])
def test_without_a_token_it_does_not_start(
    monkeypatch: pytest.MonkeyPatch, value: str | None
) -> None:
    monkeypatch.delenv("DLM_PROBE_TOKEN", raising=False)
    if value is not None:
        monkeypatch.setenv("DLM_PROBE_TOKEN", value)
    with pytest.raises(DlmError, match="DLM_PROBE_TOKEN"):
        probe_token()
