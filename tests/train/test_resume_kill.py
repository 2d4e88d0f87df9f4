"""Real trainings, killed or interrupted at random moments and resumed: the same bytes each time."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from warm import WarmProcess

from dlm.store.paths import StorePath
from dlm.train.checkpoint import read_checkpoint

ID = "01J9ZQ6W3N8R2T4V6X8Y0A1B2C"
# Few rows a step and few epochs: many moments to be killed at, little to be measured between.
STEPS = 32
RUN = ("--fresh", "--epochs", "2")
HEAD = f"""---
dlm_id: {ID}
dlm_version: 15
base_model: pocket
training:
  lora_dropout: 0.1
  micro_batch_size: 2
  grad_accum: 1
  rehearsal:
    enabled: false
---
"""
PAIRS = "".join(
    f"""
::instruction::
### Q
What colour is lamp number {number}?

### A
Lamp {number} is {colour}.
::
"""
    for number, colour in enumerate(["teal", "red", "blue", "grey", "pink", "tan", "lime", "gold"])
)

pytestmark = pytest.mark.timeout(900)  # each test is up to three processes one after the other


class Place:
    """A folder with the document and a store of its own."""

    def __init__(self, folder: Path) -> None:
        self.document = folder / "lamp.dlm"
        self.document.write_text(HEAD + PAIRS, "utf-8")
        self.processes: list[WarmProcess] = []
        self.store = StorePath(folder / "home" / "store" / ID)
        self._environment = {
            **os.environ,
            "DLM_HOME": str(folder / "home"),
            "DLM_CHECKPOINT_SECONDS": "0",
        }

    def train(self, *options: str) -> WarmProcess:
        process = WarmProcess("train", self.document, *options, env=self._environment)
        self.processes.append(process)
        return process

    def step(self) -> int:
        """The step of the checkpoint, 0 while there is none. It can be read at any moment."""
        kept = read_checkpoint(self.store.checkpoint)
        return kept.step if kept else 0

    def close(self) -> None:
        """End what a failed test left running."""
        for process in self.processes:
            with process:
                process.kill()

    def result(self) -> tuple[str, Any]:
        """Digest of the weights, and the loss of every step."""
        (version,) = self.store.versions.iterdir()
        record = json.loads((version / "training_run.json").read_text("utf-8"))
        return record["files"]["adapter_model.safetensors"], record["run"]["figures"]["losses"]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Any]:
    """What comes of the same training when nothing disturbs it."""
    with contextlib.closing(Place(tmp_path_factory.mktemp("whole"))) as place:
        finished(place.train(*RUN))
        return place.result()


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with contextlib.closing(Place(tmp_path)) as made:
        yield made


def finished(process: WarmProcess) -> str:
    _, errors = process.communicate()
    assert process.returncode == 0, errors
    return errors


def end(place: Place, process: WarmProcess, number: int, after: int, wait: float) -> str:
    """Send a signal some time after a step is kept; returns what the process said."""
    while place.step() < after and process.poll() is None:
        time.sleep(0.005)
    time.sleep(wait)
    process.send_signal(number)
    _, errors = process.communicate()
    assert process.returncode == (130 if number == signal.SIGINT else -signal.SIGKILL), errors
    assert "Traceback" not in errors
    return errors


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(11))
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_ended_at_a_random_moment_and_resumed_the_bytes_are_the_same(
    whole: tuple[str, Any], place: Place, number: int, seed: int
) -> None:
    rng = random.Random(f"{number}:{seed}")
    first, second = sorted(rng.sample(range(1, STEPS - 8), 2))
    errors = end(place, place.train(*RUN), number, first, rng.uniform(0, 0.05))
    if number == signal.SIGINT:
        assert f"hint: go on after step {place.step()} of {STEPS}" in errors
    if seed % 2:  # once more
        end(place, place.train("--resume"), number, second + 4, rng.uniform(0, 0.05))
    before = place.step()
    errors = finished(place.train("--resume"))
    assert f"note: going on after step {before} of {STEPS}" in errors
    assert place.result() == whole
    assert not place.store.checkpoint.exists()


def test_two_signals_stop_at_once_and_leave_no_version(place: Place) -> None:
    process = place.train("--epochs", "400")
    while place.step() < 2:
        time.sleep(0.005)
    # Both arrive before either is handled, so that no step can end between them.
    for number in (signal.SIGSTOP, signal.SIGINT, signal.SIGTERM, signal.SIGCONT):
        process.send_signal(number)
    output, errors = process.communicate()
    assert process.returncode == 130
    assert output == ""
    assert "error: stopped at once; no version is current" in errors
    assert "--resume" in errors
    assert "Traceback" not in errors
    assert list(place.store.versions.iterdir()) == []


def test_a_refusal_to_resume_is_said_before_anything_heavy_is_loaded(place: Place) -> None:
    probe = (
        "import sys, atexit; from dlm.cli.app import main; "
        f"sys.argv = ['dlm', 'train', {str(place.document)!r}, '--resume']; "
        "atexit.register(lambda: print('torch' in sys.modules)); main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", probe], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "there is no interrupted run" in done.stderr
    assert done.stdout == "False\n"
