"""All SQL about improving: runs of `dlm improve`, their rounds, and the teachers that served.

What a round has found so far is JSON here, which the loop reads; a step counts as done when its
row says so, and never before all that it made is on the disk. With each teacher lies the text of
the document as it was then, so that all of it can be had back. A teacher is never removed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from typing import Any

from dlm.errors import CorruptStore
from dlm.store.database import Database
from dlm.store.records import now, number_of, to_json

_PLANS = ("plan", "parts", "handed_on")
_TOLD = (
    *("name", "number", "ordinal", "step", "teacher", "strategy"),
    *("champion", "challenger", "started_at", "ended_at"),
)


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
        return {name: to_json(getattr(self, name)) for name in _TOLD} | told


@dataclass(frozen=True, slots=True)
class TeacherRecord:
    """One teacher: number 0 is the base. `version` is None for one that is no version of ours.

    `current` is the version that was current when it began to serve, `score` its overall on the
    `asked` questions of the exam, both None where it was not examined; `round` names the round
    that promoted it, empty for others.
    """

    number: int
    spec: str
    version: str | None
    current: str | None
    base_key: str
    score: float | None
    asked: int | None
    document_sha256: str
    at: datetime
    why: str
    round: str = ""

    def to_json(self) -> dict[str, Any]:
        """Plain JSON, in which `spec` is `teacher` and `base_key` is `base`."""
        called = {"spec": "teacher", "base_key": "base"}
        return {called.get(name, name): value for name, value in to_json(self).items()}


def begin_run(database: Database, options: Mapping[str, Any]) -> ImproveRun:
    """Note that a run begins."""
    row = {"started_at": now(), "options": options, "outcome": ""}
    database.insert("improve_runs", row)
    run = open_run(database)
    assert run is not None
    return run


def open_run(database: Database) -> ImproveRun | None:
    """The run that has not ended, if there is one."""
    open_ones = "SELECT * FROM improve_runs WHERE ended_at IS NULL ORDER BY id DESC"
    return database.read_one(ImproveRun, open_ones)


def end_run(database: Database, run: int, outcome: str) -> None:
    """Note that a run is over, and why."""
    database.update("improve_runs", "id = ?", run, ended_at=now(), outcome=outcome)


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
    number = database.value("SELECT count(*) FROM improve_rounds WHERE run = ?", run) + 1
    row = {"run": run, "number": number, "name": name, "teacher": teacher, "strategy": strategy}
    row |= {"document_sha256": document_sha256, "champion": champion, "facts": facts}
    database.insert("improve_rounds", row, step=Step.OPENED, started_at=now())
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
    columns: dict[str, Any] = {"step": step, "facts": {**one.facts, **facts}}
    if step.ends:
        columns["ended_at"] = now()
    if challenger is not None:
        columns["challenger"] = challenger
    database.update("improve_rounds", "id = ?", one.id, **columns)
    return next(found for found in rounds(database) if found.id == one.id)


def rounds(database: Database, run: int | None = None) -> tuple[Round, ...]:
    """Every round, or those of one run, oldest first."""
    found = database.read(
        Round,
        "SELECT *, row_number() OVER (ORDER BY id) AS ordinal FROM improve_rounds ORDER BY id",
    )
    return tuple(one for one in found if run is None or one.run == run)


def add_teacher(database: Database, teacher: TeacherRecord, document: bytes) -> None:
    """Note a teacher with the document as it is, and let it serve. Call it in a transaction."""
    keep_text(database, document)
    version, current = number_of(teacher.version), number_of(teacher.current)
    database.insert("teachers", teacher, version=version, current=current)
    serve(database, teacher.number)


def serve(database: Database, number: int) -> None:
    """Let a teacher that is noted serve from now on."""
    database.execute("INSERT OR REPLACE INTO serving_teacher (id, number) VALUES (1, ?)", number)


def teachers(database: Database) -> tuple[TeacherRecord, ...]:
    """Every teacher that served, oldest first."""
    return database.read(
        TeacherRecord,
        """SELECT number, spec, name(version) AS version, name(current) AS current, base_key,
            score, asked, document_sha256, at, why, round
        FROM teachers ORDER BY number""",
    )


def serving(database: Database) -> TeacherRecord | None:
    """The teacher that serves now, None before the first round."""
    number = database.value("SELECT number FROM serving_teacher")
    return next((one for one in teachers(database) if one.number == number), None)


def next_number(database: Database) -> int:
    """The number of the next teacher."""
    last = database.value("SELECT max(number) FROM teachers")
    return 0 if last is None else int(last) + 1


def keep_text(database: Database, document: bytes) -> str:
    """Keep the bytes of a document, each different text once; returns their sha256."""
    digest = sha256(document).hexdigest()
    database.execute("INSERT OR IGNORE INTO document_texts VALUES (?, ?)", digest, document)
    return digest


def text_of(database: Database, digest: str) -> bytes:
    """The kept bytes of a document; raises CorruptStore when they are not there."""
    text = kept_text(database, digest)
    if text is None:
        raise CorruptStore(f"{database.path} does not hold the text {digest[:12]} any more")
    return text


def kept_text(database: Database, digest: str) -> bytes | None:
    """The kept bytes of a document; None when they are not there."""
    text = database.value("SELECT text FROM document_texts WHERE sha256 = ?", digest)
    whole = text is not None and sha256(bytes(text)).hexdigest() == digest
    return bytes(text) if whole else None
