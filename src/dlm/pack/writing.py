"""Making a pack: the document as saved, a snapshot of its store, and its base if wanted.

The same document, store and base give the same bytes.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from dlm.base_models import base_of
from dlm.base_models.folder import fingerprint, weight_files
from dlm.base_models.locate import local_folder
from dlm.doc.document import Document
from dlm.errors import DlmError, StoreError
from dlm.files import disk_error, replacing
from dlm.pack.layout import (
    BASE,
    DATABASE,
    DOCUMENT,
    ENVIRONMENT,
    MANIFEST,
    STORE,
    BadPack,
    Contents,
    Member,
    may_hold,
)
from dlm.pack.reading import Pack
from dlm.store.store import Store, trained_store

_MOMENT: Final = (1980, 1, 1, 0, 0, 0)  # of every member, so that the same parts give the same file
_BLOCK: Final = 1 << 20
_BASE_FILES: Final = (
    "chat_template.jinja",
    "config.json",
    "generation_config.json",
    "made.json",
    "merges.txt",
    "model.safetensors.index.json",
    "special_tokens_map.json",
    "tokenizer.json",
    "tokenizer.model",
    "tokenizer_config.json",
    "vocab.json",
)


@dataclass(frozen=True, slots=True)
class _Part:
    """A file and what it is called in the pack."""

    name: str
    path: Path


def pack(
    document: Document, out: Path, say: Callable[[str], None], *, with_base: bool = False
) -> Contents:
    """Write `out`, whole or not at all, and return what it holds.

    The store is kept from changing meanwhile. Raises StoreError when nothing is trained,
    CorruptStore for a damaged version, LockHeld while a training runs, and DlmError when `out` is a
    file of another kind or the disk refuses.
    """
    frontmatter = document.frontmatter
    check_replaceable(out, frontmatter.dlm_id)
    with contextlib.ExitStack() as stack:
        store = stack.enter_context(
            trained_store(document, say, "there is nothing to pack but its text")
        )
        if not store.read_only:
            stack.enter_context(store.lock("pack"))
        current = store.current()
        assert current is not None
        try:
            work = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            parts = [*_document(document, work), *_store(store, work)]
            run = store.run_of(current)
            if with_base:
                parts += _base(document, say, run.base_fingerprint)
            contents = Contents(
                dlm_id=frontmatter.dlm_id,
                current=current.name,
                versions=tuple(one.name for one in store.versions()),
                base=frontmatter.base_model,
                base_fingerprint=run.base_fingerprint,
                members=tuple(_member(part) for part in parts),
            )
            with replacing(out) as temporary:
                _write(temporary, contents, parts)
        except OSError as error:
            raise disk_error(out, error) from error
    return contents


def check_replaceable(out: Path, dlm_id: str) -> None:
    """Raise DlmError unless `out` is free, or an earlier pack of the same document."""
    if not out.exists():
        return
    with contextlib.suppress(BadPack), Pack(out) as there:
        if there.contents.dlm_id == dlm_id:
            return
    raise DlmError(
        f"{out} is there already and is no pack of this document; nothing was written",
        hint="name another file with --out, or move that one away",
    )


def _document(document: Document, work: Path) -> Iterator[_Part]:
    """The text that was read, under the name of its file if a pack can hold that."""
    name = f"{DOCUMENT}{document.path.name}" if document.path else ""
    name = name if may_hold(name) else f"{DOCUMENT}notes.dlm"
    path = work / "document"
    path.write_bytes(document.to_bytes())
    yield _Part(name, path)


def _store(store: Store, work: Path) -> Iterator[_Part]:
    """The database as it is now, and every version, each found whole."""
    database = work / "store.sqlite3"
    store.database.copy_to(database)
    yield _Part(DATABASE, database)
    if store.path.environment_lock.is_file():
        yield _Part(ENVIRONMENT, store.path.environment_lock)
    for version in store.versions():
        store.verify(version)
        for path in sorted(version.path.iterdir()):
            name = f"{STORE}adapter/versions/{version.name}/{path.name}"
            if not may_hold(name):
                raise StoreError(f"{path} is no part of a version, and is not packed")
            yield _Part(name, path)


def _base(document: Document, say: Callable[[str], None], wanted: str) -> Iterator[_Part]:
    """The files of the base, but of the one that ships with dlm none."""
    base = base_of(document)
    if base.family == "pocket":
        say(f"note: {base.key} ships with dlm and is not packed")
        return
    folder = local_folder(base, say=say)
    if fingerprint(folder) != wanted:
        raise DlmError(f"{base.key} here is not the model that the current version was trained on")
    say(f"note: who unpacks this gets {base.key} too, under its licence ({base.license_spdx})")
    licences = sorted(path.name for path in folder.glob("LICENSE*"))
    for name in sorted({*_BASE_FILES, *weight_files(folder), *licences}):
        if (folder / name).is_file():
            yield _Part(f"{BASE}{name}", folder / name)


def _member(part: _Part) -> Member:
    with part.path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return Member(part.name, file.tell(), digest)


def _write(path: Path, contents: Contents, parts: list[_Part]) -> None:
    with zipfile.ZipFile(path, "x") as archive:
        text = json.dumps(contents.to_json(), indent=2, ensure_ascii=False)
        with _entry(archive, MANIFEST, len(text)) as file:
            file.write(f"{text}\n".encode())
        for part, member in zip(parts, contents.members, strict=True):
            with part.path.open("rb") as source, _entry(archive, part.name, member.size) as file:
                while block := source.read(_BLOCK):
                    file.write(block)


def _entry(archive: zipfile.ZipFile, name: str, size: int) -> IO[bytes]:
    info = zipfile.ZipInfo(name, _MOMENT)
    # Weights do not get smaller.
    stored = name.endswith(".safetensors")
    info.compress_type = zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED
    info.external_attr = 0o100644 << 16
    info.create_system = 3
    info.file_size = size
    return archive.open(info, "w", force_zip64=size >= 1 << 31)
