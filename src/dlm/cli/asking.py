"""What `prompt` and `repl` share: which version answers, and how."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dlm.cli.common import note
from dlm.errors import BaseModelError, StoreError

if TYPE_CHECKING:
    from pathlib import Path

    from dlm.doc.document import Document
    from dlm.engine.answer import Answerer
    from dlm.store.records import Version
    from dlm.store.store import Store


@dataclass(frozen=True, slots=True)
class Asking:
    """An answerer and the version it speaks for; None is the bare base."""

    answerer: Answerer
    version: str | None
    base: str


def open_asking(document: Document, *, version: str | None, base_only: bool) -> Asking:
    """Load what shall answer for the document.

    Raises StoreError when nothing is trained yet, CorruptStore when the weights are damaged, and
    BaseModelError when they belong to another base.
    """
    from dlm.base_models import resolve
    from dlm.base_models.locate import local_folder
    from dlm.engine.answer import open_answerer

    base = resolve(document.frontmatter.base_model)
    folder = local_folder(base)
    prompt = document.frontmatter.system_prompt
    if base_only:
        return Asking(open_answerer(base, folder, None, system_prompt=prompt), None, base.key)
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


def choose_version(store: Store, document: Document, version: str | None) -> Version:
    """The version that is named, or the current one; raises StoreError when there is none."""
    if version is not None:
        return store.version(version)
    current = store.current()
    if current is None:
        raise StoreError(
            f"{document.path} is not trained yet",
            hint=f"run `dlm train {document.path}`, or ask the bare base with --base-only",
        )
    return current


def check_base(store: Store, version: Version, folder: Path, key: str) -> None:
    """Raise BaseModelError when the version belongs to another base than the one in `folder`."""
    from dlm.base_models.fingerprint import fingerprint

    run = store.run_of(version)
    if run.base_fingerprint != fingerprint(folder):
        raise BaseModelError(
            f"{version.name} was trained on {run.base_key}, and {key} here is another model",
            hint="restore base_model in the frontmatter, or `dlm train --fresh` on the new base",
        )
