"""`dlm.lock`: where and from what the last training ran, so that another can be held to it.

It lies in the store, or beside the document as `<document>.lock` where the owner put such a file.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from dlm.doc.document import Document
from dlm.errors import CorruptStore, DlmError, TrainingError
from dlm.files import write_atomic
from dlm.store.paths import for_dlm
from dlm.train.environment import differences, environment
from dlm.train.ground import Ground


class LockMode(StrEnum):
    """What a difference from the lock does: one line of warning, a refusal, or a new lock."""

    WARN = "warn"
    STRICT = "strict"
    UPDATE = "update"


@dataclass(frozen=True, slots=True)
class Lock:
    """The environment of a training, and the document and seed it made `version` from."""

    environment: dict[str, str]
    document_sha256: str
    seed: int
    version: str


def lock_path(document: Document) -> Path:
    """Beside the document if a file is there already, otherwise in the store."""
    if document.path is not None:
        beside = document.path.with_name(f"{document.path.name}.lock")
        if beside.is_file():
            return beside
    return for_dlm(document.frontmatter.dlm_id).environment_lock


def read_lock(path: Path) -> Lock | None:
    """The lock in `path`, None for no file or an empty one; raises CorruptStore otherwise."""
    try:
        text = path.read_text("utf-8")
        return _LOCK.validate_python(json.loads(text)) if text.strip() else None
    except FileNotFoundError:
        return None
    except (OSError, ValueError, ValidationError) as error:
        raise CorruptStore(
            f"the lock {path} cannot be read: {str(error).splitlines()[0]}",
            hint="`dlm train --update-lock` writes it anew",
        ) from error


def check_lock(plan: Ground, mode: LockMode) -> str | None:
    """A warning, if this is not the environment of the lock; with STRICT a TrainingError."""
    if mode is LockMode.UPDATE:
        return None
    path = lock_path(plan.document)
    lock = read_lock(path)
    if lock is None:
        if mode is LockMode.STRICT:
            raise TrainingError(
                f"there is no {path} to hold this training to",
                hint="a training without --strict-lock writes it",
            )
        return None
    changes = differences(lock.environment, environment(plan))
    if not changes:
        return None
    what = f"this is not the environment of {path}: {'; '.join(changes)}"
    if mode is LockMode.STRICT:
        raise TrainingError(what, hint="restore it, or accept this one: dlm train --update-lock")
    return f"{what} (--update-lock accepts it)"


def write_lock(plan: Ground, version: str, mode: LockMode) -> str | None:
    """Record a training that is done, unless the lock names another environment and stands.

    Returns a warning when the disk refuses: the version is committed by then.
    """
    path, now = lock_path(plan.document), environment(plan)
    before = None if mode is LockMode.UPDATE else read_lock(path)
    if before is not None and before.environment != now:
        return None
    lock = Lock(now, plan.document.sha256, plan.seed, version)
    try:
        write_atomic(path, f"{json.dumps(asdict(lock), indent=2)}\n".encode())
    except DlmError as error:
        return error.message
    return None


_LOCK = TypeAdapter(Lock)
