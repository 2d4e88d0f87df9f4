"""The documents that are served: their notes as saved, their versions, and who a model id means.

Methods that look at the disk are for one thread, the desk's; adapters come into a model between
two of its steps. Documents on one base share its model.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections import OrderedDict
from collections.abc import AsyncIterator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

from dlm.base_models import base_of
from dlm.base_models.folder import fingerprint
from dlm.base_models.locate import local_folder
from dlm.data.chat import Codec
from dlm.doc.document import Document
from dlm.doc.parser import parse_file
from dlm.engine.adapters import Adapters
from dlm.engine.answer import check_base
from dlm.engine.batcher import Batcher
from dlm.engine.notes import Notes
from dlm.errors import DlmError, StoreError
from dlm.serve.refusals import Refused
from dlm.store.paths import StorePath, for_dlm
from dlm.store.records import Version, version_name, version_number
from dlm.store.store import open_store

_PINNED: Final = 4  # texts of earlier versions that are kept as an index
_ADAPTERS: Final = 8  # of one model, beside those in use
_SUFFIX: Final = re.compile(r"(?:@(?P<which>base|v?[0-9]{1,9}))?(?P<closed>:closed)?")


@dataclass(slots=True)
class SharedBase:
    """The model of one base, and the adapters in it: how many requests use each, oldest first."""

    batcher: Batcher
    codec: Codec
    folder: Path
    fingerprint: str
    users: OrderedDict[str, int] = field(default_factory=OrderedDict)
    loaded: set[str] = field(default_factory=set)
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


@dataclass(slots=True)
class Book:
    """One document. `notes` are as saved, `version` is the newest that can answer."""

    name: str
    path: Path
    document: Document
    base: SharedBase
    codec: Codec
    store: StorePath
    notes: Notes
    version: Version | None
    pointer: tuple[int, int] | None
    pinned: OrderedDict[str, Notes] = field(default_factory=OrderedDict)


@dataclass(frozen=True, slots=True)
class Speaker:
    """Who answers for a model id: a version's notes (None: nothing but the model) and adapter
    (None: the bare base)."""

    id: str
    book: Book
    notes: Notes | None
    version: Version | None
    bare: bool = False


class Shelf:
    """All that is served. Make one with `open`."""

    def __init__(self, books: Sequence[Book]) -> None:
        self.books = {book.name: book for book in books}
        self.bases = list({id(book.base): book.base for book in books}.values())
        self._loader = ThreadPoolExecutor(1, "dlm-loader")

    @classmethod
    def open(cls, paths: Sequence[Path]) -> Shelf:
        """Read every document; DlmError where one cannot be served."""
        bases: dict[str, SharedBase] = {}
        books: dict[str, Book] = {}
        for path in paths:
            book = _open_book(path, bases)
            if book.name in books:
                raise DlmError(
                    f"{books[book.name].document.path} and {path} would both be {book.name!r}",
                    hint="rename one of the files",
                )
            books[book.name] = book
        return cls(list(books.values()))

    def start(self) -> None:
        """Begin to load the models."""
        for shared in self.bases:
            shared.batcher.start()

    def close(self) -> None:
        for shared in self.bases:
            shared.batcher.close()
        self._loader.shutdown(wait=False, cancel_futures=True)

    @property
    def has_ended(self) -> bool:
        """Whether every model was let go of, after `close`."""
        return all(shared.batcher.has_ended for shared in self.bases)

    def models(self) -> Iterator[tuple[str, int]]:
        """(id, time it came to be) of everything that can be asked."""
        for book in self.books.values():
            versions = _versions(book)
            born = int(versions[-1].created_at.timestamp()) if versions else 0
            yield book.name, born
            if versions:
                yield f"{book.name}:closed", born
            yield f"{book.name}@base", 0
            for version in reversed(versions):
                yield f"{book.name}@{version.name}", int(version.created_at.timestamp())

    def find(self, model: str) -> Speaker:
        """Who the id means, the notes taken in as they are saved now; Refused when nobody."""
        for name in sorted(self.books, key=len, reverse=True):
            if model.startswith(name) and (match := _SUFFIX.fullmatch(model[len(name) :])):
                return self._speaker(model, self.books[name], match["which"], bool(match["closed"]))
        raise self._unknown(model, "there is no model {}")

    def _speaker(self, model: str, book: Book, which: str | None, closed: bool) -> Speaker:
        if which == "base":
            return Speaker(model, book, None, None, bare=True)
        if which is None:
            if book.version is None and closed:
                raise self._unknown(model, "{} is not trained yet")
            with contextlib.suppress(DlmError):  # what cannot be read now is answered as it was
                book.notes.refresh()
            return Speaker(model, book, None if closed else book.notes, book.version)
        name = version_name(version_number(which) or 0)
        version = next((one for one in _versions(book) if one.name == name), None)
        if version is None:
            raise self._unknown(model, "there is no model {}")
        return Speaker(model, book, None if closed else _pinned(book, name), version)

    def _unknown(self, model: str, sentence: str) -> Refused:
        shown = repr(model if len(model) <= 80 else f"{model[:79]}…")
        there = [name for name, _ in self.models()]
        more = f" and {len(there) - 8} more" if len(there) > 8 else ""
        message = f"{sentence.format(shown)}; there is {', '.join(there[:8])}{more}"
        return Refused(404, message, param="model", code="model_not_found")

    @contextlib.asynccontextmanager
    async def adapter(self, speaker: Speaker) -> AsyncIterator[str | None]:
        """The key of the speaker's adapter, which stays in its model while the context lasts."""
        if speaker.bare or speaker.version is None:
            yield None
            return
        shared = speaker.book.base
        key = _key(speaker.book, speaker.version)
        shared.users[key] = shared.users.get(key, 0) + 1
        try:
            if key not in shared.loaded:
                async with shared.lock:
                    await self._load(speaker.book, speaker.version, key)
            yield key
        finally:
            shared.users[key] -= 1
            shared.users.move_to_end(key)

    async def look(self) -> None:
        """Take in what was trained since: a version answers as soon as its adapter is loaded."""
        loop = asyncio.get_running_loop()
        for book in self.books.values():
            pointer = _stamp(book.store.current_pointer)
            if pointer == book.pointer:
                continue
            book.pointer = pointer
            version, notes = await loop.run_in_executor(self._loader, _current, book)
            async with self.adapter(Speaker(book.name, book, None, version)):
                book.version, book.notes = version, notes

    async def _load(self, book: Book, version: Version, key: str) -> None:
        """Put the adapter into the model, and let go of those long unused."""
        shared = book.base
        if key in shared.loaded:
            return
        idle = [one for one, users in shared.users.items() if not users]
        for old in idle[: max(0, len(shared.users) - _ADAPTERS)]:
            del shared.users[old]
            shared.loaded.discard(old)
            await asyncio.wrap_future(shared.batcher.call(partial(Adapters.remove, key=old)))
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._loader, _put_in, book, version, key)
        shared.loaded.add(key)


