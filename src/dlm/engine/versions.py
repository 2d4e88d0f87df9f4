"""Which adapter version of a document answers, and whether it fits the base that is here."""

from __future__ import annotations

from pathlib import Path

from dlm.base_models.fingerprint import fingerprint
from dlm.doc.document import Document
from dlm.errors import BaseModelError, StoreError
from dlm.store.records import Version
from dlm.store.store import Store


def choose_version(store: Store, document: Document, name: str | None) -> Version:
    """The version called `name`, else the current one; StoreError when there is none."""
    if name is not None:
        return store.version(name)
    current = store.current()
    if current is None:
        raise not_trained(document)
    return current


def check_base(store: Store, version: Version, folder: Path, key: str) -> str:
    """The fingerprint of the base in `folder`; BaseModelError when `version` is for another."""
    found = fingerprint(folder)
    run = store.run_of(version)
    if run.base_fingerprint != found:
        raise BaseModelError(
            f"{version.name} was trained on {run.base_key}, and {key} here is another model",
            hint="restore base_model in the frontmatter, or `dlm train --fresh` on the new base",
        )
    return found


def not_trained(document: Document) -> StoreError:
    """The sentence for a document without a version."""
    return StoreError(
        f"{document.path} is not trained yet",
        hint=f"run `dlm train {document.path}`, or ask the bare base with --base-only",
    )
