"""One document's store, open: its versions, which is current, and how a new one comes in.

Knows nothing of models, and of a document only whose it is; those who train write files into a
staging folder.
"""

from __future__ import annotations

import contextlib
import secrets
import shutil
from collections.abc import Callable, Collection, Iterator
from typing import Self

from dlm.doc.document import Document
from dlm.errors import CorruptStore, StoreError
from dlm.store import memory, queries, upkeep, weights
from dlm.store.database import Database, sentences
from dlm.store.locks import OPEN_FILES_PIN_FOLDERS, exclusive_lock, shared_use, sole_use
from dlm.store.opening import PRUNED, Opened, opened_store, published, put_right
from dlm.store.paths import StorePath, for_dlm
from dlm.store.records import (
    PointerMove,
    Remembered,
    RunRecord,
    Version,
    version_name,
    version_number,
)
from dlm.store.staging import RUN_FILE, Staging


def open_store(document: Document) -> Store:
    """The store of a document, to be used as a context manager; otherwise as `Store.open`."""
    frontmatter = document.frontmatter
    return Store.open(frontmatter.dlm_id, base_model=frontmatter.base_model)


@contextlib.contextmanager
def writable_store(document: Document) -> Iterator[Store]:
    """The store of a document, to note an edit in; StoreError when it cannot be written."""
    with open_store(document) as store:
        if store.read_only:
            raise StoreError("the store cannot be written", hint="`dlm doctor` says why")
        yield store


@contextlib.contextmanager
def trained_store(
    document: Document, say: Callable[[str], None], use: str, version: str | None = None
) -> Iterator[Store]:
    """The store of a document that was trained, and what it has to say told to `say`.

    Raises StoreError, with what `use` says is not possible, when there is no current version and
    none is named.
    """
    with contextlib.ExitStack() as stack:
        store = None
        if for_dlm(document.frontmatter.dlm_id).is_used:
            store = stack.enter_context(open_store(document))
            for text in store.notices:
                say(f"note: {text}")
        if store is None or (version is None and store.current() is None):
            raise StoreError(
                f"{document.path} is not trained yet, so {use}",
                hint=f"train it first: dlm train {document.path}",
            )
        yield store


