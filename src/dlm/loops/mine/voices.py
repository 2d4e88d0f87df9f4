"""Who answers: the current version, the same with less of its adapter, the base, the oldest."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Final

from dlm.doc.document import Document
from dlm.engine.resident import Resident
from dlm.errors import StoreError, UsageError
from dlm.loops.mine.options import RejectFrom
from dlm.loops.teachers.local import LocalTeacher
from dlm.store.store import Store

# Of an adapter that knows an answer by heart: with less of it the model half remembers, and what it
# says is near the truth and wrong.
_LESS: Final = ((0.5, "half"), (0.25, "a quarter of its"))


def current(document: Document, resident: Resident) -> LocalTeacher:
    """The current version; StoreError when there is none yet."""
    if resident.version is None:
        raise StoreError(
            f"{document.path} is not trained yet, so it has no answers of its own to compare",
            hint=f"run `dlm train {document.path}` first",
        )
    return LocalTeacher(resident, f"self:{resident.version.name}", adapter=True)


def weakened(voice: LocalTeacher) -> Iterator[LocalTeacher]:
    """The same version with half of its adapter, then with a quarter."""
    for strength, word in _LESS:
        name = f"{voice.name} at {word} strength"
        yield LocalTeacher(voice.resident, name, adapter=True, strength=strength)


@contextlib.contextmanager
def rejected(
    document: Document, resident: Resident, kind: RejectFrom
) -> Iterator[LocalTeacher | None]:
    """The model whose answers are rejected; None when it is the current version itself.

    Raises UsageError when the oldest version there is is the current one.
    """
    if kind is RejectFrom.SELF:
        yield None
    elif kind is RejectFrom.BASE:
        yield LocalTeacher(resident, f"base:{resident.base.key}", adapter=False)
    else:
        name = _oldest(document, resident)
        with Resident.open(document, version=name) as opened:
            yield LocalTeacher(opened, f"self:{name}", adapter=True)


def _oldest(document: Document, resident: Resident) -> str:
    frontmatter = document.frontmatter
    with Store.open(frontmatter.dlm_id, base_model=frontmatter.base_model) as store:
        first = min(store.versions(), key=lambda version: version.number)
    if resident.version is None or first.number == resident.version.number:
        raise UsageError(
            f"{first.name} is the oldest version and the current one, so neither can be rejected",
            hint="--reject-from base, or train again first",
        )
    return first.name
