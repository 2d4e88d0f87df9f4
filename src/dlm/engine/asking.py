"""Asking a document: from its notes as they are saved, or the model of a version alone.

What decides between the two, and loads as little as the answer needs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from dlm.base_models import base_of
from dlm.base_models.locate import local_folder
from dlm.doc.document import Document
from dlm.engine.answer import Answerer, Sampling, check_base, choose_version, open_answerer
from dlm.engine.notes import Notes
from dlm.engine.open_book import model_alone, quote_notes, read_notes
from dlm.errors import DlmError
from dlm.index import Found, passages
from dlm.store.store import open_store

if TYPE_CHECKING:
    from dlm.data.chat import Message
    from dlm.engine.open_book import OpenAnswer

_GREEDY: Final = Sampling()


@dataclass(frozen=True, slots=True)
class Asking:
    """An answerer and the version it speaks for; None is the bare base."""

    answerer: Answerer
    version: str | None
    base: str
    notices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Cited:
    """A passage of the notes: the line it begins in, its text, and how well it fits.

    `file` is where it stands beside the document, None for the document itself.
    """

    line: int
    text: str
    score: float
    file: str | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer and where it comes from.

    `line` is where it stands in the notes, or in `file` beside them, and `quoted` what stands
    there, None when declined, when asked closed, and when no line holds what was written. `trained`
    says whether the version was trained on that text, None where nobody knows. `engine` is notes
    where they were quoted, else what ran the model. `tokens` are those of the prompt and of the
    answer, None when quoted; `finished` is False for an answer that was cut.
    """

    question: str
    text: str
    version: str | None
    base: str
    engine: str
    declined: bool = False
    line: int | None = None
    quoted: str | None = None
    trained: bool | None = None
    passages: tuple[Cited, ...] = ()
    tokens: tuple[int, int] | None = None
    finished: bool = True
    file: str | None = None


class Engine:
    """Answers questions about a document; it follows the file unless a `version` is named.

    With `base_only` the bare base is asked. What it needs is loaded with the first question, and
    `notices` then holds what the owner should know. Not for several threads at once.
    """

    def __init__(
        self,
        document: Document,
        *,
        version: str | None = None,
        base_only: bool = False,
        sampling: Sampling = _GREEDY,
    ) -> None:
        self.document = document
        self.version = version
        self.sampling = sampling
        self.notices: list[str] = []
        self._base_only = base_only
        self._notes: Notes | None = None
        self._asking: Asking | None = None
        self._is_open: bool | None = None

    @property
    def is_open(self) -> bool:
        """Whether questions are answered from the notes unless asked closed.

        They are not when sampled, of the bare base, for a document of style, and for one of none.
        """
        if self._is_open is None:
            self._is_open = not model_alone(
                self.document,
                lambda: passages(self.document),
                closed=self._base_only,
                temperature=self.sampling.temperature,
            )
        return self._is_open

    def ask(
        self,
        question: str,
        *,
        closed: bool = False,
        on_text: Callable[[str], None] | None = None,
    ) -> Reply:
        """Answer the question; `closed` asks the model alone. `on_text` gets it piece by piece.

        Raises StoreError when there is no version to ask, CorruptStore when its weights are
        damaged, and BaseModelError when they belong to another base.
        """
        if closed or not self.is_open:
            return self._closed(question, on_text)
        return self._open(question, on_text)

    def where(self, reply: Reply) -> str:
        """`notes.dlm:16` or `docs/lamp.md:4`, with what stands there unless that was quoted.

        Empty when it stands nowhere.
        """
        if reply.line is None:
            return ""
        notes = self.notes()
        name = notes.document.path.name if notes.document.path else "the notes"
        told = f"{reply.file or name}:{reply.line}"
        if reply.quoted != reply.text:
            told += f"  {reply.quoted}"
        if not notes.follow:
            told += f"  (as of {notes.version})"
        elif notes.version is not None and reply.trained is False:
            told += f"  (saved after {notes.version}, not trained yet)"
        return told

    def passages(self, question: str, *, most: int = 4) -> list[Cited]:
        """The passages of the notes that may answer, the likeliest first."""
        notes = self.notes()
        self._refresh(notes)
        return [_cited(one) for one in notes.index.search(question, most=most)]

    def notes(self) -> Notes:
        """The notes that are answered from, opened when they are first needed."""
        if self._notes is None:
            self._notes = Notes.open(self.document, self.version)
            self._tell(self._notes.notices)
        return self._notes

    def model(self) -> Asking:
        """The model that is asked, loaded when it is first needed."""
        if self._asking is None:
            self._asking = open_asking(
                self.document, version=self.version, base_only=self._base_only
            )
            self._tell(self._asking.notices)
        return self._asking

    def _closed(self, question: str, on_text: Callable[[str], None] | None) -> Reply:
        asking = self.model()
        messages: list[Message] = [{"role": "user", "content": question}]
        answer = asking.answerer.answer(messages, self.sampling, on_text)
        return Reply(
            question,
            answer.text,
            asking.version,
            asking.base,
            asking.answerer.engine_name,
            tokens=(answer.prompt_tokens, answer.tokens),
            finished=answer.finished,
        )

    def _open(self, question: str, on_text: Callable[[str], None] | None) -> Reply:
        notes = self.notes()
        self._refresh(notes)
        if not notes.are_read:
            answer = quote_notes(notes.index, question)
            if on_text:
                on_text(answer.text)
            return _reply(question, notes, answer, "notes")
        reader = self.model().answerer
        answer = read_notes(notes.index, question, reader, self.sampling, on_text)
        return _reply(question, notes, answer, reader.engine_name)

    def _refresh(self, notes: Notes) -> None:
        try:
            notes.refresh()
        except DlmError as error:
            self._tell([f"answered from the notes as they were: {error}"])
        self.document = notes.document if notes.follow else self.document

    def _tell(self, notices: tuple[str, ...] | list[str]) -> None:
        self.notices += [text for text in notices if text not in self.notices]


def open_asking(document: Document, *, version: str | None, base_only: bool) -> Asking:
    """Load what shall answer for the document.

    Raises StoreError when nothing is trained yet, CorruptStore when the weights are damaged, and
    BaseModelError when they belong to another base.
    """
    base = base_of(document)
    folder = local_folder(base)
    prompt = document.frontmatter.system_prompt
    if base_only:
        return Asking(open_answerer(base, folder, None, system_prompt=prompt), None, base.key)
    with open_store(document) as store:
        chosen = choose_version(store, document, version)
        check_base(store, chosen, folder, base.key)
        store.verify(chosen)
        with store.in_use(chosen):
            answerer = open_answerer(base, folder, chosen.path, system_prompt=prompt)
        return Asking(answerer, chosen.name, base.key, tuple(store.notices))


def _reply(question: str, notes: Notes, answer: OpenAnswer, engine: str) -> Reply:
    source = answer.source
    return Reply(
        question,
        answer.text,
        notes.version,
        notes.base,
        engine,
        declined=answer.declined,
        line=source.line if source else None,
        quoted=source.text if source else None,
        trained=notes.trained(answer),
        passages=tuple(_cited(one) for one in answer.passages),
        file=(source.passage.file or None) if source else None,
    )


def _cited(found: Found) -> Cited:
    passage = found.passage
    return Cited(passage.line, passage.text, round(found.score, 3), passage.file or None)
