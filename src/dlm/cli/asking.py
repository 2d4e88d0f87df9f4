"""What `prompt` and `repl` share: which version answers, and how."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dlm.cli.common import note

if TYPE_CHECKING:
    from dlm.doc.document import Document
    from dlm.engine.answer import Answerer


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
    from dlm.engine.versions import check_base, choose_version
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
