"""`dlm prompt` and `dlm repl`: answers from the notes or from the model, and where they stand.

Each question stands alone: the model was trained on single turns.
"""

from __future__ import annotations

import contextlib
import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dlm.cli.common import note, print_json, read_document, shown, split_path
from dlm.cli.options import JsonOption, PathArgument, SeedOption, TopPOption
from dlm.errors import UsageError

if TYPE_CHECKING:
    from dlm.doc.document import Document
    from dlm.engine.answer import Sampling
    from dlm.engine.asking import Reply


VersionOption = Annotated[
    str | None,
    typer.Option("--version", metavar="vNNNN", help="Ask this version instead of the current one."),
]
BaseOnlyOption = Annotated[
    bool, typer.Option("--base-only", help="Ask the base, without any adapter.")
]
ClosedOption = Annotated[
    bool, typer.Option("--closed", help="Ask the model alone, without looking into the notes.")
]
MaxTokensOption = Annotated[
    int, typer.Option("--max-tokens", min=1, help="Longest answer, in tokens.")
]
TempOption = Annotated[
    float, typer.Option("--temp", min=0.0, max=5.0, help="0 always takes the likeliest token.")
]


def prompt(
    path: PathArgument = None,
    question: Annotated[
        str | None,
        typer.Argument(metavar="[QUESTION]", help="Read from standard input when left out."),
    ] = None,
    closed: ClosedOption = False,
    batch: Annotated[
        str | None,
        typer.Option(
            "--batch", metavar="FILE", help="Answer every question of this file, a JSON line each."
        ),
    ] = None,
    max_tokens: MaxTokensOption = 128,
    temp: TempOption = 0.0,
    top_p: TopPOption = 1.0,
    seed: SeedOption = 0,
    version: VersionOption = None,
    base_only: BaseOnlyOption = False,
    as_json: JsonOption = False,
) -> None:
    """Ask the document a question."""
    from dlm.engine.answer import Sampling

    choice = Choice(Sampling(max_tokens, temp, top_p, seed), version, base_only, closed)
    ask_one(path, question, choice, batch=batch, as_json=as_json)


def repl(
    path: PathArgument = None,
    closed: ClosedOption = False,
    max_tokens: MaxTokensOption = 128,
    temp: TempOption = 0.0,
    top_p: TopPOption = 1.0,
    seed: SeedOption = 0,
    version: VersionOption = None,
    base_only: BaseOnlyOption = False,
) -> None:
    """Ask one question after another."""
    from dlm.engine.answer import Sampling

    choice = Choice(Sampling(max_tokens, temp, top_p, seed), version, base_only, closed)
    _check(choice)
    with contextlib.suppress(ImportError):
        import readline  # noqa: F401  (line editing for input())
    document = read_document(path)
    respond = _Responder(document, choice)
    note(f"{respond.who}; an empty line or Ctrl-D ends")
    while question := _next_question():
        respond(question, _write)


@dataclass(frozen=True, slots=True)
class Choice:
    """What is asked and how, as the options of both commands say it."""

    sampling: Sampling
    version: str | None
    base_only: bool
    closed: bool


def ask_one(
    path: str | None, question: str | None, choice: Choice, *, batch: str | None, as_json: bool
) -> None:
    """Answer the question, or every question of the file `batch`."""
    _check(choice)
    if batch is not None:
        if question is not None:
            raise UsageError("a question and --batch exclude each other")
        _ask_file(read_document(path), batch, choice)
        return
    path, question = split_path(path, question)
    document = read_document(path)
    text = question if question not in (None, "-") else _from_stdin()
    if not str(text).strip():
        raise UsageError("the question is empty", hint='dlm prompt notes.dlm "What …?"')
    began = time.monotonic()
    respond = _Responder(document, choice)
    reply = respond(str(text), None if as_json else _write)
    if as_json:
        print_json({**reply_json(reply), "seconds": round(time.monotonic() - began, 3)})
        return
    if not reply.finished:
        note(f"note: cut at {choice.sampling.max_tokens} tokens; --max-tokens allows more")


def _check(choice: Choice) -> None:
    if choice.version is not None and choice.base_only:
        raise UsageError("--version and --base-only exclude each other")


class _Responder:
    """Answers as the options say, and tells on standard error what the owner should know."""

    def __init__(self, document: Document, choice: Choice) -> None:
        from dlm.engine.asking import Engine

        self._engine = engine = Engine(
            document,
            version=choice.version,
            base_only=choice.base_only,
            sampling=choice.sampling,
        )
        self._closed = choice.closed or not engine.is_open
        self._told = 0
        if self._closed:
            model = engine.model()
            self.who = f"{model.version or 'bare base'} on {model.base}"
        else:
            notes = engine.notes()
            if notes.are_read:
                engine.model()
            version = notes.version or "not trained"
            self.who = f"the notes of {document.path}, {version} on {notes.base}"
        self._tell()
        if not self._closed and engine.notes().version is None:
            note("note: not trained yet; what follows stands in the notes")

    def __call__(self, question: str, on_text: Callable[[str], None] | None) -> Reply:
        write = None if on_text is None else lambda text: on_text(shown(text))
        reply = self._engine.ask(question, closed=self._closed, on_text=write)
        self._tell()
        if on_text:
            where = self._engine.where(reply)
            hint = "(--closed asks the model alone)" if reply.declined else ""
            on_text("".join(f"\n  {shown(text)}" for text in (where, hint) if text) + "\n")
        return reply

    def _tell(self) -> None:
        for text in self._engine.notices[self._told :]:
            note(f"note: {text}")
        self._told = len(self._engine.notices)


def reply_json(reply: Reply) -> dict[str, Any]:
    """The facts of a reply, of the model where it was asked alone, else of the notes."""
    asked = {"question": reply.question, "answer": reply.text}
    who = {"version": reply.version, "base": reply.base, "engine": reply.engine}
    if reply.tokens is not None:
        prompt, tokens = reply.tokens
        return {
            **asked,
            **who,
            "prompt_tokens": prompt,
            "tokens": tokens,
            "finished": reply.finished,
        }
    return {
        **asked,
        "declined": reply.declined,
        **who,
        "line": reply.line,
        "file": reply.file,
        "trained": reply.trained,
        "passages": [asdict(one) for one in reply.passages],
    }


def _ask_file(document: Document, batch: str, choice: Choice) -> None:
    rows = list(_questions(batch))
    respond = _Responder(document, choice)
    for row in rows:
        answer = {**row, **reply_json(respond(row["question"], None))}
        print(json.dumps(answer, ensure_ascii=False, default=str), flush=True)


def _questions(batch: str) -> Iterator[dict[str, Any]]:
    """The rows of a file of questions; each is an object or a record with a `question`."""
    from dlm.sources.rows_file import read_rows

    hint = 'a row is {"question": "What …?"}; its other keys are handed through'
    file = read_rows(Path(batch), "file of questions", hint=hint)
    for line, row in file.rows:
        asked = row.get("question") if isinstance(row, dict) else None
        if not isinstance(asked, str) or not asked.strip():
            raise file.error(line, "there is no question in this row")
        yield row


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


def _next_question() -> str:
    try:
        return input("> " if sys.stdin.isatty() else "").strip()
    except EOFError:
        return ""
