"""`dlm prompt` and `dlm repl`: which version answers, and its answers, each question alone.

The model was trained on single turns.
"""

from __future__ import annotations

import contextlib
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dlm.cli.common import note, print_json, read_document, split_path
from dlm.errors import UsageError

if TYPE_CHECKING:
    from dlm.doc.document import Document
    from dlm.engine.answer import Answerer


@dataclass(frozen=True, slots=True)
class Asking:
    """An answerer and the version it speaks for; None is the bare base."""

    answerer: Answerer
    version: str | None
    base: str


def open_asking(document: Document, *, version: str | None, base_only: bool) -> Asking:
    """Load what shall answer for the document.

    Raises StoreError when nothing is trained yet, CorruptStore when the weights are damaged, and
    BaseModelError when they belong to another base.
    """
    from dlm.base_models import base_of
    from dlm.base_models.locate import local_folder
    from dlm.engine.answer import open_answerer

    base = base_of(document)
    folder = local_folder(base)
    prompt = document.frontmatter.system_prompt
    if base_only:
        return Asking(open_answerer(base, folder, None, system_prompt=prompt), None, base.key)
    from dlm.engine.answer import check_base, choose_version
    from dlm.store.store import Store

    with Store.open(
        document.frontmatter.dlm_id, base_model=document.frontmatter.base_model
    ) as store:
        for text in store.notices:
            note(f"note: {text}")
        chosen = choose_version(store, document, version)
        check_base(store, chosen, folder, base.key)
        store.verify(chosen)
        with store.in_use(chosen):
            answerer = open_answerer(base, folder, chosen.path, system_prompt=prompt)
    return Asking(answerer, chosen.name, base.key)


def ask_one(
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


def ask_many(
    path: str | None,
    *,
    max_tokens: int,
    temperature: float,
    top_p: float,
    seed: int,
    version: str | None,
    base_only: bool,
) -> None:
    from dlm.engine.answer import Sampling

    with contextlib.suppress(ImportError):
        import readline  # noqa: F401  (line editing for input())
    asking = open_asking(read_document(path), version=version, base_only=base_only)
    sampling = Sampling(max_tokens, temperature, top_p, seed)
    note(f"{asking.version or 'bare base'} on {asking.base}; an empty line or Ctrl-D ends")
    while question := _next_question():
        asking.answerer.answer([{"role": "user", "content": question}], sampling, _write)
        print()


def _next_question() -> str:
    try:
        return input("> " if sys.stdin.isatty() else "").strip()
    except EOFError:
        return ""
