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
