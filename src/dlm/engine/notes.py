"""The notes behind an answer: which text is asked, and what of it is trained.

Of a document as it is, the files beside it are asked as they are; of a version, as it was taught.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dlm.base_models import base_of
from dlm.doc.document import Document
from dlm.doc.parser import parse_file, parse_text
from dlm.engine.open_book import READS_FROM, OpenAnswer
from dlm.errors import StoreError
from dlm.index import Index, passages
from dlm.index.search import said
from dlm.sources.reading import Piece, Sources, read_sources
from dlm.store import improving
from dlm.store.records import Version
from dlm.store.store import Store, open_store


@dataclass(slots=True)
class Notes:
    """One text of a document as an index.

    `version` is what is trained of it, None for nothing; `are_read` says that its base is large
    enough to read passages, `follow` that the file is looked at again for each question. `taught`
    holds all that the version was trained on and could be quoted, None where that text was not
    kept. `notices` are those of the store.
    """

    document: Document
    index: Index
    version: str | None
    base: str
    are_read: bool
    follow: bool
    taught: frozenset[str] | None
    notices: tuple[str, ...] = ()
    _stamp: tuple[object, ...] | None = field(default=None)

    @classmethod
    def open(cls, document: Document, version: str | None) -> Notes:
        """The document as it is saved, or as it was when `version` was trained.

        Raises StoreError when there is no such version, or its text was not kept.
        """
        base = base_of(document)
        with open_store(document) as store:
            notices = tuple(store.notices)
            chosen = store.version(version) if version is not None else store.current()
            snapshot = _snapshot(store, chosen, document) if chosen else None
            taught = _taught(store, chosen) if chosen else ()
        if version is not None:
            if snapshot is None:
                raise StoreError(
                    f"the text that {version} was trained on was not kept",
                    hint="`--closed` asks the model of that version alone",
                )
            document = snapshot
        sources = Sources(taught) if version is not None else read_sources(document)
        return cls(
            document,
            Index(document, sources.pieces),
            version=chosen.name if chosen else None,
            base=base.key,
            are_read=base.params >= READS_FROM and chosen is not None,
            follow=version is None,
            taught=_quotable(snapshot, taught) if snapshot is not None else None,
            notices=notices,
            _stamp=_stamp(document.path, sources),
        )

    def refresh(self) -> None:
        """Take in what was saved since; DlmError when that is no document, and what was stays."""
        path = self.document.path
        if not self.follow or path is None:
            return
        sources = read_sources(self.document)
        stamp = _stamp(path, sources)
        if stamp == self._stamp:
            return
        self._stamp = stamp
        self.document = parse_file(path)
        self.index = self.index.updated(self.document, read_sources(self.document).pieces)

    def trained(self, answer: OpenAnswer) -> bool | None:
        """Whether the version was trained on what the answer was taken from; None if unknown."""
        if answer.source is None or (self.version is not None and self.taught is None):
            return None
        return self.taught is not None and answer.source.text in self.taught


def _snapshot(store: Store, version: Version, document: Document) -> Document | None:
    """The document that the version was trained on, None where its text was not kept."""
    wanted = store.run_of(version).document_sha256
    if wanted == document.sha256:
        return document
    text = improving.kept_text(store.database, wanted)
    return None if text is None else parse_text(text.decode(), path=document.path)


def _taught(store: Store, version: Version) -> tuple[Piece, ...]:
    """What the version was taught of files beside its document."""
    return tuple(
        Piece(one.lesson.file, one.lesson.line, one.lesson.text, one.lesson.section_id)
        for one in store.memory(version)
        if one.lesson.file and not one.removed
    )


def _quotable(document: Document, taught: Sequence[Piece]) -> frozenset[str]:
    return frozenset(text for one in passages(document, taught) for text, _ in said(one))


def _stamp(path: Path | None, sources: Sources) -> tuple[object, ...] | None:
    """What tells one state of the file, and of those beside it; None while there is none."""
    try:
        found = path.stat() if path else None
    except OSError:
        return None
    return (found.st_mtime_ns, found.st_size, *sources.state) if found else None
