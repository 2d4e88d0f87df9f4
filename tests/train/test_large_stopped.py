"""A large document: Ctrl-C while its training is planned, and at its first steps."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from warm import WarmProcess

from dlm.store.paths import StorePath
from dlm.store.store import Store
from dlm.train.checkpoint import read_checkpoint

ID = "01J9ZQ6W3N8R2T4V6X8Y0A1B2C"
GENERATOR = Path(__file__).parents[2] / "benchmarks" / "scale_document.py"

pytestmark = pytest.mark.timeout(900)


class Place:
    """A folder with a document of so many pairs, and a store of its own."""

    def __init__(self, folder: Path) -> None:
        self.document = folder / "large.dlm"
        self.store = StorePath(folder / "home" / "store" / ID)
        self.processes: list[WarmProcess] = []

    def write(self, pairs: int) -> bytes:
        text = subprocess.check_output([sys.executable, GENERATOR, str(pairs)])
        self.document.write_bytes(text)
        return text

    def train(self, *options: str) -> WarmProcess:
        process = WarmProcess("train", self.document, *options)
        self.processes.append(process)
        return process

    def step(self) -> int:
        """The step of the checkpoint, 0 while there is none."""
        kept = read_checkpoint(self.store.checkpoint)
        return kept.step if kept else 0

    def versions(self) -> list[str]:
        """What is committed; nothing that is half a version lies beside it."""
        if not self.store.database.exists():
            return []
        with Store.open(ID) as store:
            names = [version.name for version in store.versions()]
        assert sorted(one.name for one in self.store.versions.iterdir()) == names
        return names

    def close(self) -> None:
        """End what a failed test left running."""
        for process in self.processes:
            with process:
                process.kill()


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    monkeypatch.setenv("DLM_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("DLM_CHECKPOINT_SECONDS", "0")
    with contextlib.closing(Place(tmp_path)) as made:
        yield made


def stopped(process: WarmProcess, when: Callable[[], bool]) -> str:
    """Press Ctrl-C a moment after something is so; returns what was said."""
    while not when() and process.poll() is None:
        time.sleep(0.005)
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    said, errors = process.communicate()
    assert process.returncode == 130, errors
    assert said == ""
    assert "Traceback" not in errors
    return errors


def planning(place: Place, process: WarmProcess) -> str:
    """Press Ctrl-C while a training is planned."""
    lock = place.store.lock
    errors = stopped(process, lambda: lock.exists() and lock.stat().st_size > 0)
    assert "loading pocket" not in errors
    return errors


def test_ctrl_c_while_it_is_planned_says_that_nothing_was_changed(place: Place) -> None:
    place.write(2)
    first = place.train("--max-steps", "1")
    _, errors = first.communicate()
    assert first.returncode == 0, errors
    text = place.write(3_000)
    errors = planning(place, place.train())
    assert errors.splitlines()[-2:] == [
        "error: stopped before the first step: nothing was changed; v0001 is current",
        "hint: run the same command to train again",
    ]
    assert place.document.read_bytes() == text
    assert place.versions() == ["v0001"]
    assert not place.store.checkpoint.exists()


@pytest.mark.slow
def test_ten_thousand_pairs_are_stopped_while_planned_and_at_the_first_steps_and_go_on(
    place: Place,
) -> None:
    text = place.write(10_000)
    errors = planning(place, place.train())
    assert "stopped before the first step: nothing was changed; no version is current" in errors
    assert place.versions() == []

    for options in ((), ("--resume",)):
        step = place.step() + 1
        errors = stopped(place.train(*options), lambda step=step: place.step() >= step)
        assert f"no version is current\nhint: go on after step {place.step()} of" in errors
        assert place.step() >= step
        assert place.versions() == []
        assert place.document.read_bytes() == text
    assert "note: going on after step" in errors
