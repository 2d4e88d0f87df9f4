"""All SQL about scorecards: one for each version and document it was measured on.

Knows them as JSON, which `dlm.eval` reads and writes; the items lie in rows of their own, so that
versions can be compared question by question.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from dlm.store.database import Database


def add_scorecard(database: Database, number: int, card: Mapping[str, Any]) -> None:
    """Keep a scorecard of version `number`; an earlier one on the same document gives way.

    Of versions that were pruned the figures stay and the items go. Call it in a transaction.
    """
    sha256 = card["document_sha256"]
    database.execute(
        "DELETE FROM scorecards WHERE number = ? AND document_sha256 = ?", number, sha256
    )
    facts = {key: value for key, value in card.items() if key != "items"}
    database.execute(
        "INSERT INTO scorecards (number, document_sha256, measured_at, card) VALUES (?, ?, ?, ?)",
        number,
        sha256,
        card["measured_at"],
        json.dumps(facts),
    )
    database.execute(
        """DELETE FROM scorecard_items WHERE scorecard IN (SELECT id FROM scorecards
            WHERE number <> ? AND number NOT IN (SELECT number FROM versions))""",
        number,
    )
    identity = database.rows("SELECT last_insert_rowid()")[0][0]
    for position, item in enumerate(card["items"]):
        database.execute(
            "INSERT INTO scorecard_items VALUES (?, ?, ?, ?, ?, ?)",
            identity,
            position,
            item["kind"],
            item["question"],
            item["right"],
            json.dumps(item),
        )


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
