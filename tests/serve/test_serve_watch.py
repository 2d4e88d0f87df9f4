"""`dlm serve --watch`: no request fails while saves are trained, and the answers follow them."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import openai
import pytest
from serve_kit import document, serving, train

QUESTION = "What colour is the boathouse door?"


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_five_saves_are_answered_at_once_and_learned_later(tmp_path: Path) -> None:
    path, home = tmp_path / "club.dlm", tmp_path / "home"
    path.write_text(document(facts={QUESTION: "It is painted dark green."}))
    train(path, home)
    failed: list[Exception] = []
    asked = 0
    stop = threading.Event()
    with serving(path, "--watch", home=home) as served, served.client() as client:

        def answer(model: str) -> str:
            messages: Any = [{"role": "user", "content": QUESTION}]
            reply = client.chat.completions.create(model=model, messages=messages, max_tokens=20)
            return reply.choices[0].message.content or ""

        def keep_asking(model: str) -> None:
            nonlocal asked
            while not stop.wait(0.05):
                try:
                    answer(model)
                    asked += 1
                except openai.OpenAIError as error:
                    failed.append(error)

        def until(model: str, word: str, seconds: float) -> None:
            deadline = time.monotonic() + seconds
            while word not in answer(model):
                assert time.monotonic() < deadline, f"{model} does not say {word}"
                time.sleep(0.02)

        threads = [
            threading.Thread(target=keep_asking, args=(model,), daemon=True)
            for model in ("club", "club:closed")
        ]
        for thread in threads:
            thread.start()
        for colour in ("silver", "violet", "amber", "white", "scarlet"):
            path.write_text(document(facts={QUESTION: f"It is painted {colour}."}))
            until("club", colour, 1.0)
            until("club:closed", colour, 250.0)
        stop.set()
        for thread in threads:
            thread.join()
        assert failed == []
        assert asked > 50
        assert served.stop() == 0
