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
from dlm.store.records import Version
from dlm.store.store import trained_store


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
    with trained_store(document, say, "there is nothing to export", version) as store:
        chosen = store.current() if version is None else store.version(version)
        assert chosen is not None
        base = base_of(document)
        folder = local_folder(base, say=say)
        fingerprint = check_base(store, chosen, folder, base.key)
        store.verify(chosen)
        with store.in_use(chosen):
            codec = Codec.load(folder, system_prompt=document.frontmatter.system_prompt)
            yield Source(document, chosen, base, folder, fingerprint, codec)
