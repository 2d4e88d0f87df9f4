"""Staged plans and the record of edits: rows that outlive the process and the database file."""

from __future__ import annotations

from dlm.store import queries, staged_plans
from dlm.store.records import now
from dlm.store.staged_plans import DocumentEdit, StagedPlan
from dlm.store.store import Store

PLAN = StagedPlan("r1", "synthesized", now(), {"run": "r1", "text": "é\ud800\u2028"})
EDIT = DocumentEdit("r1", "synthesized", "self", now(), "apply", ("a" * 16,), (), "0", "1")


def test_what_was_staged_and_noted_is_there_after_a_restart() -> None:
    with Store.open("one") as store:
        staged_plans.put(store.database, PLAN)
        staged_plans.record(store.database, EDIT)
    with Store.open("one") as store:
        assert staged_plans.staged_plans(store.database) == (PLAN,)
        assert staged_plans.document_edits(store.database) == (EDIT,)
        assert staged_plans.drop(store.database, "r1")
        assert not staged_plans.drop(store.database, "r1")


def test_staging_a_run_again_replaces_its_plan() -> None:
    with Store.open("one") as store:
        for text in ("first", "second"):
            staged_plans.put(store.database, StagedPlan("r1", "mined", now(), {"text": text}))
        assert [each.plan["text"] for each in staged_plans.staged_plans(store.database)] == [
            "second"
        ]


def test_both_are_rescued_from_a_damaged_database() -> None:
    with Store.open("old") as old, Store.open("new") as new:
        staged_plans.put(old.database, PLAN)
        staged_plans.record(old.database, EDIT)
        queries.rescue(new.database, old.database)
        assert staged_plans.staged_plans(new.database) == (PLAN,)
        assert staged_plans.document_edits(new.database) == (EDIT,)
