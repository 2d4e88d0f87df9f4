"""`dlm serve` as OpenAI's own client sees it, over a real socket."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import openai
import pytest
from serve_kit import FACTS, IDS, Served, document, serving, train

QUESTION, ANSWER = next(iter(FACTS.items()))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, home: Path) -> Iterator[Served]:
    """Two documents: one that is trained, and one that is not."""
    folder = tmp_path_factory.mktemp("notes")
    club, fresh = folder / "club.dlm", folder / "fresh.dlm"
    club.write_text(document())
    fresh.write_text(document(IDS[1], {"Where is the key?": "It hangs in the shed."}))
    train(club, home)
    with serving(club, fresh, home=home) as served:
        yield served


@pytest.fixture(scope="module")
def client(served: Served) -> openai.OpenAI:
    return served.client()


def ask(client: openai.OpenAI, model: str, question: str = QUESTION, **more: Any) -> Any:
    messages: Any = [{"role": "user", "content": question}]
    return client.chat.completions.create(model=model, messages=messages, **more)


def said(chunks: Any) -> str:
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)


def test_every_way_to_ask_is_a_model(client: openai.OpenAI) -> None:
    assert [model.id for model in client.models.list()] == [
        *("club", "club:closed", "club@base", "club@v0001"),
        *("fresh", "fresh@base"),
    ]
    assert client.models.retrieve("club@v0001").owned_by == "dlm"


def test_the_notes_answer_and_say_where(client: openai.OpenAI) -> None:
    reply = ask(client, "club")
    assert reply.choices[0].message.content == ANSWER
    assert reply.choices[0].finish_reason == "stop"
    facts = reply.dlm
    assert (facts["answered_by"], facts["version"], facts["trained"]) == ("notes", "v0001", True)
    assert document().split("\n")[facts["line"] - 1] == ANSWER
    assert facts["passages"][0]["line"] == facts["line"]
    assert ANSWER in facts["passages"][0]["text"]
    assert len(facts["index"]) == 12
    assert ask(client, "club", "Which moons did Galileo see?").dlm["declined"] is True


def test_the_model_alone_answers_what_it_learned(client: openai.OpenAI) -> None:
    for model in ("club:closed", "club@v0001:closed"):
        reply = ask(client, model)
        assert reply.choices[0].message.content == ANSWER
        assert (reply.dlm["answered_by"], reply.dlm["version"]) == ("model", "v0001")
    base = ask(client, "club@base", max_tokens=8)
    assert base.dlm["version"] is None
    assert base.choices[0].message.content != ANSWER


@pytest.mark.parametrize("model", ["club", "club:closed"])
def test_a_stream_says_the_same_as_a_whole_answer(client: openai.OpenAI, model: str) -> None:
    options = {"include_usage": True}
    chunks = list(ask(client, model, stream=True, stream_options=options))
    whole = ask(client, model)
    assert said(chunks) == whole.choices[0].message.content == ANSWER
    assert chunks[-1].usage == whole.usage
    assert chunks[-2].choices[0].finish_reason == "stop"
    assert chunks[-2].dlm == whole.dlm


def test_many_at_once_say_what_each_says_alone(client: openai.OpenAI) -> None:
    models = ("club:closed", "club@base", "club", "fresh@base")
    asked = [(model, question) for question in FACTS for model in models]

    def answer(one: tuple[str, str]) -> str:
        return said(ask(client, *one, stream=True, max_tokens=12))

    alone = [answer(one) for one in asked]
    with ThreadPoolExecutor(32) as pool:
        assert list(pool.map(answer, asked * 2)) == alone * 2


def test_a_stop_text_ends_an_answer_wherever_its_tokens_are_cut(client: openai.OpenAI) -> None:
    for model in ("club", "club:closed"):
        for stop, left in (("dark gr", "It is painted"), ("ai", "It is p"), ("never said", ANSWER)):
            reply = ask(client, model, stop=[stop])
            assert reply.choices[0].message.content == left
            assert reply.choices[0].finish_reason == "stop"
            assert said(ask(client, model, stop=[stop], stream=True)) == left
        cut = ask(client, model, max_completion_tokens=2)
        assert cut.choices[0].finish_reason == "length"
        assert ANSWER.startswith(cut.choices[0].message.content)
        assert cut.usage.completion_tokens == 2


def test_the_same_seed_draws_the_same_whatever_is_asked_beside_it(client: openai.OpenAI) -> None:
    def draw(seed: int) -> list[str]:
        reply = ask(client, "club@base", temperature=1.2, seed=seed, n=3, max_tokens=12)
        return [choice.message.content for choice in reply.choices]

    alone = [draw(seed) for seed in range(3)]
    assert len({*alone[0], *alone[1], *alone[2]}) > 3
    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(draw, [0, 1, 2, 0, 1, 2])) == alone * 2


def test_logprobs_are_those_of_the_tokens_that_are_said(client: openai.OpenAI) -> None:
    reply = ask(client, "club:closed", logprobs=True, top_logprobs=2)
    entries = reply.choices[0].logprobs.content
    assert "".join(entry.token for entry in entries).strip() == ANSWER
    for entry in entries:
        assert bytes(entry.bytes).decode() == entry.token
        assert entry.top_logprobs[0].token == entry.token  # the likeliest, at temperature 0
        assert entry.top_logprobs[1].logprob <= entry.logprob <= 0


def test_a_completion_goes_on_with_a_text(client: openai.OpenAI) -> None:
    named: Any = {"model": "club:closed", "max_tokens": 6}
    whole = client.completions.create(prompt=["The boat", "The oars"], echo=True, **named)
    assert [choice.text[:8] for choice in whole.choices] == ["The boat", "The oars"]
    streamed = ["", ""]
    for chunk in client.completions.create(
        prompt=["The boat", "The oars"], echo=True, stream=True, **named
    ):
        streamed[chunk.choices[0].index] += chunk.choices[0].text
    assert streamed == [choice.text for choice in whole.choices]
    scored = client.completions.create(prompt="The boat", logprobs=2, **named).choices[0]
    assert scored.logprobs is not None
    assert "".join(scored.logprobs.tokens or []) == scored.text
    assert len(scored.logprobs.top_logprobs or []) == 6


@pytest.mark.parametrize(
    ("param", "value"),
    [
        ("response_format", {"type": "json_object"}),
        ("tools", [{"type": "function", "function": {"name": "look"}}]),
        ("frequency_penalty", 0.5),
        ("logit_bias", {"1": 5}),
        ("n", 17),
        ("temperature", -1),
        ("stop", [""]),
        ("logprobs", True),  # of a quote
        ("reasoning_effort", "low"),
    ],
)
def test_what_cannot_be_kept_is_refused_by_name(
    client: openai.OpenAI, param: str, value: Any
) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        ask(client, "club", extra_body={param: value})
    assert caught.value.param == param
    assert param in caught.value.message


def test_what_changes_nothing_is_taken(client: openai.OpenAI) -> None:
    harmless: Any = {"user": "u", "metadata": {"a": "b"}, "store": False, "presence_penalty": 0}
    reply = ask(client, "club", **harmless, response_format={"type": "text"}, tools=[])
    assert reply.choices[0].message.content == ANSWER


def test_who_is_not_there_is_a_404_that_says_who_is(client: openai.OpenAI) -> None:
    for model in ("nobody", "club@v0009", "fresh:closed", "club:open"):
        with pytest.raises(openai.NotFoundError, match="club:closed") as caught:
            ask(client, model)
        assert caught.value.code == "model_not_found"
    with pytest.raises(openai.BadRequestError, match="not trained"):
        ask(client, "fresh", "Where is the key?", temperature=0.7)
    assert ask(client, "fresh", "Where is the key?").dlm["trained"] is False


def test_a_save_is_in_the_next_answer(served: Served, client: openai.OpenAI) -> None:
    question = "Where is the key?"
    before = ask(client, "fresh", question)
    served.folder.joinpath("fresh.dlm").write_text(document(IDS[1], {question: "On the slate."}))
    after = ask(client, "fresh", question)
    assert after.choices[0].message.content == "On the slate."
    assert after.dlm["index"] != before.dlm["index"]
    served.folder.joinpath("fresh.dlm").write_text("---\nhalf of a save")
    assert ask(client, "fresh", question).dlm["index"] == after.dlm["index"]
