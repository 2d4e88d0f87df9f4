"""Putting a pack in place: base, store, document, each of them whole or not at all.

Nothing that is there already is changed. Everything is checked in a folder of its own first.
"""

from __future__ import annotations

import contextlib
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from dlm.base_models import BASE_MODELS, BaseModel, resolve
from dlm.base_models.folder import fingerprint
from dlm.base_models.locate import cache_root, where
from dlm.base_models.wheel import unpacked_folder
from dlm.doc.document import Document
from dlm.doc.parser import parse_bytes
from dlm.errors import BaseModelError, DlmError, EditConflict, StoreError
from dlm.files import disk_error, fsync_directory, fsync_tree, home, sweep_folders, write_new
from dlm.pack.layout import BASE, STORE, VERSIONS, BadPack, Member
from dlm.pack.reading import Pack
from dlm.store import queries, weights
from dlm.store.database import Database
from dlm.store.opening import opened_store
from dlm.store.paths import StorePath, for_dlm
from dlm.store.store import Store

_SPARE: Final = 1 << 20  # bytes left free


@dataclass(frozen=True, slots=True)
class Unpacked:
    """Where everything went; `store` and `base` are None where they were there already."""

    document: Path
    store: Path | None
    base: Path | None
    versions: tuple[str, ...]
    current: str


def unpack(path: Path, out: Path, say: Callable[[str], None]) -> Unpacked:
    """Verify the pack at `path`, then put its store into `home()` and its document into `out`.

    Raises BadPack for a pack that is not in order, EditConflict where another document lies in the
    way, StoreError where another store does, and DlmError when the disk refuses. In all of these
    cases nothing was written.
    """
    with Pack(path) as pack:
        pack.verify()
        data = pack.read(pack.contents.document)
        target = out / pack.contents.file_name
        document = parse_bytes(data, target)
        place = for_dlm(pack.contents.dlm_id)
        _require_free(target, data)
        known = _is_here(place, pack)
        try:
            _require_room(out)
            with _workshop(pack) as work:
                staged = None if known else _staged_store(pack, work)
                base = _staged_base(pack, document, work, say)
                if base is not None:
                    _put(*base)
                if staged is not None:
                    _put(staged, place.root)
                if not target.exists():
                    write_new(target, data)
        except OSError as error:
            raise disk_error(home(), error) from error
    return Unpacked(
        document=target,
        store=None if known else place.root,
        base=base[1] if base else None,
        versions=pack.contents.versions,
        current=pack.contents.current,
    )


def _require_free(target: Path, data: bytes) -> None:
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        if target.read_bytes() == data:
            return
        raise EditConflict(
            f"{target} is there already and says something else; nothing was written",
            hint="unpack into another folder with --out, or move that one away",
        )


def _require_room(out: Path) -> None:
    """Fail before anything is put in place where the document cannot be; OSError as it comes."""
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=out):
        pass


def _is_here(place: StorePath, pack: Pack) -> bool:
    """Whether the same versions are in the store already; StoreError when there are others."""
    if not place.is_used:
        if place.root.exists():
            raise _other_store(place)
        return False
    with Store.open(place.dlm_id) as store:
        found = {one.name: one.sha256 for one in store.versions()}
        current = store.current()
    same = found == _digests(pack) and current and current.name == pack.contents.current
    if not same:
        raise _other_store(place)
    return True


def _other_store(place: StorePath) -> StoreError:
    return StoreError(
        f"this document has a store here already, which does not hold the same: {place.root}",
        hint="move that folder away, or set DLM_HOME to unpack beside it; nothing was written",
    )


def _digests(pack: Pack) -> dict[str, str]:
    """The digest of each version, of what the manifest declares of its files."""
    files: dict[str, dict[str, str]] = {name: {} for name in pack.contents.versions}
    for member in pack.contents.below(VERSIONS):
        version, _, name = member.name.removeprefix(VERSIONS).partition("/")
        files[version][name] = member.sha256
    return {version: weights.folder_digest(digests) for version, digests in files.items()}


