"""What a store keeps of trainings: written twice without harm, read while written, thinned."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing, suppress
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from store_kit import DLM_ID, NOON, commit, dies_at, in_child, run_record, write_adapter

from dlm.store import metrics, upkeep
from dlm.store.database import Database
from dlm.store.metrics import Evaluation, MetricRun, RunOutcome, StepMetric
from dlm.store.store import Store

RUN = MetricRun("r1", "fresh", "pocket", "/notes/sky.dlm", NOON, planned_steps=40)


def step(number: int, loss: float | None = 0.5) -> StepMetric:
    return StepMetric(number, 1 + number // 10, loss, 1e-3, 100, 50.0, 2.0 * number)


def test_what_was_written_is_read_back_in_order() -> None:
    with Store.open(DLM_ID) as store:
        metrics.begin(store.database, RUN)
        found = Evaluation(1, 10, 21.0, {"learned": 3, "pairs": 4, "drift": None})
        metrics.add(store.database, "r1", [step(2), step(1)], [found])
        assert metrics.runs(store.database) == (RUN,)
        assert metrics.steps(store.database, "r1") == (step(1), step(2))
        assert metrics.steps(store.database, "r1", after=1) == (step(2),)
        assert metrics.evaluations(store.database, "r1") == (found,)
        assert metrics.evaluations(store.database, "r1", after=1) == ()


def test_writing_a_step_again_replaces_it_and_a_run_that_goes_on_keeps_its_start() -> None:
    with Store.open(DLM_ID) as store:
        metrics.begin(store.database, RUN)
        metrics.add(store.database, "r1", [step(1), step(2, 9.0)], [])
        metrics.end(store.database, "r1", RunOutcome.INTERRUPTED, "stopped at step 2")
        again = replace(RUN, started_at=datetime(2030, 1, 1, tzinfo=UTC))
        metrics.begin(store.database, again, after=2)
        metrics.add(store.database, "r1", [step(2), step(3)], [])
        assert metrics.steps(store.database, "r1") == (step(1), step(2), step(3))
        metrics.begin(store.database, again, after=1)
        assert metrics.steps(store.database, "r1") == (step(1),)
        assert metrics.runs(store.database) == (RUN,)


@pytest.mark.parametrize("loss", [float("nan"), float("inf")])
def test_a_loss_that_is_not_finite_is_kept_as_none(loss: float) -> None:
    with Store.open(DLM_ID) as store:
        metrics.begin(store.database, RUN)
        metrics.add(store.database, "r1", [step(1, loss)], [Evaluation(1, 1, 1.0, {"x": loss})])
        assert metrics.steps(store.database, "r1")[0].loss is None
        assert metrics.evaluations(store.database, "r1")[0].figures == {"x": None}


def test_a_committed_run_stays_committed_whatever_fails_after_it() -> None:
    with Store.open(DLM_ID) as store:
        metrics.begin(store.database, RUN)
        metrics.end(store.database, "r1", RunOutcome.COMMITTED, "learned", version=3)
        metrics.end(store.database, "r1", RunOutcome.FAILED, "no room to prune")
        (run,) = metrics.runs(store.database)
        assert (run.outcome, run.version, run.detail) == (RunOutcome.COMMITTED, "v0003", "learned")


def test_the_run_is_committed_with_its_version_or_not_at_all() -> None:
    with Store.open(DLM_ID) as store:
        metrics.begin(store.database, RUN)

    def die_while_recording() -> None:
        with Store.open(DLM_ID, checkpoint=dies_at("recorded")) as store, store.new_version() as s:
            write_adapter(s.path)
            s.commit(
                run_record("r1"),
                (),
                also=lambda database: metrics.end(
                    database, "r1", RunOutcome.COMMITTED, version=s.number
                ),
            )

    assert in_child(die_while_recording) < 0
    with Store.open(DLM_ID) as store:
        (run,) = metrics.runs(store.database)
        assert (run.outcome, run.detail) == (RunOutcome.INTERRUPTED, upkeep.VANISHED)
        assert store.versions() == ()


def test_a_run_whose_process_died_is_ended_when_the_store_is_next_opened() -> None:
    def begin_and_vanish() -> None:
        with Store.open(DLM_ID) as store, store.lock("training"):
            metrics.begin(store.database, RUN)
            metrics.add(store.database, "r1", [step(1)], [])
            with Store.open(DLM_ID) as other:  # somebody looks while it trains
                assert metrics.runs(other.database)[0].outcome is RunOutcome.RUNNING

    assert in_child(begin_and_vanish) == 0
    with Store.open(DLM_ID) as store:
        (run,) = metrics.runs(store.database)
        assert (run.outcome, run.detail) == (RunOutcome.INTERRUPTED, upkeep.VANISHED)
        assert run.ended_at is not None
        assert metrics.steps(store.database, "r1") == (step(1),)


def test_a_reader_neither_waits_for_the_writer_nor_holds_it_up() -> None:
    with Store.open(DLM_ID) as store, closing(Database.open(store.path.database)) as reader:
        metrics.begin(store.database, RUN)
        began = time.monotonic()
        with closing(sqlite3.connect(store.path.database)) as slow:
            slow.execute("BEGIN")
            slow.execute("SELECT count(*) FROM metric_steps").fetchall()  # and keeps its snapshot
            metrics.add(store.database, "r1", [step(1)], [])
            assert slow.execute("SELECT count(*) FROM metric_steps").fetchone() == (0,)
        with store.database.transaction(durable=False):
            store.database.execute("DELETE FROM metric_steps")
            assert metrics.steps(reader, "r1") == (step(1),)
        assert metrics.steps(reader, "r1") == ()
        assert time.monotonic() - began < 2


def test_pruning_thins_the_steps_of_old_runs_and_keeps_their_outcome() -> None:
    with Store.open(DLM_ID) as store:
        for number in range(1, 7):
            name = f"r{number}"
            metrics.begin(store.database, replace(RUN, run_id=name))
            evaluation = Evaluation(1, 1, 1.0, {"learned": 1})
            metrics.add(store.database, name, [step(1), step(2)], [evaluation])
            if number == 2:  # a run without a version
                metrics.end(store.database, name, RunOutcome.FAILED, "the loss became nan")
                continue
            version = commit(store, run_id=name)
            metrics.end(store.database, name, RunOutcome.COMMITTED, version=version.number)
        store.prune(2, protect=["v0001"])
        kept = {run.run_id: len(metrics.steps(store.database, run.run_id)) for run in _runs(store)}
        assert kept == {"r1": 2, "r2": 0, "r3": 0, "r4": 0, "r5": 2, "r6": 2}
        assert all(metrics.evaluations(store.database, run.run_id) for run in _runs(store))


def test_runs_do_not_pile_up_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upkeep, "KEPT_RUNS", 3)
    with Store.open(DLM_ID) as store:
        version = commit(store, run_id="made it")
        metrics.begin(store.database, replace(RUN, run_id="made it"))
        metrics.end(store.database, "made it", RunOutcome.COMMITTED, version=version.number)
        for number in range(6):
            metrics.begin(store.database, replace(RUN, run_id=f"r{number}"))
            metrics.add(store.database, f"r{number}", [], [Evaluation(1, 1, 1.0)])
            metrics.end(store.database, f"r{number}", RunOutcome.REFUSED, "no")
        store.prune(2)
        assert [run.run_id for run in _runs(store)] == ["made it", "r3", "r4", "r5"]
        assert metrics.evaluations(store.database, "r0") == ()


def test_what_is_not_durable_is_still_all_or_nothing() -> None:
    with Store.open(DLM_ID) as store:
        metrics.begin(store.database, RUN)
        with suppress(ZeroDivisionError), store.database.transaction(durable=False):
            store.database.execute("DELETE FROM metric_runs")
            _ = 1 / 0
        assert _runs(store) == (RUN,)
        assert store.database.rows("PRAGMA synchronous")[0][0] == 2


def _runs(store: Store) -> tuple[MetricRun, ...]:
    return metrics.runs(store.database)
