"""`dlm prompt`: one question, one answer."""

from __future__ import annotations

import sys
import time

from dlm.cli.common import note, print_json, read_document, split_path
from dlm.errors import UsageError


def run(
    path: str | None,
    question: str | None,
    *,
    max_tokens: int,
    temperature: float,
    top_p: float,
    seed: int,
    version: str | None,
    base_only: bool,
    as_json: bool,
) -> None:
    from dlm.cli.asking import open_asking
    from dlm.engine.answer import Sampling

    if version is not None and base_only:
        raise UsageError("--version and --base-only exclude each other")
    path, question = split_path(path, question)
    document = read_document(path)
    text = question if question not in (None, "-") else _from_stdin()
    began = time.monotonic()
    asking = open_asking(document, version=version, base_only=base_only)
    stream = None if as_json else _write
    answer = asking.answerer.answer(
        [{"role": "user", "content": str(text)}],
        Sampling(max_tokens, temperature, top_p, seed),
        stream,
    )
    if as_json:
        print_json(
            {
                "question": text,
                "answer": answer.text,
                "version": asking.version,
                "base": asking.base,
                "engine": asking.answerer.engine_name,
                "prompt_tokens": answer.prompt_tokens,
                "tokens": answer.tokens,
                "finished": answer.finished,
                "seconds": round(time.monotonic() - began, 3),
            }
        )
        return
    print()
    if not answer.finished:
        note(f"note: cut at {max_tokens} tokens; --max-tokens allows more")


def _from_stdin() -> str:
    if sys.stdin.isatty():
        raise UsageError(
            "there is no question", hint='dlm prompt notes.dlm "What …?", or pipe it in'
        )
    text = sys.stdin.read().strip()
    if not text:
        raise UsageError("the question on standard input is empty")
    return text


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