def _open_book(path: Path, bases: dict[str, SharedBase]) -> Book:
    document = parse_file(path)
    base = base_of(document)
    folder = local_folder(base)
    found = fingerprint(folder)
    codec = Codec.load(folder, system_prompt=document.frontmatter.system_prompt)
    held = f"{found} {base.quantization or ''}"
    if held not in bases:
        bases[held] = SharedBase(Batcher(base, folder, codec.pad_id), codec, folder, found)
    store = for_dlm(document.frontmatter.dlm_id)
    pointer = _stamp(store.current_pointer)
    notes = Notes.open(document, None)
    book = Book(path.stem, path, document, bases[held], codec, store, notes, None, pointer)
    book.version = next((v for v in _versions(book) if v.name == notes.version), None)
    return book


def _versions(book: Book) -> tuple[Version, ...]:
    with open_store(book.document) as store:
        return store.versions()


def _current(book: Book) -> tuple[Version | None, Notes]:
    notes = Notes.open(book.notes.document, None)
    version = next((one for one in _versions(book) if one.name == notes.version), None)
    return version, notes


def _pinned(book: Book, version: str) -> Notes:
    """The notes as they were when the version was trained."""
    if version not in book.pinned:
        try:
            book.pinned[version] = Notes.open(book.notes.document, version)
        except StoreError as error:  # its text was not kept
            message = f"{error.message}; {book.name}@{version}:closed asks its model alone"
            raise Refused(404, message, param="model", code="model_not_found") from None
        while len(book.pinned) > _PINNED:
            book.pinned.popitem(last=False)
    book.pinned.move_to_end(version)
    return book.pinned[version]


def _put_in(book: Book, version: Version, key: str) -> None:
    """Check the version's files, and have its model load them before anybody can prune them."""
    shared = book.base
    with open_store(book.document) as store, store.in_use(version):
        check_base(store, version, shared.folder, shared.batcher.base.key)
        store.verify(version)
        shared.batcher.call(lambda adapters: adapters.add(key, version.path)).result()


def _key(book: Book, version: Version) -> str:
    return f"{book.store.dlm_id}/{version.name}/{version.sha256[:16]}"


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino
