"""All SQL about edits of the document: plans that wait, and what was written into the file.

Plans are JSON here; what they mean is known to the loops. What stands in the document is known
from the document alone: the rows about edits only add when, and how the file looked before.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dlm.store.database import Database


@dataclass(frozen=True, slots=True)
class StagedPlan:
    """One plan that waits, as JSON."""

    run: str
    origin: str
    created_at: datetime
    plan: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class DocumentEdit:
    """One write of the document file: `action` is apply or revert, the rest section ids."""

    run: str
    origin: str
    by: str
    at: datetime
    action: str
    added: tuple[str, ...]
    removed: tuple[str, ...]
    before_sha256: str
    after_sha256: str


def put(database: Database, staged: StagedPlan) -> None:
    """Keep a plan; one of the same run is replaced."""
    database.execute(
        "INSERT OR REPLACE INTO staged_plans (run, origin, created_at, plan) VALUES (?, ?, ?, ?)",
        staged.run,
        staged.origin,
        staged.created_at.isoformat(),
        json.dumps(staged.plan, allow_nan=False),
    )


def drop(database: Database, run: str) -> bool:
    """Forget the plan of a run; False when there is none."""
    return database.execute("DELETE FROM staged_plans WHERE run = ?", run) > 0


def staged_plans(database: Database) -> tuple[StagedPlan, ...]:
    """Every plan that waits, oldest first."""
    return database.read(StagedPlan, "SELECT * FROM staged_plans ORDER BY created_at, rowid")


def record(database: Database, edit: DocumentEdit) -> None:
    """Note a write of the document that was just made."""
    database.execute(
        """INSERT INTO document_edits
            (run, origin, made_by, at, action, added, removed, before_sha256, after_sha256)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)""",
        edit.run,
        edit.origin,
        edit.by,
        edit.at.isoformat(),
        edit.action,
        json.dumps(edit.added),
        json.dumps(edit.removed),
        edit.before_sha256,
        edit.after_sha256,
    )


def document_edits(database: Database) -> tuple[DocumentEdit, ...]:
    """Every write of the document by a run, oldest first."""
    return database.read(DocumentEdit, "SELECT *, made_by AS by FROM document_edits ORDER BY id")
