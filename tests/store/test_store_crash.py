"""Processes that die at every step of the protocol, in any order with everything else."""

from __future__ import annotations

import os
import random
import signal
import tempfile
import time
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from store_kit import (
    BEFORE_COMMIT,
    COMMIT_STEPS,
    DERIVED,
    DLM_ID,
    MEMORY,
    MOVE_STEPS,
    OPEN_STEPS,
    PRUNE_STEPS,
    commit,
    dies_at,
    in_child,
    start_child,
    traces,
    write_adapter,
)

from dlm.store.manifest import load_manifest
from dlm.store.paths import for_dlm
from dlm.store.store import Store

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs processes that can fork")


def killed(step: str, action: Callable[[Store], object]) -> None:
    """Do `action` in a process that is killed right after `step`."""
    opened = False

    def checkpoint(done: str) -> None:
        if opened:  # the steps of opening have the same names
            dies_at(step)(done)

    def work() -> None:
        nonlocal opened
        store = Store.open(DLM_ID, checkpoint=checkpoint)
        opened = True
        action(store)

    assert in_child(work) == -signal.SIGKILL


def test_every_step_is_named_here() -> None:
    seen: list[str] = []
    with Store.open(DLM_ID, checkpoint=seen.append) as store:
        assert seen == OPEN_STEPS
        for expected, action in (
            (COMMIT_STEPS, lambda: commit(store)),
            (COMMIT_STEPS, lambda: commit(store)),
            (MOVE_STEPS, lambda: store.set_current("v0001")),
            (PRUNE_STEPS, lambda: store.prune(0)),
        ):
            seen.clear()
            action()
            assert seen == expected


@pytest.mark.parametrize("step", COMMIT_STEPS)
def test_a_commit_that_dies_leaves_the_old_version_or_the_new_one(step: str) -> None:
    with Store.open(DLM_ID) as store:
        commit(store)
    killed(step, commit)
    with Store.open(DLM_ID) as store:
        assert [v.name for v in store.versions()] == (
            ["v0001"] if step in BEFORE_COMMIT else ["v0001", "v0002"]
        )
        current = store.current()
        assert current == store.versions()[-1]
        store.verify(current)
        assert len(store.runs()) == len(store.versions())
        assert store.path.resolve_current_adapter() == current.path
        assert store.notices == ()
    assert traces(store.path) == []


@pytest.mark.parametrize("step", COMMIT_STEPS)
def test_a_number_is_never_given_twice(step: str) -> None:
    killed(step, commit)
    with Store.open(DLM_ID) as store:
        given = 0 if step in ("staged", "scanned", "sealed", "flushed") else 1
        assert commit(store).number == given + 1
        store.prune(0)
        last = commit(store).number
        store.set_current(store.versions()[0])
        store.prune(0)
        assert commit(store).number == last + 1


@pytest.mark.parametrize("step", MOVE_STEPS)
def test_a_rollback_that_dies_is_done_or_is_not(step: str) -> None:
    with Store.open(DLM_ID) as store:
        commit(store)
        commit(store)
    killed(step, lambda store: store.set_current("v0001"))
    with Store.open(DLM_ID) as store:
        current = store.current()
        assert current is not None
        assert current.name == ("v0002" if step == "moved" else "v0001")
        assert store.path.resolve_current_adapter() == current.path
        assert len(store.pointer_moves()) == (2 if step == "moved" else 3)


@pytest.mark.parametrize("step", PRUNE_STEPS)
def test_a_prune_that_dies_leaves_each_version_whole_or_gone(step: str) -> None:
    with Store.open(DLM_ID) as store:
        commit(store)
        commit(store)
    killed(step, lambda store: store.prune(1))
    with Store.open(DLM_ID) as store:
        left = ["v0001", "v0002"] if step == "set aside" else ["v0002"]
        assert [store.verify(version).name for version in store.versions()] == left
        assert store.notices == ()
        assert store.prune(1) == left[:-1]
    assert traces(store.path) == []


@pytest.mark.parametrize("step", OPEN_STEPS)
def test_a_first_open_that_dies_is_done_again(step: str) -> None:
    def work() -> None:
        Store.open(DLM_ID, base_model="pocket", checkpoint=dies_at(step))

    assert in_child(work) == -signal.SIGKILL
    with Store.open(DLM_ID, base_model="pocket") as store:
        assert (store.versions(), store.base_model, store.notices) == ((), "pocket", ())
    assert traces(store.path) == []


def test_staging_of_a_living_process_is_not_swept() -> None:
    with Store.open(DLM_ID) as store, store.new_version() as staging:
        write_adapter(staging.path)
        assert in_child(lambda: Store.open(DLM_ID).close()) == 0
        Store.open(DLM_ID).close()
        assert (staging.path / "adapter_model.safetensors").exists()


def test_a_store_opened_beside_a_training_sweeps_when_it_gets_the_lock() -> None:
    ready, go = os.pipe(), os.pipe()

    def train() -> None:
        with Store.open(DLM_ID) as store, store.new_version() as staging:
            write_adapter(staging.path)
            os.write(ready[1], b".")
            os.read(go[0], 1)

    child = start_child(train)
    os.read(ready[0], 1)
    with Store.open(DLM_ID) as store:
        assert len(list(store.path.staging.iterdir())) == 1
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        with store.lock("look"):
            assert list(store.path.staging.iterdir()) == []


