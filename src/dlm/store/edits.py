"""All SQL about changes of a document: plans that wait, pushed probes, what was written into it.

Plans are JSON here; what they mean is known to the loops. A probe waits until it is written into
the document, and is kept until a save shows that it stays there. What stands in the document is
known from the document alone: the rows about edits only add when, and how the file looked before.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any

from dlm.store.database import Database
from dlm.store.records import now


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


@dataclass(frozen=True, slots=True)
class Probe:
    """A question with the answer it should get, as it was pushed.

    `run` is the edit that wrote it into the document, None while it waits; `put_back` says that a
    save dropped it once; `reason` is why it could not be written.
    """

    prompt: str
    reference: str
    tags: tuple[str, ...] = ()
    probe_id: str = field(default_factory=lambda: secrets.token_hex(8))
    pushed_at: datetime = field(default_factory=now)
    run: str | None = None
    put_back: bool = False
    reason: str = ""

    @property
    def source(self) -> str:
        """Where it came from, as its marker in the document says it."""
        return f"{self.tags[0] if self.tags else 'rpc'}/{self.probe_id}"


def stage_plan(database: Database, staged: StagedPlan) -> None:
    """Keep a plan; one of the same run is replaced."""
    database.insert("staged_plans", staged, conflict="REPLACE")


def drop_plan(database: Database, run: str) -> bool:
    """Forget the plan of a run; False when there is none."""
    return database.execute("DELETE FROM staged_plans WHERE run = ?", run) > 0


def staged_plans(database: Database) -> tuple[StagedPlan, ...]:
    """Every plan that waits, oldest first."""
    return database.read(StagedPlan, "SELECT * FROM staged_plans ORDER BY created_at, rowid")


def record_edit(database: Database, edit: DocumentEdit) -> None:
    """Note a write of the document that was just made."""
    row = {one.name: getattr(edit, one.name) for one in fields(edit)}
    row["made_by"] = row.pop("by")
    database.insert("document_edits", row)


def document_edits(database: Database) -> tuple[DocumentEdit, ...]:
    """Every write of the document by a run, oldest first."""
    return database.read(DocumentEdit, "SELECT *, made_by AS by FROM document_edits ORDER BY id")


def push_probes(database: Database, probes: Sequence[Probe], *, capacity: int) -> int:
    """Keep as many of the probes as there is room for, first come first; returns how many.

    They are on the disk when this returns.
    """
    with database.transaction():
        room = max(0, capacity - queue_depth(database))
        for probe in probes[:room]:
            database.insert("probe_queue", probe)
    return min(room, len(probes))


def queue_depth(database: Database) -> int:
    """How many probes wait."""
    return int(database.value("SELECT count(*) FROM probe_queue WHERE run IS NULL"))


def waiting_probes(database: Database) -> tuple[Probe, ...]:
    """The probes that are not in the document yet, oldest first."""
    return _probes(database, "WHERE run IS NULL")


def written_probes(database: Database) -> tuple[Probe, ...]:
    """The probes that were written into the document and not seen to stay, oldest first."""
    return _probes(database, "WHERE run IS NOT NULL")


def mark_written(database: Database, runs: Mapping[str, str]) -> None:
    """Note that probes, by id, stand in the document, each with the edit that wrote it."""
    with database.transaction():
        for probe_id, run in runs.items():
            database.update("probe_queue", "probe_id = ?", probe_id, run=run, reason="")


def mark_waiting(database: Database, probe_ids: Iterable[str]) -> None:
    """Note that probes are to be put back into the document."""
    with database.transaction():
        for probe_id in probe_ids:
            database.update("probe_queue", "probe_id = ?", probe_id, run=None, put_back=True)


def mark_held(database: Database, reasons: Mapping[str, str]) -> None:
    """Note why each waiting probe could not be written; the others have no reason to wait."""
    with database.transaction():
        database.update("probe_queue", "run IS NULL", reason="")
        for probe_id, reason in reasons.items():
            database.update("probe_queue", "probe_id = ?", probe_id, reason=reason)


def drop_probes(database: Database, probe_ids: Collection[str]) -> int:
    """Forget probes, because they are done with; returns how many there were."""
    with database.transaction():
        return sum(
            database.execute("DELETE FROM probe_queue WHERE probe_id = ?", probe_id)
            for probe_id in probe_ids
        )


def _probes(database: Database, where: str) -> tuple[Probe, ...]:
    return database.read(Probe, f"SELECT * FROM probe_queue {where} ORDER BY seq")
