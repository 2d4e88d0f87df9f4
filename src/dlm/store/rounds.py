"""All SQL about improving: runs of `dlm improve`, their rounds, and how far each has come.

What a round has found so far is JSON here, which the loop reads; a step counts as done when its
row says so, and never before all that it made is on the disk.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from dlm.store.database import Database
from dlm.store.records import now

_PLANS = ("plan", "parts", "handed_on")


class Step(StrEnum):
    """What a round has done last. The last three end it."""

    OPENED = "opened"
    PLANNED = "planned"
    TRAINED = "trained"
    EXAMINED = "examined"
    DECIDED = "decided"
    PROMOTED = "promoted"
    REFUSED = "refused"
    ABANDONED = "abandoned"

    @property
    def ends(self) -> bool:
        return self in (Step.PROMOTED, Step.REFUSED, Step.ABANDONED)


@dataclass(frozen=True, slots=True)
class ImproveRun:
    """One `dlm improve`, however often it was killed. `ended_at` is None while it can go on."""

    id: int
    started_at: datetime
    options: Mapping[str, Any]
    ended_at: datetime | None = None
    outcome: str = ""


@dataclass(frozen=True, slots=True)
class Round:
    """One round: `facts` are the plan, the exam and the verdict, as far as it has come.

    `number` counts within the run, `ordinal` over all rounds of the document, both from 1.
    """

    id: int
    run: int
    number: int
    ordinal: int
    name: str
    step: Step
    teacher: str
    strategy: str
    document_sha256: str
    champion: int
    challenger: int | None
    facts: Mapping[str, Any] = field(hash=False)
    started_at: datetime
    ended_at: datetime | None = None

    def to_json(self) -> dict[str, Any]:
        """The facts for reports, without the plan."""
        told = {key: value for key, value in self.facts.items() if key not in _PLANS}
        return {
            "name": self.name,
            "number": self.number,
            "ordinal": self.ordinal,
            "step": self.step.value,
            "teacher": self.teacher,
            "strategy": self.strategy,
            "champion": self.champion,
            "challenger": self.challenger,
            "started_at": self.started_at.isoformat(),
            "ended_at": self.ended_at.isoformat() if self.ended_at else None,
            **told,
        }


def begin_run(database: Database, options: Mapping[str, Any]) -> ImproveRun:
    """Note that a run begins."""
    database.execute(
        "INSERT INTO improve_runs (started_at, options, outcome) VALUES (?, ?, '')",
        now().isoformat(),
        json.dumps(options),
    )
    run = open_run(database)
    assert run is not None
    return run


def open_run(database: Database) -> ImproveRun | None:
    """The run that has not ended, if there is one."""
    open_ones = "SELECT * FROM improve_runs WHERE ended_at IS NULL ORDER BY id DESC"
    return next(iter(database.read(ImproveRun, open_ones)), None)


def end_run(database: Database, run: int, outcome: str) -> None:
    """Note that a run is over, and why."""
    database.execute(
        "UPDATE improve_runs SET ended_at = ?, outcome = ? WHERE id = ?",
        now().isoformat(),
        outcome,
        run,
    )


def runs(database: Database) -> tuple[ImproveRun, ...]:
    """Every run, oldest first."""
    return database.read(ImproveRun, "SELECT * FROM improve_runs ORDER BY id")


def begin_round(
    database: Database,
    run: int,
    *,
    name: str,
    teacher: str,
    strategy: str,
    document_sha256: str,
    champion: int,
    facts: Mapping[str, Any],
) -> Round:
    """Note that a round begins."""
    number = database.rows("SELECT count(*) FROM improve_rounds WHERE run = ?", run)[0][0] + 1
    database.execute(
        """INSERT INTO improve_rounds
            (run, number, name, step, teacher, strategy, document_sha256, champion, facts,
             started_at)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)""",
        run,
        number,
        name,
        Step.OPENED.value,
        teacher,
        strategy,
        document_sha256,
        champion,
        json.dumps(dict(facts)),
        now().isoformat(),
    )
    return rounds(database)[-1]


def advance(
    database: Database,
    one: Round,
    step: Step,
    *,
    challenger: int | None = None,
    **facts: Any,
) -> Round:
    """Note how far a round has come; `facts` are added to those it has."""
    database.execute(
        """UPDATE improve_rounds SET step = ?, challenger = coalesce(?, challenger), facts = ?,
            ended_at = ? WHERE id = ?""",
        step.value,
        challenger,
        json.dumps({**one.facts, **facts}),
        now().isoformat() if step.ends else None,
        one.id,
    )
    return next(found for found in rounds(database) if found.id == one.id)


def rounds(database: Database, run: int | None = None) -> tuple[Round, ...]:
    """Every round, or those of one run, oldest first."""
    found = database.read(
        Round,
        "SELECT *, row_number() OVER (ORDER BY id) AS ordinal FROM improve_rounds ORDER BY id",
    )
    return tuple(one for one in found if run is None or one.run == run)