def test_what_a_dead_process_left_is_swept_by_one_that_was_open_all_along() -> None:
    with Store.open(DLM_ID) as store:
        killed("renamed", commit)
        assert [path.name for path in store.path.versions.iterdir()] == ["v0001"]
        assert commit(store).name == "v0002"
        assert [path.name for path in store.path.versions.iterdir()] == ["v0002"]
    with Store.open(DLM_ID) as store:
        assert [version.name for version in store.versions()] == ["v0002"]
        assert store.notices == ()


def test_a_process_killed_at_any_moment_leaves_a_whole_store() -> None:
    """Eight processes that commit and prune without end, each killed at a moment of chance."""
    chance = random.Random(7)

    def work() -> None:
        with Store.open(DLM_ID) as store:
            while True:
                commit(store)
                store.prune(2)

    highest = 0
    for _ in range(8):
        child = start_child(work)
        time.sleep(0.03 + chance.random() * 0.15)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        with Store.open(DLM_ID) as store:
            assert store.notices == ()
            for version in store.versions():
                store.verify(version)
            if current := store.current():
                assert current.number >= highest
                highest = current.number
        assert traces(store.path) == []
    assert highest > 0


class StoreMachine(RuleBasedStateMachine):
    """A store beside a model of it: which versions there are, and which is current."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory(dir=MEMORY)
        os.environ["DLM_HOME"] = self.folder.name
        self.versions: list[str] = []
        self.current: str | None = None
        self.numbers: set[int] = set()

    def teardown(self) -> None:
        self.folder.cleanup()

    @rule()
    def commit(self) -> None:
        with Store.open(DLM_ID) as store:
            self._committed(commit(store).name)

    @rule()
    def discard(self) -> None:
        with Store.open(DLM_ID) as store, store.new_version() as staging:
            write_adapter(staging.path)

    @rule(step=st.sampled_from(COMMIT_STEPS))
    def commit_and_die(self, step: str) -> None:
        killed(step, commit)
        if step not in BEFORE_COMMIT:
            with Store.open(DLM_ID) as store:
                self._committed(store.versions()[-1].name)

    @precondition(lambda self: self.versions)
    @rule(data=st.data())
    def rollback(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(self.versions))
        with Store.open(DLM_ID) as store:
            store.set_current(name)
        self.current = name

    @precondition(lambda self: self.versions)
    @rule(data=st.data(), step=st.sampled_from(MOVE_STEPS))
    def rollback_and_die(self, data: st.DataObject, step: str) -> None:
        name = data.draw(st.sampled_from(self.versions))
        killed(step, lambda store: store.set_current(name))
        self.current = self.current if step == "moved" else name

    @rule(keep=st.integers(0, 3))
    def prune(self, keep: int) -> None:
        gone = self._excess(keep)
        with Store.open(DLM_ID) as store:
            assert store.prune(keep) == gone
        self.versions = [name for name in self.versions if name not in gone]

    @rule(keep=st.integers(0, 2), step=st.sampled_from(PRUNE_STEPS))
    def prune_and_die(self, keep: int, step: str) -> None:
        gone = self._excess(keep)
        if not gone:
            return
        killed(step, lambda store: store.prune(keep))
        first_only = step not in DERIVED
        gone = [] if step == "set aside" else gone[:1] if first_only else gone
        self.versions = [name for name in self.versions if name not in gone]

    @rule(step=st.sampled_from(OPEN_STEPS))
    def open_and_die(self, step: str) -> None:
        def work() -> None:
            Store.open(DLM_ID, checkpoint=dies_at(step))

        assert in_child(work) == -signal.SIGKILL

    @rule(name=st.sampled_from(["manifest.json", "adapter/current.txt"]), data=st.binary())
    def spoil_a_derived_file(self, name: str, data: bytes) -> None:
        path = for_dlm(DLM_ID).root / name
        if path.exists():
            path.write_bytes(data)

    @rule()
    def lose_the_manifest(self) -> None:
        for_dlm(DLM_ID).manifest.unlink(missing_ok=True)

    @rule(garbage=st.booleans())
    def lose_the_database(self, garbage: bool) -> None:
        Store.open(DLM_ID).close()  # what is derived is true again, and the log is in the file
        place = for_dlm(DLM_ID)
        if garbage:
            place.database.write_bytes(b"not a database, but longer than nothing" * 40)
        else:
            place.database.unlink()
        with Store.open(DLM_ID) as store:
            assert bool(store.notices) == bool(garbage or self.versions)
        for aside in place.root.glob("store.sqlite3.damaged-*"):
            aside.unlink()

    @invariant()
    def what_is_there_is_whole(self) -> None:
        with Store.open(DLM_ID) as store:
            assert [version.name for version in store.versions()] == self.versions
            current = store.current()
            assert (current.name if current else None) == self.current
            for version in store.versions():
                store.verify(version)
                store.run_of(version)
            place = store.path
        pointed = place.resolve_current_adapter()
        assert (pointed.name if pointed else None) == self.current
        manifest = load_manifest(place.manifest)
        assert (list(manifest.versions), manifest.current_version) == (self.versions, self.current)
        assert traces(place) == []

    def _committed(self, name: str) -> None:
        number = int(name.removeprefix("v"))
        assert all(number > earlier for earlier in self.numbers)
        self.numbers.add(number)
        self.versions.append(name)
        self.current = name

    def _excess(self, keep: int) -> list[str]:
        old = self.versions[: max(len(self.versions) - keep, 0)]
        return [name for name in old if name != self.current]


TestStoreMachine = StoreMachine.TestCase
TestStoreMachine.settings = settings(
    max_examples=25,
    stateful_step_count=12,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
