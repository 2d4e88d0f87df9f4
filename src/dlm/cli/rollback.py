"""`dlm rollback`: an earlier version becomes current again; nothing is deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dlm.cli.common import print_json, read_document, split_path
from dlm.errors import StoreError

if TYPE_CHECKING:
    from dlm.store.records import Version
    from dlm.store.store import Store


def run(path: str | None, version: str | None, *, as_json: bool) -> None:
    from dlm.store.store import Store

    path, version = split_path(path, version)
    document = read_document(path)
    frontmatter = document.frontmatter
    with (
        Store.open(frontmatter.dlm_id, base_model=frontmatter.base_model) as store,
        store.lock("rollback"),
    ):
        before = store.current()
        target = store.version(version) if version else _earlier(store, before)
        store.verify(target)
        store.set_current(target)
    if as_json:
        print_json({"current": target.name, "previous": before.name if before else None})
    else:
        print(f"{target.name} is current again (was {before.name if before else 'none'})")


def _earlier(store: Store, current: Version | None) -> Version:
    older = [v for v in store.versions() if current is not None and v.number < current.number]
    if not older:
        raise StoreError(
            "there is no earlier version to go back to", hint="`dlm history` lists what there is"
        )
    return older[-1]
