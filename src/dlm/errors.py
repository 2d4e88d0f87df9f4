"""Every failure a person can act on.

    DlmError
    ├── DocumentError        the text of a document, with its place
    │   └── EditConflict     the document changed under a planned edit
    ├── StoreError           the store of a document
    │   ├── LockHeld         another process works on it
    │   └── CorruptStore     what lies on disk is not what was written
    ├── BaseModelError       a base model: unknown, missing, or another one than before
    ├── TrainingError        a training that cannot start or go on
    │   ├── Interrupted      stopped by the owner; the run can be resumed
    │   └── Abandoned        another of the processes that were training together is gone
    ├── JudgeError           a judge that is unknown or cannot go on
    ├── TeacherError         a teacher that is unknown or cannot go on; what it gave so far is kept
    └── UsageError           the command line itself (exit 2)

A bug is not a DlmError: it tracebacks. Add a class when a caller would catch it; otherwise raise
the parent with a better sentence.
"""

from __future__ import annotations

from typing import ClassVar, NamedTuple


class Location(NamedTuple):
    """A place in a text file. `line` and `column` count from 1; columns count characters."""

    path: str | None
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.path or '<text>'}:{self.line}:{self.column}"


class DlmError(Exception):
    """Something the user can act on. `hint` says what to try next."""

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class DocumentError(DlmError):
    """A document that cannot be read as one; `str()` begins `path:line:column:`."""

    def __init__(
        self, message: str, *, at: Location | None = None, hint: str | None = None
    ) -> None:
        super().__init__(message, hint=hint)
        self.at = at

    def __str__(self) -> str:
        return f"{self.at}: {self.message}" if self.at else self.message


class EditConflict(DocumentError):
    """The document is not the one the edit was planned for, or two edits touch the same lines."""


class StoreError(DlmError):
    """The store of a document cannot do what was asked."""


class LockHeld(StoreError):
    """Another process holds the lock; the message names it."""


class CorruptStore(StoreError):
    """Something in the store is damaged."""


class BaseModelError(DlmError):
    """A base model that is unknown, not on this machine, or not the one an adapter was made for."""


class TrainingError(DlmError):
    """Training cannot start or go on."""


class Interrupted(TrainingError):
    """The owner stopped the run at a step boundary; it can be resumed."""

    exit_code: ClassVar[int] = 130


class Abandoned(TrainingError):
    """Another of the processes that were training together is gone; the run can be resumed."""


class TeacherError(DlmError):
    """A teacher is unknown, out of reach or refuses; what it answered before is kept."""


class JudgeError(DlmError):
    """A judge that is unknown or cannot go on."""


class UsageError(DlmError):
    """The command line itself is wrong."""

    exit_code: ClassVar[int] = 2
