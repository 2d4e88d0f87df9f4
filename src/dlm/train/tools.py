"""What a plan needs of the base, read once and kept while the process lasts: codec, general rows.

Depends on three settings of the document; everything else of a plan is made anew each time.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dlm.base_models import BaseModel, resolve
from dlm.base_models.fingerprint import fingerprint
from dlm.base_models.locate import local_folder
from dlm.base_models.resolve import with_facts
from dlm.data.chat import Codec
from dlm.data.general import rehearsal_texts
from dlm.data.rows import Row, general_rows
from dlm.doc.document import Document
from dlm.train.samples import sample_rows, samples_of

_GENERAL_LENGTH = 112  # tokens


@dataclass(frozen=True, slots=True)
class Tools:
    """A base on this machine, how to talk to it, and the rows to rehearse beside a document."""

    base: BaseModel
    folder: Path
    fingerprint: str
    codec: Codec
    general: tuple[Row, ...]
    samples: tuple[Row, ...]


def tools_for(document: Document) -> Tools:
    """Find the base of a document and encode what is rehearsed; raises BaseModelError."""
    base = resolve(document.frontmatter.base_model)
    folder = local_folder(base)
    if not base.params:  # a hub model that nothing was known of until it was fetched
        base = with_facts(base, folder)
    codec = Codec.load(folder, system_prompt=document.frontmatter.system_prompt)
    general: tuple[Row, ...] = ()
    samples: tuple[Row, ...] = ()
    if document.frontmatter.training.rehearsal.enabled:
        general = tuple(general_rows(rehearsal_texts(), codec, _GENERAL_LENGTH))
        samples = tuple(sample_rows(samples_of(folder) or (), codec))
    return Tools(base, folder, fingerprint(folder), codec, general, samples)


class Toolbox:
    """The tools of the last document that was asked for."""

    def __init__(self) -> None:
        self._key: tuple[object, ...] | None = None
        self._tools: Tools | None = None

    def of(self, document: Document) -> Tools:
        """Its tools, read again only when one of the settings they depend on changed."""
        frontmatter = document.frontmatter
        key = (
            frontmatter.base_model,
            frontmatter.system_prompt,
            frontmatter.training.rehearsal.enabled,
        )
        if self._tools is None or self._key != key:
            self._tools, self._key = tools_for(document), key
        return self._tools

    def forget(self) -> None:
        """Read all of it again at the next call."""
        self._tools = None
