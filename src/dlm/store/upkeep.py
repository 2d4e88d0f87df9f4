"""All SQL that nobody asks for: runs whose process is gone, and what grows with the versions.

Every opening and every pruning of a store comes by here, so this knows tables and no records.
"""

from __future__ import annotations

from typing import Final

from dlm.store.database import Database
from dlm.store.records import now, version_name

KEPT_RUNS: Final = 1000
"""How many runs keep their outcome and evaluations; steps go earlier, see `thin`."""

VANISHED: Final = "its process ended without a word"


def end_vanished(database: Database) -> None:
    """End the runs that say they are running; for one who holds the lock and so knows better."""
    columns = {"ended_at": now(), "outcome": "interrupted", "detail": VANISHED}
    database.update("metric_runs", "outcome = 'running'", **columns)


def thin(database: Database, keep: int) -> None:
    """Remove what grows: the steps of old runs, and all of runs before the newest 1,000.

    Steps stay for the newest `keep` runs, for any whose version still stands, and for one that is
    running. Outcomes and evaluations are small and stay longer.
    """
    old = """SELECT id FROM metric_runs
        WHERE outcome != 'running'
            AND (version IS NULL OR version NOT IN (SELECT number FROM versions))
            AND id NOT IN (SELECT id FROM metric_runs ORDER BY id DESC LIMIT ?)"""
    with database.transaction():
        database.execute(f"DELETE FROM metric_steps WHERE run IN ({old})", keep)
        database.execute(f"DELETE FROM metric_runs WHERE id IN ({old})", KEPT_RUNS)


def named(database: Database) -> frozenset[str]:
    """The versions that the history of teachers names, as `v0003`."""
    rows = database.rows("SELECT version, current FROM teachers")
    return frozenset(version_name(number) for row in rows for number in row if number is not None)


def forget_texts(database: Database) -> None:
    """Drop the texts that no version, no teacher and no round was made from."""
    database.execute(
        "DELETE FROM document_texts WHERE sha256 NOT IN ("
        " SELECT document_sha256 FROM teachers"
        " UNION SELECT document_sha256 FROM improve_rounds"
        " UNION SELECT document_sha256 FROM runs JOIN versions USING (run_id))"
    )
