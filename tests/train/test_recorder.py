"""What a run leaves in the store while it trains and as it ends, at next to no cost."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from dlm.engine.model import Score
from dlm.errors import DlmError, Interrupted, StoreError, TrainingError
from dlm.store import metrics
from dlm.store.database import Database
from dlm.store.metrics import MetricRun, RunOutcome
from dlm.train.figures import EpochFigures
from dlm.train.recorder import Recorder
from dlm.train.trainer import StepReport


class Clock:
    """A clock that moves only when it is told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with closing(Database.open(tmp_path / "store.sqlite3")) as opened:
        yield opened


def _recorder(database: Database, **more: Any) -> Recorder:
    return Recorder(database, mode="fresh", base_key="pocket", document_path="n.dlm", **more)


def _report(step: int, loss: float = 0.5) -> StepReport:
    return StepReport(step, loss, 200, 1e-3)


def _last(database: Database) -> MetricRun:
    return metrics.runs(database)[-1]


def test_steps_are_written_about_once_a_second_with_their_speed(database: Database) -> None:
    clock = Clock()
    with _recorder(database, clock=clock) as recorder:
        recorder.begin(100)
        for number in range(1, 25):
            clock.now += 0.1
            recorder.step(_report(number), epoch=1)
        written = metrics.steps(database, recorder.run_id)
        assert 10 <= len(written) < 24
        recorder.committed(1, "learned")(database)
    steps = metrics.steps(database, recorder.run_id)
    assert [one.step for one in steps] == list(range(1, 25))
    assert steps[4].tokens_per_second == pytest.approx(2000)
    assert steps[-1].seconds == pytest.approx(2.4)


def test_the_time_of_looking_does_not_count_as_training(database: Database) -> None:
    clock = Clock()
    with _recorder(database, clock=clock) as recorder:
        recorder.begin(10)
        clock.now += 1
        recorder.step(_report(1), epoch=1)
        clock.now += 50
        recorder.epoch(EpochFigures(1, (Score(0.5, 4, True), Score(1.5, 4, False)), drift=0.1))
        clock.now += 1
        recorder.step(_report(2), epoch=2)
        recorder.committed(1, "learned")(database)
    assert [s.tokens_per_second for s in metrics.steps(database, recorder.run_id)] == [200, 200]
    (found,) = metrics.evaluations(database, recorder.run_id)
    assert (found.epoch, found.step, found.seconds) == (1, 1, 51)
    assert found.figures["learned"] == 1
    assert (found.figures["pairs"], found.figures["answer_nll"]) == (2, 1.0)


@pytest.mark.parametrize(
    ("error", "begun", "outcome", "detail"),
    [
        (Interrupted("stopped at step 3"), True, RunOutcome.INTERRUPTED, "stopped at step 3"),
        (KeyboardInterrupt(), True, RunOutcome.INTERRUPTED, "aborted by the owner"),
        (TrainingError("the loss became nan"), True, RunOutcome.FAILED, "the loss became nan"),
        (RuntimeError("out of memory"), True, RunOutcome.FAILED, "RuntimeError: out of memory"),
        (TrainingError("line 3 repeats"), False, RunOutcome.REFUSED, "line 3 repeats"),
        (ValueError("a bug"), False, RunOutcome.FAILED, "ValueError: a bug"),
        (DlmError("lone \ud800 half"), True, RunOutcome.FAILED, "lone ? half"),
    ],
)
def test_a_run_without_a_version_is_recorded_with_why(
    database: Database, error: BaseException, begun: bool, outcome: RunOutcome, detail: str
) -> None:
    with pytest.raises(type(error)):
        _ends_with(error, database, begun=begun)
    run = _last(database)
    assert (run.outcome, run.detail, run.version) == (outcome, detail, None)
    assert run.ended_at is not None
    assert len(metrics.steps(database, run.run_id)) == int(begun)


def _ends_with(error: BaseException, database: Database, *, begun: bool) -> None:
    with _recorder(database) as recorder:
        if begun:
            recorder.begin(10)
            recorder.step(_report(1), epoch=1)
        raise error


def test_nothing_to_train_is_no_run(database: Database) -> None:
    with _recorder(database):
        pass
    assert metrics.runs(database) == ()


def test_a_resumed_run_goes_on_after_its_checkpoint_without_a_step_twice(
    database: Database,
) -> None:
    started, clock = datetime(2026, 5, 4, 12, tzinfo=UTC), Clock()
    with suppress(Interrupted), _recorder(database, started=started, clock=clock) as recorder:
        recorder.begin(10)
        for number in range(1, 6):
            clock.now += 1
            recorder.step(_report(number), epoch=1)
        raise Interrupted("stopped at step 5")
    assert _last(database).outcome is RunOutcome.INTERRUPTED
    clock.now += 1000
    with _recorder(database, started=started, clock=clock) as recorder:
        recorder.begin(10, after=3)
        assert _last(database).outcome is RunOutcome.RUNNING
        for number in range(4, 8):
            clock.now += 1
            recorder.step(_report(number), epoch=1)
        recorder.committed(2, "learned")(database)
    (run,) = metrics.runs(database)
    assert (run.outcome, run.version, run.started_at) == (RunOutcome.COMMITTED, "v0002", started)
    steps = metrics.steps(database, run.run_id)
    assert [(one.step, one.seconds) for one in steps] == [(n, n) for n in range(1, 8)]


def test_a_run_that_cannot_be_resumed_stays_interrupted_with_its_steps(
    database: Database,
) -> None:
    started = datetime(2026, 5, 4, 12, tzinfo=UTC)
    with suppress(Interrupted), _recorder(database, started=started) as recorder:
        recorder.begin(10)
        recorder.step(_report(1), epoch=1)
        raise Interrupted("stopped at step 1")
    with suppress(TrainingError), _recorder(database, started=started):
        raise TrainingError("the document changed")
    (run,) = metrics.runs(database)
    assert (run.outcome, run.detail) == (RunOutcome.INTERRUPTED, "stopped at step 1")
    assert len(metrics.steps(database, run.run_id)) == 1


def test_a_disk_that_refuses_costs_the_metrics_and_not_the_training(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    clock = Clock()
    refuse: Callable[..., None] = _refuse
    with _recorder(database, say=said.append, clock=clock) as recorder:
        recorder.begin(10)
        with monkeypatch.context() as patch:
            patch.setattr(metrics, "add", refuse)
            for number in range(1, 6):
                clock.now += 2
                recorder.step(_report(number), epoch=1)
        assert said == ["metrics cannot be written now: No space left on device"]
        recorder.committed(1, "learned")(database)
    assert len(metrics.steps(database, recorder.run_id)) == 5  # written when there was room again


def _refuse(*_: object) -> None:
    raise StoreError("No space left on device")


def test_recording_takes_less_than_a_hundredth_of_a_fast_step(database: Database) -> None:
    """A step of the smallest base takes 20 ms or more."""
    steps = 2000
    with _recorder(database) as recorder:
        recorder.begin(steps)
        began = time.process_time()
        for number in range(1, steps + 1):
            recorder.step(_report(number), epoch=1)
        recorder.committed(1, "learned")(database)
        spent = time.process_time() - began
    assert len(metrics.steps(database, recorder.run_id)) == steps
    assert spent / steps < 0.0002
