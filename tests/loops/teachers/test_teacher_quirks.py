"""Servers that do not take what they are asked: they are asked otherwise, once, and quoted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from dlm.data.completion import Completion, Refused, Request
from dlm.errors import TeacherError
from dlm.loops.teachers import Cached
from dlm.loops.teachers.http import Address
from dlm.loops.teachers.remote import RemoteTeacher
from dlm.store.database import Database
from dlm.testing import Body, ChatServer, Reply, ScriptedTeacher, answer, failure

ASKED = [Request("Be short.", f"question {i}", n=2, seed=4, top_p=0.9) for i in range(3)]


def teacher(server: ChatServer, **options: Any) -> RemoteTeacher:
    address = Address(f"{server.url}/v1", "tiny")
    return RemoteTeacher(address, **{"backoff": 0.01, "timeout": 5.0, "at_once": 1, **options})


def complete(one: RemoteTeacher, requests: Sequence[Request]) -> dict[int, Sequence[str]]:
    found: dict[int, Sequence[str]] = {}
    one.complete(requests, found.__setitem__)
    return found


def forbidden(name: str) -> dict[str, Any]:
    """As pydantic names a field that is not to be there."""
    said = "Extra inputs are not permitted"
    return {"type": "extra_forbidden", "loc": ["body", name], "msg": said, "input": 1}


def unsupported(name: str) -> dict[str, Any]:
    said = f"Unsupported parameter: '{name}' is not supported with this model."
    return {"error": {"message": said, "param": name, "code": "unsupported_parameter"}}


REFUSALS: dict[str, tuple[str, int, Any]] = {
    "openai n": ("n", 400, unsupported("n")),
    "openai temperature": ("temperature", 400, unsupported("temperature")),
    "openai top_p": ("top_p", 400, unsupported("top_p")),
    "azure seed": (
        "seed",
        400,
        {"error": {"message": "Unrecognized request argument supplied: seed", "param": None}},
    ),
    "fastapi n": ("n", 422, {"detail": [forbidden("n")]}),
    "mistral seed": ("seed", 422, {"message": {"detail": [forbidden("seed")]}, "param": None}),
    "groq n": ("n", 400, {"error": {"message": "'n' : number must be at most 1"}}),
    "groq seed": ("seed", 400, {"error": {"message": "property 'seed' is unsupported"}}),
    "gemini seed": (
        "seed",
        400,
        [{"error": {"code": 400, "message": 'Unknown name "seed": Cannot find field.'}}],
    ),
    "gemini n": (
        "n",
        400,
        [{"error": {"code": 400, "message": "Multiple candidates is not enabled for this model"}}],
    ),
    "vertex n": (
        "n",
        400,
        {"error": {"message": "candidateCount must be 1 but the entered value was 2."}},
    ),
    "llama.cpp n": (
        "n",
        500,
        {"error": {"code": 500, "message": "Only one completion choice is allowed"}},
    ),
    "vllm n": (
        "n",
        400,
        {"object": "error", "message": "n must be 1 when using greedy sampling, got 2."},
    ),
    "litellm seed": (
        "seed",
        500,
        {"error": {"message": "it does not support parameters: {'seed': 4}", "code": 500}},
    ),
    "serde seed": (
        "seed",
        422,
        {"error": "unknown field `seed`, expected one of `model`, `temperature`, `top_p`, `n`"},
    ),
    "bedrock top_p": (
        "top_p",
        400,
        {"message": "`temperature` may not be set beside `top_p`", "param": "top_p"},
    ),
    "anthropic top_p": (
        "top_p",
        400,
        {"error": {"message": "`temperature` and `top_p` cannot both be specified"}},
    ),
    "moonshot n": (
        "n",
        400,
        {"error": {"message": "when temperature is close to 0, n must be 1"}},
    ),
    "nim seed": (
        "seed",
        400,
        {"title": "Bad Request", "status": 400, "detail": "Unsupported parameter(s): `seed`"},
    ),
    "with those it takes": (
        "n",
        400,
        {"error": {"message": "Unknown parameter: 'n'. Supported parameters: top_p, seed"}},
    ),
    "plain text": ("seed", 400, b"bad request: seed is not a known parameter"),
    "200": ("n", 200, {"error": "n > 1 is not implemented"}),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_what_a_server_refuses_is_left_out_from_then_on(name: str) -> None:
    parameter, status, said = REFUSALS[name]

    def plan(number: int, body: Body) -> Reply:
        return Reply(status, said) if parameter in body else answer(body)

    with ChatServer(plan) as server:
        one = teacher(server)
        found = complete(one, ASKED[:2])
        more = complete(one, ASKED[2:])
    assert [len(texts) for texts in (*found.values(), *more.values())] == [2, 2, 2]
    assert sum(parameter in body for body in server.bodies) == 1
    assert one.notices == (f"{one.name} does not take {parameter}",)
    assert len(server.bodies) == (7 if parameter == "n" else 4)


SYSTEM_REFUSALS = {
    "gemma": (400, {"object": "error", "message": "System role not supported", "code": 400}),
    "lm studio": (
        400,
        {"error": 'Error rendering prompt: "Only user and assistant roles are supported!"'},
    ),
    "llama.cpp": (
        500,
        {"error": {"message": "Conversation roles must alternate user/assistant/user/assistant"}},
    ),
    "openai": (
        400,
        {
            "error": {
                "message": "'messages[0].role' does not support 'system' with this model.",
                "param": "messages[0].role",
            }
        },
    ),
    "gemini": (
        400,
        [{"error": {"message": "Developer instruction is not enabled for models/gemma"}}],
    ),
    "fastapi": (
        422,
        {
            "detail": [
                {"loc": ["body", "messages", 0, "role"], "msg": "Input should be 'user' or 'model'"}
            ]
        },
    ),
    "serde": (422, {"error": "messages[0].role: unknown variant `system`, expected `user`"}),
    "anthropic": (
        400,
        {"type": "error", "error": {"message": 'messages: Unexpected role "system".'}},
    ),
}


@pytest.mark.parametrize("name", SYSTEM_REFUSALS)
def test_where_no_system_message_is_taken_its_text_stands_before_the_prompt(name: str) -> None:
    status, said = SYSTEM_REFUSALS[name]

    def plan(number: int, body: Body) -> Reply:
        return Reply(status, said) if body["messages"][0]["role"] == "system" else answer(body)

    with ChatServer(plan) as server:
        found = complete(teacher(server), ASKED)
    assert len(found) == 3
    assert all(found.values())
    assert len(server.bodies) == 4
    last = server.bodies[-1]["messages"]
    assert last == [{"role": "user", "content": "Be short.\n\nquestion 2"}]


@pytest.mark.parametrize(
    ("takes", "said"),
    [
        ("max_tokens", {"detail": [forbidden("max_completion_tokens")]}),
        ("max_completion_tokens", {"detail": [forbidden("max_tokens")]}),
        ("max_completion_tokens", unsupported("max_tokens")),
    ],
)
def test_the_limit_is_spelled_as_the_server_has_it(takes: str, said: Any) -> None:
    def plan(number: int, body: Body) -> Reply:
        return answer(body) if takes in body else Reply(422, said)

    with ChatServer(plan) as server:
        one = teacher(server)
        one._limits = sorted(one._limits, key=lambda name: name == takes)
        assert len(complete(one, ASKED)) == 3
    assert [takes in body for body in server.bodies] == [False, True, True, True]


def test_a_server_that_refuses_one_thing_after_another_is_asked_without_them_all() -> None:
    def plan(number: int, body: Body) -> Reply:
        for name in ("seed", "n", "top_p"):
            if name in body:
                return Reply(422, {"detail": [forbidden(name)]})
        return answer(body)

    with ChatServer(plan) as server:
        found = complete(teacher(server, at_once=3), ASKED)
    assert [len(texts) for texts in found.values()] == [2, 2, 2]


def test_what_is_too_long_is_quoted_and_nothing_is_left_out() -> None:
    said = "'max_tokens' or 'max_completion_tokens' is too large: 256. The context length is 256"
    with ChatServer(lambda number, body: failure(400, said)) as server:
        one = teacher(server)
        found = complete(one, ASKED[:1])
    assert found[0] == Refused(f"answered 400: {said}")
    assert one.notices == ()
    assert len(server.bodies) == 1


def choice(content: Any, finish: str = "stop", **more: Any) -> Reply:
    message = {"role": "assistant", "content": content}
    return Reply(body={"choices": [{"message": message, "finish_reason": finish} | more]})


NO_ANSWERS: dict[str, tuple[Reply, int, str]] = {
    "error of 200": (
        Reply(body={"error": {"message": "Provider returned error", "code": 429}}),
        5,
        "answered 429: Provider returned error",
    ),
    "raw words": (
        Reply(
            body={"error": {"message": "Provider error", "code": 502, "metadata": {"raw": "full"}}}
        ),
        5,
        "answered 502: Provider error (full)",
    ),
    "plain error of 200": (
        Reply(body={"error": "Unexpected endpoint"}),
        2,
        "answered with an error: Unexpected endpoint",
    ),
    "errored choice": (
        choice("", "error", error={"code": 502, "message": "Provider gone"}),
        5,
        "answered 502: Provider gone",
    ),
    "null content": (choice(None), 2, "gave an answer without text"),
    "empty content": (choice(" "), 2, "gave an answer without text"),
    "filtered": (choice(None, "content_filter"), 1, "held its answer back (content_filter)"),
    "null message": (
        Reply(body={"choices": [{"message": None, "finish_reason": "content_filter"}]}),
        1,
        "held its answer back (content_filter)",
    ),
    "no choices": (Reply(body={"choices": []}), 2, "gave no completion"),
    "html": (
        Reply(503, b"<html><style>b{}</style><h1>503</h1> Come  back</html>"),
        5,
        "answered 503: 503 Come back",
    ),
    "no json": (Reply(body=b"<h1>hello</h1>"), 2, "answered with no JSON: hello"),
    "other protocol": (
        Reply(body={"message": {"content": "Hi"}, "done": True}),
        2,
        "answered with something else than OpenAI's protocol has: "
        '{"message": {"content": "Hi"}, "done": true}',
    ),
    "no words": (Reply(400, {"ok": False}), 1, 'answered 400: {"ok": false}'),
    "detail": (Reply(413, {"detail": "too big"}), 1, "answered 413: too big"),
}


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database.open(tmp_path / "store.sqlite3")
    yield opened
    opened.close()


@pytest.mark.parametrize("name", NO_ANSWERS)
def test_an_error_is_quoted_and_never_kept_as_an_answer(name: str, database: Database) -> None:
    bad, tries, words = NO_ANSWERS[name]
    well = False

    def plan(number: int, body: Body) -> Reply:
        return answer(body) if well else bad

    with ChatServer(plan) as server:
        cached = Cached(teacher(server), database)
        found: dict[int, Sequence[str]] = {}
        cached.complete(ASKED[:1], found.__setitem__)
        assert found[0] == Refused(words)
        assert len(server.bodies) == tries
        with pytest.raises(TeacherError, match="did not answer the only request") as caught:
            cached.check()
        assert words in caught.value.message
        well = True
        again = Cached(teacher(server), database)
        again.complete(ASKED[:1], found.__setitem__)
    assert (again.counts.asked, again.counts.cached) == (1, 0)
    assert len(found[0]) == 2


def test_good_choices_are_kept_without_those_that_failed() -> None:
    def plan(number: int, body: Body) -> Reply:
        reply = answer(body)
        reply.body["choices"][0] |= {"finish_reason": "error", "message": {"content": None}}
        return answer(body) if number else reply

    with ChatServer(plan) as server:
        found = complete(teacher(server), ASKED[:1])
    assert list(found[0]) == ["re: question 0 #5", "re: question 0 #5"]


def test_an_answer_cut_off_while_thinking_is_none(database: Database) -> None:
    def plan(number: int, body: Body) -> Reply:
        if number == 0:
            return answer(body, "<think>Let me see", finish="length")
        reply = answer(body, reasoning_content="Let me see", finish="length")
        for one in reply.body["choices"]:
            one["message"]["content"] = None
        return reply

    with ChatServer(plan) as server:
        cached = Cached(teacher(server), database)
        cached.complete(ASKED[:2], lambda index, texts: None)
    assert cached.counts.failed == 2
    with pytest.raises(TeacherError, match=r"none of 2 .* while thinking, .*--max-new-"):
        cached.check()

    thinker = ScriptedTeacher(lambda request: "")
    thinker.complete = lambda requests, done: done(  # type: ignore[method-assign]
        0, [Completion("", reasoning="hm", finished=False), Completion("Yes.")]
    )
    found: dict[int, Sequence[str]] = {}
    Cached(thinker, database).complete([Request("", "Well?", n=2)], found.__setitem__)
    assert list(found[0]) == ["Yes."]


def test_who_streams_is_told_so() -> None:
    stream = Reply(body=b'data: {"choices": []}\n\n', headers={"Content-Type": "text/event-stream"})
    with (
        ChatServer(lambda number, body: stream) as server,
        pytest.raises(TeacherError, match="streams its answers"),
    ):
        complete(teacher(server), ASKED)
    assert len(server.bodies) == 1


@pytest.mark.parametrize(
    "said", ["Rate limit reached. Please try again in 400ms.", "Retry after 0.4 seconds."]
)
def test_the_wait_may_stand_in_the_words(said: str) -> None:
    def plan(number: int, body: Body) -> Reply:
        return answer(body) if number else failure(429, said)

    with ChatServer(plan) as server:
        assert len(complete(teacher(server), ASKED)) == 3
    assert server.times[1] - server.times[0] >= 0.4


def test_who_asks_for_minutes_is_not_waited_for() -> None:
    said = "Rate limit reached. Please try again in 7m12s."
    with (
        ChatServer(lambda number, body: failure(429, said)) as server,
        pytest.raises(TeacherError, match=r"left alone for 432 s: Rate limit reached"),
    ):
        complete(teacher(server), ASKED)
    assert len(server.bodies) == 1


def test_an_answer_that_a_filter_cut_is_not_finished() -> None:
    with ChatServer(lambda number, body: answer(body, "The", finish="content_filter")) as server:
        found = complete(teacher(server), ASKED[:1])
    assert [text.finished for text in found[0] if isinstance(text, Completion)] == [False, False]
