"""What teachers answered, kept so that nothing is asked twice. Knows rows, not teachers."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import astuple
from hashlib import sha256
from itertools import islice

from dlm.data.completion import Completion, Request
from dlm.store.database import Database
from dlm.store.records import now

_AT_ONCE = 500  # keys a query; SQLite takes at most 999 values in older builds


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


def add_completions(database: Database, key: str, teacher: str, texts: Sequence[str]) -> None:
    """Keep an answer; it is on the disk when this returns."""
    plain = [text if isinstance(text, Completion) else Completion(text) for text in texts]
    facts = [[str(one), one.reasoning, one.finished, one.tokens] for one in plain]
    database.execute(
        "INSERT OR REPLACE INTO completions (key, teacher, created_at, texts) VALUES (?, ?, ?, ?)",
        key,
        teacher,
        now().isoformat(),
        json.dumps(facts),
    )


def _read(row: sqlite3.Row) -> list[Completion]:
    try:
        return [
            Completion(text, reasoning=reasoning, finished=bool(finished), tokens=int(tokens))
            for text, reasoning, finished, tokens in json.loads(row["texts"])
        ]
    except (ValueError, TypeError, AttributeError):
        return []
