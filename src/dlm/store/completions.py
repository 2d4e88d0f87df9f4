"""What teachers answered, kept so that nothing is asked twice, and what syntheses came to.

Knows rows, not teachers. A plan is gone once it is applied or discarded: what is left to tell of
the run is its funnel and a few of its candidates.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass
from datetime import datetime
from hashlib import sha256
from itertools import islice
from typing import Any

from dlm.data.completion import Completion, Request
from dlm.store.database import Database
from dlm.store.records import now

_AT_ONCE = 500  # keys a query; SQLite takes at most 999 values in older builds


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


def completion_key(identity: str, request: Request) -> str:
    """The sha256, in hex, of all that determines an answer: who is asked, what, and how."""
    plain = [float(value) if isinstance(value, int) else value for value in astuple(request)]
    return sha256(json.dumps([identity, *plain]).encode()).hexdigest()


def find_completions(database: Database, keys: Iterable[str]) -> dict[str, list[Completion]]:
    """The completions kept under those of `keys` that are known; damaged ones are not."""
    found: dict[str, list[Completion]] = {}
    left = iter(dict.fromkeys(keys))
    while part := list(islice(left, _AT_ONCE)):
        marks = ", ".join("?" * len(part))
        rows = database.rows(f"SELECT key, texts FROM completions WHERE key IN ({marks})", *part)
        found |= {row["key"]: texts for row in rows if (texts := _read(row))}
    return found


def add_completions(
    database: Database, key: str, teacher: str, texts: Sequence[str], *, durable: bool = True
) -> None:
    """Keep an answer; it is on the disk when this returns, if `durable`, else after the next one.

    An answer that is not outlives the process, but not the machine.
    """
    plain = [text if isinstance(text, Completion) else Completion(text) for text in texts]
    facts = [[str(one), one.reasoning, one.finished, one.tokens] for one in plain]
    row = {"key": key, "teacher": teacher, "created_at": now(), "texts": facts}
    with contextlib.nullcontext() if durable else database.transaction(durable=False):
        database.insert("completions", row, conflict="REPLACE")


def add_synth_run(database: Database, run: SynthRun) -> None:
    """Keep a run; the same run done again on the same text takes its place."""
    samples = [dict(sample) for sample in run.samples]
    database.insert("synth_runs", run, conflict="REPLACE", samples=samples)


def synth_runs(database: Database) -> tuple[SynthRun, ...]:
    """Every run that was kept, oldest first."""
    return database.read(SynthRun, "SELECT * FROM synth_runs ORDER BY made_at, rowid")


def _read(row: sqlite3.Row) -> list[Completion]:
    try:
        return [
            Completion(text, reasoning=reasoning, finished=bool(finished), tokens=int(tokens))
            for text, reasoning, finished, tokens in json.loads(row["texts"])
        ]
    except (ValueError, TypeError, AttributeError):
        return []
