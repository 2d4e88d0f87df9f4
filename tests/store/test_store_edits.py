"""Staged plans and the record of edits: rows that outlive the process and the database file."""

from __future__ import annotations

from dlm.store.edits import (
    DocumentEdit,
    StagedPlan,
    document_edits,
    drop_plan,
    record_edit,
    stage_plan,
    staged_plans,
)
from dlm.store.opening import rescue
from dlm.store.records import now
from dlm.store.store import Store

PLAN = StagedPlan("r1", "synthesized", now(), {"run": "r1", "text": "é\ud800\u2028"})
EDIT = DocumentEdit("r1", "synthesized", "self", now(), "apply", ("a" * 16,), (), "0", "1")


def test_what_was_staged_and_noted_is_there_after_a_restart() -> None:
    with Store.open("one") as store:
        stage_plan(store.database, PLAN)
        record_edit(store.database, EDIT)
    with Store.open("one") as store:
        assert staged_plans(store.database) == (PLAN,)
        assert document_edits(store.database) == (EDIT,)
        assert drop_plan(store.database, "r1")
        assert not drop_plan(store.database, "r1")


def test_staging_a_run_again_replaces_its_plan() -> None:
    with Store.open("one") as store:
        for text in ("first", "second"):
            stage_plan(store.database, StagedPlan("r1", "mined", now(), {"text": text}))
        assert [each.plan["text"] for each in staged_plans(store.database)] == ["second"]


def test_both_are_rescued_from_a_damaged_database() -> None:
    with Store.open("old") as old, Store.open("new") as new:
        stage_plan(old.database, PLAN)
        record_edit(old.database, EDIT)
        rescue(new.database, old.database)
        assert staged_plans(new.database) == (PLAN,)
        assert document_edits(new.database) == (EDIT,)
