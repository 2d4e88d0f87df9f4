"""Scorecards in the store: with their version, in place of an earlier one, and when damaged."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import Any

import pytest
from store_kit import DLM_ID, commit, in_child, run_record, write_adapter

from dlm.errors import CorruptStore
from dlm.store.metrics import add_scorecard, scorecard_of
from dlm.store.store import Store


def card(sha256: str = "d" * 64, *, at: str = "2026-05-04T12:00:00+00:00") -> dict[str, Any]:
    item = {"kind": "trained", "question": "Why?", "right": True, "answer": "So."}
    return {"document_sha256": sha256, "measured_at": at, "figures": {}, "items": [item]}


def test_a_scorecard_is_committed_with_its_version_or_not_at_all() -> None:
    with Store.open(DLM_ID) as store:
        with store.new_version() as staging:
            write_adapter(staging.path)
            staging.commit(
                run_record("r1"), [], also=lambda db: add_scorecard(db, staging.number, card())
            )
        assert scorecard_of(store.database, 1) == card()

    def interrupted() -> None:
        with Store.open(DLM_ID) as store, store.new_version() as staging:
            write_adapter(staging.path)

            def also(database: Any) -> None:
                add_scorecard(database, staging.number, card())
                raise KeyboardInterrupt

            staging.commit(run_record("r2"), [], also=also)

    assert in_child(interrupted) != 0
    with Store.open(DLM_ID) as store:
        assert [version.number for version in store.versions()] == [1]
        assert store.database.rows("SELECT count(*) FROM scorecards")[0][0] == 1


def test_a_later_scorecard_of_the_same_text_replaces_and_of_another_joins() -> None:
    with Store.open(DLM_ID) as store:
        commit(store)
        for one in (
            card(at="2026-05-04T12:00:00+00:00"),
            card("e" * 64, at="2026-05-05T12:00:00+00:00"),
            card(at="2026-05-04T13:00:00+00:00"),
        ):
            with store.database.transaction():
                add_scorecard(store.database, 1, one)
        assert scorecard_of(store.database, 1) == card("e" * 64, at="2026-05-05T12:00:00+00:00")
        again = scorecard_of(store.database, 1, "d" * 64)
        assert again == card(at="2026-05-04T13:00:00+00:00")
        assert store.database.rows("SELECT count(*) FROM scorecard_items")[0][0] == 2
        assert scorecard_of(store.database, 2) is None


def test_the_items_of_pruned_versions_go_and_their_figures_stay() -> None:
    with Store.open(DLM_ID) as store:
        for number in (1, 2):
            commit(store)
            add_scorecard(store.database, number, card())
        store.prune(1)
        commit(store)
        add_scorecard(store.database, 3, card())
        rows = store.database.rows(
            """SELECT number, count(position) FROM scorecards LEFT JOIN scorecard_items
                ON scorecard = id GROUP BY number ORDER BY number"""
        )
        assert [tuple(row) for row in rows] == [(1, 0), (2, 1), (3, 1)]


@pytest.mark.parametrize("table", ["scorecards", "scorecard_items"])
def test_a_damaged_scorecard_is_a_sentence(table: str) -> None:
    column = "card" if table == "scorecards" else "item"
    with Store.open(DLM_ID) as store:
        commit(store)
        add_scorecard(store.database, 1, card())
        store.database.execute("PRAGMA ignore_check_constraints = ON")
        store.database.execute(f"UPDATE {table} SET {column} = '{{broken'")
        with pytest.raises(CorruptStore, match="holds a row that is damaged"):
            scorecard_of(store.database, 1)


def test_scorecards_survive_a_damaged_database() -> None:
    with Store.open(DLM_ID) as store:
        commit(store)
        add_scorecard(store.database, 1, card())
        path = store.database.path
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute("UPDATE sqlite_master SET rootpage = 9999 WHERE name = 'versions'")
        connection.commit()
    with Store.open(DLM_ID) as store:
        assert any("damaged" in notice for notice in store.notices)
        assert scorecard_of(store.database, 1) == card()
