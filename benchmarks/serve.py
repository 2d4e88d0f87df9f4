"""Tokens a second of `dlm serve`: one stream after another, and many at once.

    uv run python benchmarks/serve.py [--streams N] [--json]

A document of 30 pairs is trained on the embedded base, as `benchmarks/watch.py` has it, and served
by a process as a user runs it. OpenAI's client, in a process of its own, asks its questions of the
model alone at temperature 0, as streams; each answer is compared with the one it gave before.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import openai
import watch


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--streams", type=int, default=64)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    os.environ["HF_HUB_OFFLINE"] = "1"
    with tempfile.TemporaryDirectory() as home:
        os.environ.setdefault("DLM_HOME", home)
        path = Path(home) / "club.dlm"
        watch.save(path, 0)
        dlm = [sys.executable, "-m", "dlm.cli.app"]
        subprocess.run([*dlm, "train", str(path)], check=True, stdout=subprocess.DEVNULL)
        serving = subprocess.Popen(
            [*dlm, "serve", str(path), "--port", "0", "--json"], stdout=subprocess.PIPE, text=True
        )
        try:
            results = measure(address(serving), options.streams)
        finally:
            serving.terminate()
            serving.wait()
    print(json.dumps(results, indent=2) if options.json else table(results))


def address(serving: subprocess.Popen[str]) -> str:
    assert serving.stdout is not None
    text = ""
    while not text.endswith("}\n"):
        text += serving.stdout.readline()
    return str(json.loads(text)["url"])


def measure(url: str, streams: int) -> dict[str, Any]:
    client = openai.OpenAI(base_url=url, api_key="none", max_retries=0, timeout=600)
    questions = [line.split("|")[0] for line in watch.FACTS.split("\n")]
    asked = [questions[number % len(questions)] for number in range(streams)]
    ask(client, questions[0])  # the model is loaded by then
    began = time.monotonic()
    alone = [ask(client, question) for question in asked]
    one_by_one = time.monotonic() - began
    with ThreadPoolExecutor(streams) as pool:
        list(pool.map(lambda question: ask(client, question), asked))  # connections are open
        began = time.monotonic()
        together = list(pool.map(lambda question: ask(client, question), asked))
        at_once = time.monotonic() - began
    tokens = sum(count for _, count in alone)
    return {
        "streams": streams,
        "tokens": tokens,
        "one by one, tokens/s": round(tokens / one_by_one, 1),
        "at once, tokens/s": round(tokens / at_once, 1),
        "ratio": round(one_by_one / at_once, 2),
        "answers that differ": sum(a != b for a, b in zip(alone, together, strict=True)),
    }


def ask(client: openai.OpenAI, question: str) -> tuple[str, int]:
    """What the stream says, and its number of tokens."""
    messages: Any = [{"role": "user", "content": question}]
    stream = client.chat.completions.create(
        model="club:closed", messages=messages, stream=True, stream_options={"include_usage": True}
    )
    said, tokens = "", 0
    for chunk in stream:
        said += (chunk.choices[0].delta.content or "") if chunk.choices else ""
        tokens = chunk.usage.completion_tokens if chunk.usage else tokens
    return said, tokens


def table(results: dict[str, Any]) -> str:
    width = max(map(len, results))
    return "\n".join(f"{name:<{width}}  {value}" for name, value in results.items())


if __name__ == "__main__":
    main()
