"""All SQL about what syntheses came to: their funnel, and a few of their candidates.

A plan is gone once it is applied or discarded; this is what is left to tell of the run.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dlm.errors import CorruptStore
from dlm.store.database import Database
from dlm.store.records import moment


@dataclass(frozen=True, slots=True)
class SynthRun:
    """One synthesis of a text: `planned` pairs were accepted; `note` holds the funnel and the
    options, `samples` candidates as JSON, some of each fate.
    """

    run: str
    teacher: str
    made_at: datetime
    document_sha256: str
    planned: int
    note: Mapping[str, Any]
    samples: tuple[Mapping[str, Any], ...] = ()


def record(database: Database, run: SynthRun) -> None:
    """Keep a run; the same run done again on the same text takes its place."""
    database.execute(
        """INSERT OR REPLACE INTO synth_runs
            (run, teacher, made_at, document_sha256, planned, note, samples)
            VALUES (?, ?, ?, ?, ?, ?, ?)""",
        run.run,
        run.teacher.encode("utf-8", "replace").decode(),
        run.made_at.isoformat(),
        run.document_sha256,
        run.planned,
        json.dumps(dict(run.note), allow_nan=False),
        json.dumps([dict(sample) for sample in run.samples], allow_nan=False),
    )


def synth_runs(database: Database) -> tuple[SynthRun, ...]:
    """Every run that was kept, oldest first."""
    rows = database.rows("SELECT * FROM synth_runs ORDER BY made_at, rowid")
    try:
        return tuple(_run(row) for row in rows)
    except (ValueError, TypeError, KeyError, IndexError) as error:
        raise CorruptStore(f"{database.path} holds a row that is damaged: {error}") from error


def _run(row: sqlite3.Row) -> SynthRun:
    return SynthRun(
        row["run"],
        row["teacher"],
        moment(row["made_at"]),
        row["document_sha256"],
        row["planned"],
        dict(json.loads(row["note"])),
        tuple(dict(sample) for sample in json.loads(row["samples"])),
    )
