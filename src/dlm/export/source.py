"""What is exported: one version of a document, checked, with its base. Writes nothing."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dlm.base_models import BaseModel, base_of
from dlm.base_models.folder import read_json, text_config
from dlm.base_models.locate import local_folder
from dlm.data.chat import Codec
from dlm.data.chat_format import Tokens
from dlm.doc.document import Document
from dlm.engine.answer import check_base
from dlm.errors import StoreError
from dlm.store.paths import for_dlm
from dlm.store.records import Version
from dlm.store.store import Store


@dataclass(frozen=True, slots=True)
class Source:
    """A whole version and the base that it belongs to, both as folders on this machine."""

    document: Document
    version: Version
    base: BaseModel
    folder: Path
    fingerprint: str
    codec: Codec

    @property
    def adapter(self) -> Path:
        """The folder of the adapter."""
        return self.version.path

    @property
    def name(self) -> str:
        """What the model is called elsewhere: the name of the document, without spaces."""
        stem = self.document.path.stem if self.document.path else "notes"
        kept = "".join(one if one.isascii() and one.isalnum() else "-" for one in stem.lower())
        return "-".join(part for part in kept.split("-") if part) or "notes"

    def config(self) -> dict[str, Any]:
        """The base's config, with what it says of the language model at the top."""
        return dict(text_config(read_json(self.folder / "config.json")))

    def tokens(self) -> Tokens:
        """The tokenizer of the base."""
        settings = self.folder / "tokenizer_config.json"
        return Tokens(self.folder, read_json(settings) if settings.is_file() else {})


@contextlib.contextmanager
def open_source(
    document: Document, version: str | None, say: Callable[[str], None]
) -> Iterator[Source]:
    """The version called `version`, else the current one, kept from being pruned inside.

    Raises StoreError when nothing is trained, CorruptStore when the weights are damaged, and
    BaseModelError when the base is not here or another one.
    """
    frontmatter = document.frontmatter
    paths = for_dlm(frontmatter.dlm_id)
    if not paths.database.exists() and not paths.adapter.exists():
        raise _not_trained(document)
    with Store.open(frontmatter.dlm_id, base_model=frontmatter.base_model) as store:
        for text in store.notices:
            say(f"note: {text}")
        chosen = store.current() if version is None else store.version(version)
        if chosen is None:
            raise _not_trained(document)
        base = base_of(document)
        folder = local_folder(base, say=say)
        fingerprint = check_base(store, chosen, folder, base.key)
        store.verify(chosen)
        with store.in_use(chosen):
            codec = Codec.load(folder, system_prompt=frontmatter.system_prompt)
            yield Source(document, chosen, base, folder, fingerprint, codec)


def _not_trained(document: Document) -> StoreError:
    return StoreError(
        f"{document.path} is not trained yet, so there is nothing to export",
        hint=f"train it first: dlm train {document.path}",
    )
