"""All SQL about teachers: every one that served a document, and which of them serves now.

With each lies the text of the document as it was then, so that all of it can be had back. A teacher
is never removed, and `named` are the versions that must therefore never be pruned.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

from dlm.errors import CorruptStore
from dlm.store.database import Database
from dlm.store.records import version_name, version_number


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
        return {
            "number": self.number,
            "teacher": self.spec,
            "version": self.version,
            "current": self.current,
            "base": self.base_key,
            "score": self.score,
            "asked": self.asked,
            "document_sha256": self.document_sha256,
            "at": self.at.isoformat(),
            "why": self.why,
            "round": self.round,
        }


def add_teacher(database: Database, teacher: TeacherRecord, document: bytes) -> None:
    """Note a teacher with the document as it is, and let it serve. Call it in a transaction."""
    keep_text(database, document)
    database.execute(
        """INSERT INTO teachers
            (number, spec, version, current, base_key, score, asked, document_sha256, at, why,
             round)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)""",
        teacher.number,
        teacher.spec,
        _number(teacher.version),
        _number(teacher.current),
        teacher.base_key,
        teacher.score,
        teacher.asked,
        teacher.document_sha256,
        teacher.at.isoformat(),
        teacher.why,
        teacher.round,
    )
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
    rows = database.rows("SELECT number FROM serving_teacher")
    found = {teacher.number: teacher for teacher in teachers(database)}
    return found.get(int(rows[0][0])) if rows else None


def next_number(database: Database) -> int:
    """The number of the next teacher."""
    rows = database.rows("SELECT max(number) FROM teachers")
    return 0 if rows[0][0] is None else int(rows[0][0]) + 1


def named(database: Database) -> frozenset[str]:
    """The versions that the history of teachers names, as `v0003`."""
    rows = database.rows("SELECT version, current FROM teachers")
    return frozenset(version_name(number) for row in rows for number in row if number is not None)


def keep_text(database: Database, document: bytes) -> str:
    """Keep the bytes of a document, each different text once; returns their sha256."""
    digest = sha256(document).hexdigest()
    database.execute("INSERT OR IGNORE INTO document_texts VALUES (?, ?)", digest, document)
    return digest


def text_of(database: Database, digest: str) -> bytes:
    """The kept bytes of a document; raises CorruptStore when they are not there."""
    rows = database.rows("SELECT text FROM document_texts WHERE sha256 = ?", digest)
    if not rows or sha256(bytes(rows[0][0])).hexdigest() != digest:
        raise CorruptStore(f"{database.path} does not hold the text {digest[:12]} any more")
    return bytes(rows[0][0])


def _number(name: str | None) -> int | None:
    return None if name is None else version_number(name)
