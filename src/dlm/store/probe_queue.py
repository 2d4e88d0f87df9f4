"""All SQL about probes that were pushed and are on their way into the document.

A probe waits until it is written into the document, and is kept until a save shows that it stays
there. Knows neither documents nor how a probe came in.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from dlm.store.database import Database
from dlm.store.records import now


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


def push(database: Database, probes: Sequence[Probe], *, capacity: int) -> int:
    """Keep as many of the probes as there is room for, first come first; returns how many.

    They are on the disk when this returns.
    """
    with database.transaction():
        room = max(0, capacity - depth(database))
        for probe in probes[:room]:
            database.execute(
                "INSERT INTO probe_queue (probe_id, prompt, reference, tags, pushed_at) "
                "VALUES (?, ?, ?, ?, ?)",
                probe.probe_id,
                probe.prompt,
                probe.reference,
                json.dumps(probe.tags),
                probe.pushed_at.isoformat(),
            )
    return min(room, len(probes))


def depth(database: Database) -> int:
    """How many probes wait."""
    count: int = database.rows("SELECT count(*) FROM probe_queue WHERE run IS NULL")[0][0]
    return count


def waiting(database: Database) -> tuple[Probe, ...]:
    """The probes that are not in the document yet, oldest first."""
    return _all(database, "WHERE run IS NULL")


def written(database: Database) -> tuple[Probe, ...]:
    """The probes that were written into the document and not seen to stay, oldest first."""
    return _all(database, "WHERE run IS NOT NULL")


def mark_written(database: Database, runs: Mapping[str, str]) -> None:
    """Note that probes, by id, stand in the document, each with the edit that wrote it."""
    with database.transaction():
        for probe_id, run in runs.items():
            database.execute(
                "UPDATE probe_queue SET run = ?, reason = '' WHERE probe_id = ?", run, probe_id
            )


def mark_waiting(database: Database, probe_ids: Iterable[str]) -> None:
    """Note that probes are to be put back into the document."""
    with database.transaction():
        for probe_id in probe_ids:
            database.execute(
                "UPDATE probe_queue SET run = NULL, put_back = 1 WHERE probe_id = ?", probe_id
            )


def mark_held(database: Database, reasons: Mapping[str, str]) -> None:
    """Note why each waiting probe could not be written; the others have no reason to wait."""
    with database.transaction():
        database.execute("UPDATE probe_queue SET reason = '' WHERE run IS NULL")
        for probe_id, reason in reasons.items():
            database.execute(
                "UPDATE probe_queue SET reason = ? WHERE probe_id = ?", reason, probe_id
            )


def drop(database: Database, probe_ids: Collection[str]) -> int:
    """Forget probes, because they are done with; returns how many there were."""
    with database.transaction():
        return sum(
            database.execute("DELETE FROM probe_queue WHERE probe_id = ?", probe_id)
            for probe_id in probe_ids
        )


def _all(database: Database, where: str) -> tuple[Probe, ...]:
    return database.read(Probe, f"SELECT * FROM probe_queue {where} ORDER BY seq")