@contextlib.contextmanager
def _workshop(pack: Pack) -> Iterator[Path]:
    """A folder beside the stores, with room for all of the pack, that vanishes afterwards."""
    stores = home() / "store"
    stores.mkdir(parents=True, exist_ok=True, mode=0o700)
    sweep_folders(stores, "unpack")
    free = shutil.disk_usage(stores).free
    if pack.contents.size + _SPARE > free:
        raise DlmError(
            f"{pack.path} needs {pack.contents.size:,} bytes, and {free:,} are free in {home()}",
            hint="free some space, or set DLM_HOME to a folder on another disk",
        )
    work = stores / f".unpack.{secrets.token_hex(4)}.tmp"
    try:
        work.mkdir(mode=0o700)
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _staged_store(pack: Pack, work: Path) -> Path:
    """The store, written below `work` and opened there: what it says must be what is declared."""
    place = StorePath(work / pack.contents.dlm_id)
    place.ensure_layout()
    for member in pack.contents.below(STORE):
        _write(pack, member, place.root / member.name.removeprefix(STORE))
    with contextlib.closing(Database.open_read_only(place.database)) as database:
        meta = queries.meta(database)
        current = queries.current_number(database)
        found = {one.name: one.sha256 for one in queries.versions(database, place.versions)}
    named = meta is not None and meta.dlm_id == pack.contents.dlm_id
    if not named or current is None or found != _digests(pack):
        raise BadPack(f"{pack.path}: its database does not fit its versions")
    opened = opened_store(place, "", lambda step: None)
    with contextlib.closing(opened.database) as database:
        number = queries.current_number(database)
        versions = queries.versions(database, place.versions)
    whole = all(weights.is_whole(one.path, one.sha256) for one in versions)
    names = {one.number: one.name for one in versions}
    if opened.notices or not whole or names.get(number or 0) != pack.contents.current:
        raise BadPack(f"{pack.path}: its store is not whole")
    return place.root


def _staged_base(
    pack: Pack, document: Document, work: Path, say: Callable[[str], None]
) -> tuple[Path, Path] | None:
    """The base written below `work` and where it goes; None when there is none or it is here."""
    members = pack.contents.below(BASE)
    if not members:
        return None
    target = _place_of_base(document, say)
    if target is None:
        return None
    folder = work / "base"
    folder.mkdir()
    for member in members:
        _write(pack, member, folder / member.name.removeprefix(BASE))
    if fingerprint(folder) != pack.contents.base_fingerprint:
        raise BadPack(f"{pack.path}: its base is not the one that its versions were trained on")
    return folder, target


def _place_of_base(document: Document, say: Callable[[str], None]) -> Path | None:
    """Where a base is looked for under the name that the document gives it; None if it is there."""
    key = document.frontmatter.base_model
    base = _named(key)
    if base is None:
        folder = Path(key)
        root = (document.path or Path()).parent
        inside = not folder.is_absolute() and ".." not in folder.parts and "~" not in key
        target = root / (folder if inside and folder.name else Path(f"{_stem(document)}-base"))
        if not inside:
            say(f"note: base_model is {key}; write base_model: ./{target.name} to use the one here")
        if target.exists():
            say(f"note: {target} is there already and was left as it is")
            return None
        return target
    if where(base) is not None:
        return None
    if base.wheel is not None:
        return unpacked_folder(base)
    repository = cache_root() / f"models--{base.hf_id.replace('/', '--')}"
    return repository / "snapshots" / base.revision


def _named(key: str) -> BaseModel | None:
    """The base that a name of the registry or the hub means; None for a folder."""
    if key in BASE_MODELS or key.startswith("hf:"):
        with contextlib.suppress(BaseModelError):
            return resolve(key)
    return None


def _stem(document: Document) -> str:
    return document.path.stem if document.path else "notes"


def _write(pack: Pack, member: Member, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    pack.write(member, path)


def _put(work: Path, target: Path) -> None:
    """Give a finished folder its place, which is free."""
    fsync_tree(work)
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        work.rename(target)
    except OSError as error:
        if error.errno is not None and target.parent.stat().st_dev == work.stat().st_dev:
            raise
        _copy_over(work, target)
    fsync_directory(target.parent)


def _copy_over(work: Path, target: Path) -> None:
    """To another disk: a copy beside the place, then the name."""
    beside = target.with_name(f".{target.name}.{secrets.token_hex(4)}.tmp")
    try:
        shutil.copytree(work, beside)
        fsync_tree(beside)
        beside.rename(target)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
