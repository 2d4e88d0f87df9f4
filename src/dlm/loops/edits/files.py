"""Plans applied to document files, and runs taken out of them.

The file is read again under its lock, changed, and replaced whole; when an editor saved it
meanwhile, nothing is written. Knows nothing of the store.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from dlm.doc.document import Document
from dlm.doc.parser import parse_file
from dlm.doc.provenance import Origin
from dlm.errors import DlmError
from dlm.files import sweep_leftovers, write_atomic
from dlm.loops.edits.applying import Reverted, fitted, reverted
from dlm.loops.edits.plan import EditPlan, Place
from dlm.loops.edits.rebasing import Refusal, rebase
from dlm.store.locks import document_lock

_STALE_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True)
class Applied:
    """What became of a plan: the file before and after, and which changes were made.

    `present` are additions that stood in the file already, edited or not.
    """

    before: Document
    after: Document
    made: EditPlan
    refusals: tuple[Refusal, ...] = ()
    present: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TakenBack:
    """The file before a revert, and what the revert did."""

    before: Document
    reverted: Reverted


def apply_to_file(
    path: Path,
    plan: EditPlan,
    *,
    only: Collection[str] | None = None,
    place: Place = "after",
    last_check: Callable[[], None] = lambda: None,
) -> Applied:
    """Carry out what fits of a plan, or of the changes that `only` names, in the file.

    The plan need not have been made on the text the file has now. Changes that do not fit are
    returned, and leave no trace in the file. Raises DocumentError, EditConflict, LockHeld or
    DlmError; then the file is as it was.
    """
    with document_lock(path):
        before = parse_file(path)
        rebased = rebase(before, plan, only, place)
        after = fitted(before, rebased.plan, place)
        _replace(path, before, after, last_check)
    return Applied(before, after, rebased.plan, rebased.refusals, rebased.present)


def revert_to_file(
    path: Path, origins: Collection[Origin], run: str | None = None, *, force: bool = False
) -> TakenBack:
    """Take what these origins wrote, or one run of theirs, out of the file; see `reverted`."""
    with document_lock(path):
        before = parse_file(path)
        result = reverted(before, origins, run, force=force)
        _replace(path, before, result.document)
    return TakenBack(before, result)


def replace_document(path: Path, before: Document, after: Document) -> None:
    """Write `after` unless the file changed since `before` was read from it."""
    with document_lock(path):
        _replace(path, before, after)


def _replace(
    path: Path, before: Document, after: Document, last_check: Callable[[], None] = lambda: None
) -> None:
    if after.text == before.text:
        return
    if not os.access(path, os.W_OK) or not path.stat().st_mode & 0o222:
        raise DlmError(
            f"{path} is read-only; nothing was written", hint="allow writing to it, and try again"
        )

    sweep_leftovers(path, older_than=_STALE_SECONDS)
    write_atomic(path, after.to_bytes(), last_check=last_check, expected=before.to_bytes())