class Store:
    """A context manager over one store; for use by one thread. Open it with `Store.open`."""

    def __init__(
        self,
        path: StorePath,
        opened: Opened,
        *,
        base_model: str,
        checkpoint: Callable[[str], None],
    ) -> None:
        self.path = path
        self.database: Database = opened.database
        self._refusal = opened.refusal
        self._notices = list(opened.notices)
        self._settled = opened.settled
        self._named_base = base_model
        self._checkpoint = checkpoint
        self._locked = False

    @classmethod
    def open(
        cls,
        dlm_id: str,
        *,
        base_model: str = "",
        checkpoint: Callable[[str], None] = lambda step: None,
    ) -> Self:
        """Open the store of a document, creating, migrating, repairing and sweeping as needed.

        On a disk that cannot be written the store opens to be read. `checkpoint` is called with
        the name of each durable step as it is done. Raises StoreError or CorruptStore.
        """
        path = for_dlm(dlm_id)
        opened = opened_store(path, base_model, checkpoint)
        return cls(path, opened, base_model=base_model, checkpoint=checkpoint)

    @property
    def dlm_id(self) -> str:
        return self.path.dlm_id

    @property
    def base_model(self) -> str:
        """The base model that was last named for this document, empty when none was."""
        meta = queries.meta(self.database)
        return meta.base_model if meta else ""

    @property
    def read_only(self) -> bool:
        return self._refusal is not None

    @property
    def notices(self) -> tuple[str, ...]:
        """What the owner should be told: things that were lost, rebuilt or could not be written."""
        return tuple(self._notices)

    def versions(self) -> tuple[Version, ...]:
        """Every version that was not pruned, oldest first."""
        return queries.versions(self.database, self.path.versions)

    def current(self) -> Version | None:
        """The version that answers, None before the first training."""
        number = queries.current_number(self.database)
        return None if number is None else self.version(version_name(number))

    def version(self, name: str) -> Version:
        """The version called `v0003` (or `3`); raises StoreError naming those there are."""
        number = version_number(name)
        for version in self.versions():
            if version.number == number:
                return version
        names = ", ".join(version.name for version in self.versions())
        raise StoreError(
            f"there is no version {name} of this document",
            hint=f"there is {names}" if names else "train it first: dlm train",
        )

    def runs(self, limit: int | None = None) -> tuple[RunRecord, ...]:
        """The newest `limit` runs, oldest of them first; runs of pruned versions are kept."""
        return queries.runs(self.database, limit)

    def run_of(self, version: Version | str) -> RunRecord:
        """The run that made a version."""
        found = queries.run(self.database, self._known(version).run_id)
        if found is None:
            raise CorruptStore(f"the run that made {version} is missing from {self.database.path}")
        return found

    def memory(self, version: Version | str) -> tuple[Remembered, ...]:
        """What a version remembers, in document order; empty where that was lost."""
        return memory.recall(self.database, self._known(version).number)

    def forget(self, version: Version | str, lesson_ids: Collection[str]) -> None:
        """Let a version remember these lessons no longer, so that they are never replayed again."""
        with self._exclusively("prune"), self.database.transaction():
            memory.drop(self.database, self._known(version).number, lesson_ids)

    def pointer_moves(self) -> tuple[PointerMove, ...]:
        """How the current version changed over time, oldest first."""
        return queries.pointer_moves(self.database)

    @contextlib.contextmanager
    def lock(self, purpose: str, wait: float = 2.0) -> Iterator[None]:
        """Keep other processes from changing the store; raises LockHeld after `wait` seconds."""
        self._require_writable()
        what = f"the store of {self.dlm_id}"
        with exclusive_lock(self.path.lock, what=what, purpose=purpose, wait=wait):
            self._locked = True
            try:
                self._settle()
                yield
            finally:
                self._locked = False

    @contextlib.contextmanager
    def new_version(self, *, after: Version | None = None) -> Iterator[Staging]:
        """A folder for a new adapter, which `commit` makes the current version.

        It continues `after`, the current version by default. Leaving without a commit removes it.
        Takes the lock unless this store holds it already.
        """
        with self._exclusively("train"):
            staging = Staging(
                self.path,
                self.database,
                publish=self._publish,
                checkpoint=self._checkpoint,
                after=after,
            )
            try:
                self._checkpoint("staged")
                yield staging
            except Exception as error:
                if (refused := staging.refused(error)) is error:
                    raise
                raise refused from error
            finally:
                staging.discard()

    def set_current(
        self,
        version: Version | str,
        *,
        why: str = "rollback",
        also: Callable[[Database], object] | None = None,
    ) -> Version:
        """Make a version current, after checking that it is whole.

        `also` may write more rows in the same transaction.
        """
        wanted = self._known(version)
        with self._exclusively("rollback"):
            self.verify(wanted)
            with self.database.transaction():
                queries.move_pointer(self.database, wanted.number, why)
                if also is not None:
                    also(self.database)
                self._checkpoint("moved")
            self._checkpoint("committed")
            self._publish()
        return wanted

    def verify(self, version: Version | str) -> Version:
        """Check that a version is, byte for byte, what was committed; raises CorruptStore."""
        wanted = self._known(version)
        try:
            if weights.is_whole(wanted.path, wanted.sha256):
                weights.check_finite(wanted.path)
                return wanted
        except StoreError as error:
            raise self._damaged(wanted, error.message) from error
        if not wanted.path.is_dir():
            raise self._damaged(wanted, "its folder is gone")
        raise self._damaged(wanted, "its files are not the ones that were committed")

    @contextlib.contextmanager
    def in_use(self, version: Version | str) -> Iterator[Version]:
        """Keep a version from being pruned, by this or any other process, while it serves."""
        wanted = self._known(version)
        with contextlib.ExitStack() as stack:
            try:
                stack.enter_context(shared_use(wanted.path / RUN_FILE))
                (wanted.path / RUN_FILE).stat()
            except OSError as error:
                raise self._damaged(wanted, "its folder is gone") from error
            yield wanted

    def prune(self, keep: int, protect: Collection[str] = ()) -> list[str]:
        """Remove all but the newest `keep` versions and return the names of those removed.

        The current version, those in `protect`, those in use and those that the history of
        teachers names stay, whatever their age. The metrics of old runs are thinned as
        `upkeep.thin` says.
        """
        with self._exclusively("prune"):
            current = queries.current_number(self.database)
            named = upkeep.named(self.database)
            stay = {version_number(name) for name in (*protect, *named)} | {current}
            versions = self.versions()
            old = versions[: max(len(versions) - keep, 0)]
            removed = [v.name for v in old if v.number not in stay and self._remove(v)]
            if removed:
                upkeep.forget_texts(self.database)
                self._publish()
            upkeep.thin(self.database, keep)
        return removed

    def close(self) -> None:
        """Close the database; closing again does nothing."""
        self.database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    @contextlib.contextmanager
    def _exclusively(self, purpose: str) -> Iterator[None]:
        with contextlib.nullcontext() if self._locked else self.lock(purpose):
            yield

    def _require_writable(self) -> None:
        if self._refusal is not None:
            raise StoreError(self._refusal.message, hint=self._refusal.hint)

    def _known(self, version: Version | str) -> Version:
        return self.version(version if isinstance(version, str) else version.name)

    def _settle(self) -> None:
        """Put right what the open could not, or what another process left since, as it died."""
        meta = queries.meta(self.database)
        if not self._settled or meta is None or meta.pending_number is not None:
            self._notices += put_right(self.path, self.database, self._named_base, self._checkpoint)
            self._settled = True

    def _publish(self) -> None:
        self._notices += published(self.path, self.database, self._checkpoint)

    def _remove(self, version: Version) -> bool:
        """Remove one version unless it is in use; a crash leaves it whole or gone."""
        aside = self.path.staging / f"{PRUNED}{version.name}-{secrets.token_hex(4)}"
        with sentences(version.path), sole_use(version.path / RUN_FILE) as alone:
            if not alone:
                return False
            try:
                version.path.rename(aside)
            except FileNotFoundError:
                pass  # Its files are gone already; the row goes too.
            except PermissionError:
                if not OPEN_FILES_PIN_FOLDERS:
                    raise
                return False
            self._checkpoint("set aside")
            queries.delete_version(self.database, version.number)
            self._checkpoint("forgotten")
        shutil.rmtree(aside, ignore_errors=True)
        self._checkpoint("removed")
        return True

    def _damaged(self, version: Version, reason: str) -> CorruptStore:
        others = (one for one in reversed(self.versions()) if one.number != version.number)
        whole = next((one.name for one in others if weights.is_whole(one.path, one.sha256)), None)
        return CorruptStore(
            f"adapter version {version.name} is damaged: {reason}",
            hint=f"go back to one that is whole: dlm rollback {whole}"
            if whole
            else "no other version is whole; train again: dlm train --fresh",
        )
