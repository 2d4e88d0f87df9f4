"""`dlm prompt` and `dlm repl`: answers from the notes or from the model, and where they stand.

Each question stands alone: the model was trained on single turns.
"""

from __future__ import annotations

import contextlib
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlm.cli.common import note, print_json, read_document, shown, split_path
from dlm.errors import DlmError, UsageError

if TYPE_CHECKING:
    from dlm.data.chat import Message
    from dlm.doc.document import Document
    from dlm.engine.answer import Answerer, Sampling
    from dlm.engine.notes import Notes
    from dlm.engine.open_book import OpenAnswer


@dataclass(frozen=True, slots=True)
class Asking:
    """An answerer and the version it speaks for; None is the bare base."""

    answerer: Answerer
    version: str | None
    base: str


@dataclass(frozen=True, slots=True)
class Choice:
    """What is asked and how, as the options of both commands say it."""

    sampling: Sampling
    version: str | None
    base_only: bool
    closed: bool

    def is_closed(self, document: Document) -> bool:
        """Whether the model answers alone: asked for, sampled, a document of style or of none."""
        from dlm.index import passages

        return (
            self.closed
            or self.base_only
            or self.sampling.temperature > 0
            or not document.frontmatter.training.open_book
            or not passages(document)
        )


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
    respond = _responder(document, choice)
    answer = respond(str(text), None if as_json else _write)
    if as_json:
        print_json({**answer, "seconds": round(time.monotonic() - began, 3)})
        return
    if not answer.get("finished", True):
        note(f"note: cut at {choice.sampling.max_tokens} tokens; --max-tokens allows more")


def ask_many(path: str | None, choice: Choice) -> None:
    """Answer one question after another, from the document as it is saved at that moment."""
    _check(choice)
    with contextlib.suppress(ImportError):
        import readline  # noqa: F401  (line editing for input())
    document = read_document(path)
    respond = _responder(document, choice)
    note(f"{respond.who}; an empty line or Ctrl-D ends")
    while question := _next_question():
        respond(question, _write)


def _check(choice: Choice) -> None:
    if choice.version is not None and choice.base_only:
        raise UsageError("--version and --base-only exclude each other")


class _Closed:
    """The model alone."""

    def __init__(self, document: Document, choice: Choice) -> None:
        self._asking = open_asking(document, version=choice.version, base_only=choice.base_only)
        self._sampling = choice.sampling
        self.who = f"{self._asking.version or 'bare base'} on {self._asking.base}"

    def __call__(self, question: str, on_text: Any) -> dict[str, Any]:
        asking = self._asking
        messages: list[Message] = [{"role": "user", "content": question}]
        answer = asking.answerer.answer(messages, self._sampling, on_text)
        if on_text:
            on_text("\n")
        return {
            "question": question,
            "answer": answer.text,
            "version": asking.version,
            "base": asking.base,
            "engine": asking.answerer.engine_name,
            "prompt_tokens": answer.prompt_tokens,
            "tokens": answer.tokens,
            "finished": answer.finished,
        }


class _Open:
    """The notes, quoted or read by the model, and the line where the answer stands."""

    def __init__(self, document: Document, choice: Choice) -> None:
        from dlm.engine.notes import Notes

        self._notes = notes = Notes.open(document, choice.version)
        self._sampling = choice.sampling
        self._asking: Asking | None = None
        if notes.are_read:  # loading the model says what the store has to say
            self._asking = open_asking(document, version=choice.version, base_only=False)
        else:
            for text in notes.notices:
                note(f"note: {text}")
        if notes.version is None:
            note("note: not trained yet; what follows stands in the notes")
        self.who = f"the notes of {document.path}, {notes.version or 'not trained'} on {notes.base}"

    def __call__(self, question: str, on_text: Any) -> dict[str, Any]:
        from dlm.engine.open_book import quote_notes, read_notes

        notes = self._notes
        try:
            notes.refresh()
        except DlmError as error:
            note(f"note: answered from the notes as they were: {error}")
        if self._asking is None:
            answer = quote_notes(notes.index, question)
            if on_text:
                on_text(shown(answer.text))
        else:
            answer = read_notes(
                notes.index, question, self._asking.answerer, self._sampling, on_text
            )
        if on_text:
            on_text("\n" + _where(notes, answer))
        return {
            "question": question,
            "answer": answer.text,
            "declined": answer.declined,
            "version": notes.version,
            "base": notes.base,
            "engine": "notes" if self._asking is None else self._asking.answerer.engine_name,
            "line": answer.source.line if answer.source else None,
            "trained": notes.trained(answer),
            "passages": [
                {
                    "line": one.passage.line,
                    "text": one.passage.text,
                    "score": round(one.score, 3),
                }
                for one in answer.passages
            ],
        }


def _where(notes: Notes, answer: OpenAnswer) -> str:
    """The line under an answer: where it stands, with what stands there unless that was quoted."""
    source = answer.source
    if source is None:
        return "  (--closed asks the model alone)\n" if answer.declined else ""
    name = notes.document.path.name if notes.document.path else "the notes"
    told = f"  {shown(name)}:{source.line}"
    if source.text != answer.text:
        told += f"  {shown(source.text)}"
    if not notes.follow:
        told += f"  (as of {notes.version})"
    elif notes.version is not None and notes.trained(answer) is False:
        told += f"  (saved after {notes.version}, not trained yet)"
    return told + "\n"


def _responder(document: Document, choice: Choice) -> _Closed | _Open:
    return (_Closed if choice.is_closed(document) else _Open)(document, choice)


def _ask_file(document: Document, batch: str, choice: Choice) -> None:
    rows = list(_questions(batch))
    respond = _responder(document, choice)
    for row in rows:
        answer = {**row, **respond(row["question"], None)}
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
