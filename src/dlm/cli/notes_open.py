"""The notes behind an answer: which text of the document is asked, and what of it is trained."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from dlm.cli.common import note, shown
from dlm.errors import DlmError, StoreError

if TYPE_CHECKING:
    from dlm.doc.document import Document
    from dlm.engine.open_book import OpenAnswer
    from dlm.index import Index
    from dlm.store.records import Version
    from dlm.store.store import Store


@dataclass(slots=True)
class Notes:
    """One text of a document as an index. `version` is what is trained of it, None for nothing.

    `taught` holds everything that the version was trained on and could be quoted; None where the
    text it was trained on was not kept.
    """

    document: Document
    index: Index
    version: str | None
    base: str
    are_read: bool
    follows: bool
    taught: frozenset[str] | None
    _stamp: tuple[int, int] | None = field(default=None)

    @classmethod
    def open(cls, document: Document, version: str | None) -> Notes:
        """The document as it is saved, or as it was when `version` was trained.

        Raises StoreError when there is no such version, or its text was not kept.
        """
        from dlm.base_models import base_of
        from dlm.engine.open_book import READS_FROM
        from dlm.index import Index
        from dlm.store.store import Store

        base = base_of(document)
        taught: frozenset[str] | None = None
        with Store.open(
            document.frontmatter.dlm_id, base_model=document.frontmatter.base_model
        ) as store:
            for text in store.notices:
                note(f"note: {text}")
            chosen = store.version(version) if version is not None else store.current()
            snapshot = _snapshot(store, chosen, document) if chosen else None
        if version is not None:
            if snapshot is None:
                raise StoreError(
                    f"the text that {version} was trained on was not kept",
                    hint="`--closed` asks the model of that version alone",
                )
            document = snapshot
        if snapshot is not None:
            taught = frozenset(_quotable(Index(snapshot)))
        notes = cls(
            document,
            Index(document),
            chosen.name if chosen else None,
            base.key,
            base.params >= READS_FROM and chosen is not None,
            version is None,
            taught,
        )
        notes._stamp = _stamp(document.path)
        if chosen is None:
            note("note: not trained yet; what follows stands in the notes")
        return notes

    @property
    def who(self) -> str:
        """Who answers, for a greeting."""
        return f"the notes of {self.document.path}, {self.version or 'not trained'} on {self.base}"

    def current_index(self) -> Index:
        """The index of the file as it is saved now; while it is no document, of what it was."""
        path = self.document.path
        stamp = _stamp(path)
        if not self.follows or path is None or stamp == self._stamp:
            return self.index
        from dlm.doc.parser import parse_file

        self._stamp = stamp
        try:
            self.document = parse_file(path)
        except DlmError as error:
            note(f"note: answered from the notes as they were: {error}")
            return self.index
        self.index = self.index.updated(self.document)
        return self.index

    def trained(self, answer: OpenAnswer) -> bool | None:
        """Whether the version was trained on what the answer was taken from; None if unknown."""
        if answer.source is None or (self.version is not None and self.taught is None):
            return None
        return self.taught is not None and answer.source.text in self.taught

    def where(self, answer: OpenAnswer, *, repeat: bool) -> str:
        """The line under an answer: where it stands, with what stands there if `repeat`."""
        source = answer.source
        if source is None:
            return "  (--closed asks the model alone)\n" if answer.declined else ""
        name = self.document.path.name if self.document.path else "the notes"
        told = f"  {shown(str(name))}:{source.line}"
        if repeat:
            told += f"  {shown(source.text)}"
        if not self.follows:
            told += f"  (as of {self.version})"
        elif self.version is not None and self.trained(answer) is False:
            told += f"  (saved after {self.version}, not trained yet)"
        return told + "\n"


def _snapshot(store: Store, version: Version, document: Document) -> Document | None:
    """The document that the version was trained on, None where its text was not kept."""
    from dlm.doc.parser import parse_text
    from dlm.store import improving

    wanted = store.run_of(version).document_sha256
    if wanted == document.sha256:
        return document
    text = improving.kept_text(store.database, wanted)
    return None if text is None else parse_text(text.decode(), path=document.path)


def _quotable(index: Index) -> list[str]:
    from dlm.index.search import said

    return [text for one in index.passages for text, _ in said(one)]


def _stamp(path: Path | None) -> tuple[int, int] | None:
    """(modified, size) of the file; None while there is none."""
    try:
        found = path.stat() if path else None
    except OSError:
        return None
    return (found.st_mtime_ns, found.st_size) if found else None
