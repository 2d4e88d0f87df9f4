"""All SQL about what a training measured: runs, their steps and their evaluations.

Writers hold the store's lock; readers need none, since the database keeps a write-ahead log.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from dlm.store.database import Database
from dlm.store.records import now

KEPT_RUNS: Final = 1000
"""How many runs keep their outcome and evaluations; steps go earlier, see `thin`."""

VANISHED: Final = "its process ended without a word"

_RUNS: Final = """SELECT run_id, mode, base_key, document_path, started_at, planned_steps, ended_at,
    outcome, detail, name(version) AS version FROM metric_runs"""


class RunOutcome(StrEnum):
    """How a run stands: still training, or how it ended."""

    RUNNING = "running"
    COMMITTED = "committed"
    INTERRUPTED = "interrupted"
    FAILED = "failed"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class MetricRun:
    """One `dlm train`, whether it came to a version or not. `detail` is a sentence: why it ended.

    `planned_steps` is the last step it may reach; the budget may stop earlier.
    """

    run_id: str
    mode: str
    base_key: str
    document_path: str
    started_at: datetime
    planned_steps: int = 0
    ended_at: datetime | None = None
    outcome: RunOutcome = RunOutcome.RUNNING
    detail: str = ""
    version: str | None = None


@dataclass(frozen=True, slots=True)
class StepMetric:
    """One optimiser step. `loss` is nats per supervised token, None where it was not finite;
    `tokens` are those the step read, `seconds` the time since the run began.
    """

    step: int
    epoch: int
    loss: float | None
    learning_rate: float
    tokens: int
    tokens_per_second: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What was measured after an epoch, whose last step is `step`; `figures` are by name."""

    epoch: int
    step: int
    seconds: float
    figures: Mapping[str, Any] = field(default_factory=dict)


def begin(database: Database, run: MetricRun, *, after: int = 0) -> None:
    """Note that a run begins.

    One that is known goes on `after` a step: its start stays, and what came later is forgotten.
    """
    with database.transaction():
        database.execute(
            """INSERT INTO metric_runs
                (run_id, mode, base_key, document_path, started_at, planned_steps, outcome, detail)
            VALUES (?, ?, ?, ?, ?, ?, ?, '')
            ON CONFLICT (run_id) DO UPDATE SET planned_steps = excluded.planned_steps,
                ended_at = NULL, outcome = excluded.outcome, detail = '', version = NULL""",
            run.run_id,
            run.mode,
            run.base_key,
            run.document_path,
            run.started_at.isoformat(),
            run.planned_steps,
            RunOutcome.RUNNING.value,
        )
        for table in ("metric_steps", "metric_evaluations"):
            database.execute(
                f"""DELETE FROM {table} WHERE step > ?
                    AND run = (SELECT id FROM metric_runs WHERE run_id = ?)""",
                after,
                run.run_id,
            )


def end(
    database: Database,
    run_id: str,
    outcome: RunOutcome,
    detail: str = "",
    *,
    version: int | None = None,
) -> None:
    """Note how a run ended; one that was committed stays so, whatever fails after it."""
    database.execute(
        """UPDATE metric_runs SET ended_at = ?, outcome = ?, detail = ?, version = ?
        WHERE run_id = ? AND version IS NULL""",
        now().isoformat(),
        outcome.value,
        detail.encode("utf-8", "replace").decode(),
        version,
        run_id,
    )


def end_vanished(database: Database) -> None:
    """End the runs that say they are running; for one who holds the lock and so knows better."""
    database.execute(
        "UPDATE metric_runs SET ended_at = ?, outcome = ?, detail = ? WHERE outcome = ?",
        now().isoformat(),
        RunOutcome.INTERRUPTED.value,
        VANISHED,
        RunOutcome.RUNNING.value,
    )


def add(
    database: Database, run_id: str, steps: Iterable[StepMetric], evaluations: Iterable[Evaluation]
) -> None:
    """Write steps and evaluations in one transaction; those that are there already are replaced.

    A power cut may lose the latest of them, which is why the disk is not waited for.
    """
    with database.transaction(durable=False):
        rows = database.rows("SELECT id FROM metric_runs WHERE run_id = ?", run_id)
        for key in (row[0] for row in rows):
            for one in steps:
                database.execute(
                    "INSERT OR REPLACE INTO metric_steps VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                    *(key, one.step, one.epoch, _finite(one.loss), one.learning_rate),
                    *(one.tokens, one.tokens_per_second, one.seconds),
                )
            for found in evaluations:
                figures = {name: _finite(value) for name, value in found.figures.items()}
                database.execute(
                    "INSERT OR REPLACE INTO metric_evaluations VALUES (?, ?, ?, ?, ?)",
                    *(key, found.epoch, found.step, found.seconds, json.dumps(figures)),
                )


def runs(database: Database, limit: int | None = None) -> tuple[MetricRun, ...]:
    """The newest `limit` runs (all without one), oldest first."""
    newest = f"{_RUNS} ORDER BY id DESC LIMIT ?"
    return database.read(MetricRun, newest, -1 if limit is None else limit)[::-1]


def run(database: Database, run_id: str) -> MetricRun | None:
    """One run."""
    return next(iter(database.read(MetricRun, f"{_RUNS} WHERE run_id = ?", run_id)), None)


def steps(database: Database, run_id: str, *, after: int = 0) -> tuple[StepMetric, ...]:
    """The steps of a run beyond step `after`, in order."""
    return database.read(
        StepMetric,
        """SELECT step, epoch, loss, learning_rate, tokens, tokens_per_second, seconds
        FROM metric_steps JOIN metric_runs ON run = id WHERE run_id = ? AND step > ?
        ORDER BY step""",
        run_id,
        after,
    )


def evaluations(database: Database, run_id: str, *, after: int = 0) -> tuple[Evaluation, ...]:
    """The evaluations of a run beyond epoch `after`, in order."""
    return database.read(
        Evaluation,
        """SELECT epoch, step, seconds, figures
        FROM metric_evaluations JOIN metric_runs ON run = id WHERE run_id = ? AND epoch > ?
        ORDER BY epoch""",
        run_id,
        after,
    )


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


def _finite(value: Any) -> Any:
    """SQLite and JSON cannot both hold what is not a number."""
    return None if isinstance(value, float) and not math.isfinite(value) else value
