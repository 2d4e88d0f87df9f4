"""Disks that are full or read-only: real ones, as small file systems in memory."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from store_kit import (
    COMMIT_STEPS,
    DLM_ID,
    commit,
    in_child,
    remembered,
    run_record,
    traces,
    write_adapter,
)

from dlm.errors import DlmError, StoreError
from dlm.store.paths import for_dlm
from dlm.store.store import Store


def mount(*arguments: str) -> bool:
    try:
        return subprocess.run(["mount", *arguments], capture_output=True).returncode == 0
    except OSError:
        return False


@pytest.fixture
def small_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A file system of one megabyte that is the home of dlm."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if not sys.platform.startswith("linux") or not mount(
        "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)
    ):
        pytest.skip("file systems cannot be mounted here")
    monkeypatch.setenv("DLM_HOME", str(disk))
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def fill(disk: Path) -> Path:
    """Leave not one free byte."""
    ballast = disk / "ballast"
    with suppress(OSError), ballast.open("ab", buffering=0) as file:
        while file.write(bytes(4096)):
            pass
    return ballast


def read_only(disk: Path) -> None:
    assert mount("-o", "remount,ro", str(disk))


@pytest.mark.parametrize("step", COMMIT_STEPS)
def test_a_disk_that_fills_up_at_any_step_leaves_the_old_version(
    small_disk: Path, step: str
) -> None:
    def fill_up(done: str) -> None:
        if done == step and armed:
            fill(small_disk)

    armed: list[bool] = []
    with Store.open(DLM_ID, checkpoint=fill_up) as store:
        first = commit(store)
        armed.append(True)
        committed = None
        with suppress(DlmError):
            committed = commit(store)
        expected = committed or first
        assert store.current() == expected
        assert store.versions()[-1] == expected
    (small_disk / "ballast").unlink()
    with Store.open(DLM_ID) as store:
        assert store.current() == expected
        store.verify(expected)
        assert store.path.resolve_current_adapter() == expected.path
        commit(store)
    assert traces(store.path) == []


def test_a_full_disk_is_one_sentence(small_disk: Path) -> None:
    with Store.open(DLM_ID) as store:
        first = commit(store)
        with store.new_version() as staging:
            write_adapter(staging.path)
            fill(small_disk)
            with pytest.raises(DlmError, match="No space left on device") as refused:
                staging.commit(run_record("r2"), [])
        assert refused.value.hint is not None
        assert "free some space" in refused.value.hint
        assert "\n" not in refused.value.message
        assert store.current() == first


def test_a_full_disk_can_still_be_read(small_disk: Path) -> None:
    with Store.open(DLM_ID) as store:
        first = commit(store)
    fill(small_disk)
    with Store.open(DLM_ID) as store:
        assert store.current() == store.verify(first)
        with pytest.raises(DlmError, match="No space left on device"):
            commit(store)
    (small_disk / "ballast").unlink()
    with Store.open(DLM_ID) as store:
        assert commit(store).name == "v0002"


def test_a_read_only_disk_can_be_read_and_is_not_written(small_disk: Path) -> None:
    with Store.open(DLM_ID, base_model="pocket") as store:
        version = commit(store)
        (store.path.staging / "left by a crash").mkdir()
    read_only(small_disk)
    with Store.open(DLM_ID) as store:
        assert store.read_only
        assert store.notices == ()
        assert (store.current(), store.base_model) == (version, "pocket")
        store.verify(version)
        with store.in_use(version):
            pass
        for change in (
            lambda: store.set_current(version),
            lambda: store.prune(0),
            lambda: store.lock("train").__enter__(),
            lambda: store.new_version().__enter__(),
        ):
            with pytest.raises(StoreError, match="Read-only file system") as refused:
                change()
            assert refused.value.hint is not None
        assert (store.path.staging / "left by a crash").exists()


def test_what_only_the_log_holds_is_seen_on_a_read_only_disk(small_disk: Path) -> None:
    Store.open(DLM_ID).close()

    def crash() -> None:
        store = Store.open(DLM_ID)
        commit(store, memory=[remembered("s1")])
        os._exit(0)

    assert in_child(crash) == 0
    assert for_dlm(DLM_ID).database.with_name("store.sqlite3-wal").stat().st_size > 0
    read_only(small_disk)
    with Store.open(DLM_ID) as store:
        assert store.read_only
        current = store.current()
        assert current is not None
        store.verify(current)
        assert store.notices == ()
        assert [one.lesson.section_id for one in store.memory(current)] == ["s1"]


def test_a_lost_database_on_a_read_only_disk_is_rebuilt_in_memory(small_disk: Path) -> None:
    with Store.open(DLM_ID) as store:
        version = commit(store)
    for damage in (b"", b"\xff" * 5000):
        assert mount("-o", "remount,rw", str(small_disk))
        store.path.database.write_bytes(damage)
        read_only(small_disk)
        with Store.open(DLM_ID) as store:
            assert store.read_only
            assert store.notices
            assert store.current() == store.verify(version)


def test_a_store_that_never_was_is_empty_on_a_read_only_disk(small_disk: Path) -> None:
    read_only(small_disk)
    with Store.open(DLM_ID, base_model="pocket") as store:
        assert store.read_only
        assert (store.versions(), store.current(), store.base_model) == ((), None, "pocket")
        assert store.path.resolve_current_adapter() is None
