"""All SQL about what was measured: runs, their steps and evaluations, and scorecards of versions.

Writers hold the store's lock; readers need none, since the database keeps a write-ahead log.
Scorecards are JSON here, which `dlm.eval` reads and writes; their items lie in rows of their own,
so that versions can be compared question by question.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from dlm.store.database import Database
from dlm.store.records import finite, now

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

    @property
    def standing(self) -> str:
        """`committed v0003`, `interrupted`, …"""
        return f"{self.outcome.value} {self.version}" if self.version else self.outcome.value


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

    def to_json(self) -> dict[str, Any]:
        """Plain JSON: its figures beside its place."""
        place = {"epoch": self.epoch, "step": self.step, "seconds": self.seconds}
        return {**place, **self.figures}


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
    columns = {"ended_at": now(), "outcome": outcome, "detail": detail, "version": version}
    database.update("metric_runs", "run_id = ? AND version IS NULL", run_id, **columns)


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
                database.insert("metric_steps", one, conflict="REPLACE", run=key)
            for found in evaluations:
                figures = {name: finite(value) for name, value in found.figures.items()}
                database.insert(
                    "metric_evaluations", found, conflict="REPLACE", run=key, figures=figures
                )


def runs(database: Database, limit: int | None = None) -> tuple[MetricRun, ...]:
    """The newest `limit` runs (all without one), oldest first."""
    newest = f"{_RUNS} ORDER BY id DESC LIMIT ?"
    return database.read(MetricRun, newest, -1 if limit is None else limit)[::-1]


def run(database: Database, run_id: str) -> MetricRun | None:
    """One run."""
    return database.read_one(MetricRun, f"{_RUNS} WHERE run_id = ?", run_id)


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


def add_scorecard(database: Database, number: int, card: Mapping[str, Any]) -> None:
    """Keep a scorecard of version `number`; an earlier one on the same document gives way.

    Of versions that were pruned the figures stay and the items go. Call it in a transaction.
    """
    sha256 = card["document_sha256"]
    database.execute(
        "DELETE FROM scorecards WHERE number = ? AND document_sha256 = ?", number, sha256
    )
    facts = {key: value for key, value in card.items() if key != "items"}
    row = {"number": number, "document_sha256": sha256, "measured_at": card["measured_at"]}
    identity = database.insert("scorecards", row, card=facts)
    database.execute(
        """DELETE FROM scorecard_items WHERE scorecard IN (SELECT id FROM scorecards
            WHERE number <> ? AND number NOT IN (SELECT number FROM versions))""",
        number,
    )
    rows = (
        {
            "scorecard": identity,
            "position": position,
            "is_right": item["right"],
            "kind": item["kind"],
            "question": item["question"],
            "item": item,
        }
        for position, item in enumerate(card["items"])
    )
    database.insert_all("scorecard_items", rows)


def latest_scorecards(database: Database) -> dict[int, tuple[dict[str, Any], bool]]:
    """The latest scorecard of each version ever measured, by number, without its items; and
    whether those are kept. Raises CorruptStore where one is damaged.
    """
    rows = database.rows(
        """SELECT number, card, EXISTS (
            SELECT 1 FROM scorecard_items WHERE scorecard = scorecards.id) AS asked
        FROM scorecards ORDER BY number, measured_at, id"""
    )
    with database.readable_row():
        return {
            row["number"]: ({**json.loads(row["card"]), "items": []}, bool(row["asked"]))
            for row in rows
        }


def scorecard_of(
    database: Database, number: int, document_sha256: str | None = None
) -> dict[str, Any] | None:
    """The scorecard of a version on a document, or its latest; raises CorruptStore if damaged."""
    rows = database.rows(
        """SELECT id, card FROM scorecards
        WHERE number = ?1 AND (?2 IS NULL OR document_sha256 = ?2)
        ORDER BY measured_at DESC, id DESC LIMIT 1""",
        number,
        document_sha256,
    )
    if not rows:
        return None
    items = database.rows(
        "SELECT item FROM scorecard_items WHERE scorecard = ? ORDER BY position", rows[0]["id"]
    )
    with database.readable_row():
        return {**json.loads(rows[0]["card"]), "items": [json.loads(row["item"]) for row in items]}


def smoothed(values: Sequence[float]) -> list[float]:
    """Each value as the mean of itself and the tenth of all values that came before it."""
    window = 1 + len(values) // 10
    found, total = [], 0.0
    for index, value in enumerate(values):
        total += value - (values[index - window] if index >= window else 0.0)
        found.append(total / min(index + 1, window))
    return found
