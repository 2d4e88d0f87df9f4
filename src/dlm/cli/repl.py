"""`dlm repl`: questions one after another, each alone: the model was trained on single turns."""

from __future__ import annotations

import contextlib
import sys

from dlm.cli.common import note, read_document


def run(
    path: str | None,
    *,
    max_tokens: int,
    temperature: float,
    top_p: float,
    seed: int,
    version: str | None,
    base_only: bool,
) -> None:
    from dlm.cli.asking import open_asking
    from dlm.engine.answer import Sampling

    with contextlib.suppress(ImportError):
        import readline  # noqa: F401  (line editing for input())
    asking = open_asking(read_document(path), version=version, base_only=base_only)
    sampling = Sampling(max_tokens, temperature, top_p, seed)
    note(f"{asking.version or 'bare base'} on {asking.base}; an empty line or Ctrl-D ends")
    while question := _ask():
        asking.answerer.answer([{"role": "user", "content": question}], sampling, _write)
        print()


def _ask() -> str:
    try:
        return input("> " if sys.stdin.isatty() else "").strip()
    except EOFError:
        return ""


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
