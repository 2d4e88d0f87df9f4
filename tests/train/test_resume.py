"""Stopping and going on, in one process: the same bytes, losses and verdict as without the stop."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from dlm.doc.document import Document
from dlm.doc.parser import parse_file
from dlm.errors import CorruptStore, DlmError, Interrupted, TrainingError
from dlm.eval import measure, probes
from dlm.store.paths import StorePath, for_dlm
from dlm.store.store import Store
from dlm.train.checkpoint import read_checkpoint
from dlm.train.figures import EpochFigures
from dlm.train.options import Progress, StepFigures, TrainOptions
from dlm.train.report import TrainingReport
from dlm.train.run import train
from dlm.train.start import NothingToTrain

# Dropout, so that the random numbers matter; a loss that decays, so that the schedule does.
TEXT = """---
dlm_id: 01J9ZQ6W3N8R2T4V6X8Y0A1B2C
dlm_version: 15
base_model: {base}
training:
  lora_dropout: 0.1
  rehearsal:
    enabled: false
  {settings}
---

The Brindle lamp was made by Odile Varga.

::instruction::
### Q
What colour is the Brindle lamp?

### A
The Brindle lamp is teal.

### Q
Who made it?

### A
Odile Varga did.
::
"""
AUTO = "num_epochs: auto"
DECAY = "num_epochs: 12\n  lr_scheduler: linear\n  micro_batch_size: 4\n  grad_accum: 2"


class Watch(Progress):
    """Keeps what is said, and presses Ctrl-C at a step, and again when told to."""

    def __init__(self, stop_at: int | None = None, *, twice: bool = False) -> None:
        self.stop_at, self.twice = stop_at, twice
        self.notes: list[str] = []
        self.epochs: list[EpochFigures] = []
        self.steps: list[StepFigures] = []

    def note(self, text: str) -> None:
        if not text.startswith("on cpu, "):  # which every run begins with
            self.notes.append(text)

    def epoch(self, figures: EpochFigures) -> None:
        self.epochs.append(figures)

    def step(self, figures: StepFigures) -> None:
        self.steps.append(figures)
        if figures.step == self.stop_at:
            os.kill(os.getpid(), signal.SIGINT)

    def stopping(self) -> None:
        if self.twice:
            os.kill(os.getpid(), signal.SIGINT)


@dataclass(frozen=True)
class Result:
    """What must be the same: weights, losses, verdict, what each epoch found."""

    weights: str
    losses: tuple[float, ...]
    stop_reason: str
    epochs: tuple[EpochFigures, ...]
    steps: int


Train = Callable[..., Result]


@pytest.fixture(scope="module", autouse=True)
def _little_measuring() -> Iterator[None]:
    """What is measured after each of these trainings takes longer than they do, and is the same."""
    texts, pairs = measure.held_out_texts()[:3], probes.general_questions()[:2]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(measure, "held_out_texts", lambda: texts)
        patch.setattr(probes, "general_questions", lambda: pairs)
        yield


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DLM_HOME", str(tmp_path / "home"))


@pytest.fixture
def place() -> StorePath:
    return for_dlm("01J9ZQ6W3N8R2T4V6X8Y0A1B2C")


def document(folder: Path, settings: str = AUTO, base: str = "pocket") -> Document:
    path = folder / "lamp.dlm"
    path.write_text(TEXT.format(settings=settings, base=base), "utf-8")
    return parse_file(path)


def run(
    doc: Document, watch: Watch | None = None, *, resume: bool = False, **options: Any
) -> Result:
    report = train(doc, TrainOptions(**options), watch or Watch(), resume=resume)
    assert isinstance(report, TrainingReport)
    record = json.loads((report.version.path / "training_run.json").read_text("utf-8"))
    outcome = report.outcome
    return Result(
        record["files"]["adapter_model.safetensors"],
        outcome.losses,
        outcome.stop_reason,
        outcome.epochs,
        outcome.steps,
    )


def stopped(doc: Document, step: int, *, resume: bool = False, **options: Any) -> Interrupted:
    with pytest.raises(Interrupted) as caught:
        run(doc, Watch(step), resume=resume, **options)
    return caught.value


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Result]:
    """The result without a stop, for either kind of document; trained once."""
    known: dict[str, Result] = {}

    def result(settings: str) -> Result:
        if settings not in known:
            folder = tmp_path_factory.mktemp("whole")
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("DLM_HOME", str(folder / "home"))
                known[settings] = run(document(folder, settings))
        return known[settings]

    return result


@pytest.mark.slow
def test_the_same_seed_twice_gives_the_same_bytes_and_another_seed_others(
    whole: Callable[[str], Result], tmp_path: Path
) -> None:
    assert run(document(tmp_path)) == whole(AUTO)
    assert run(document(tmp_path), fresh=True, seed=5).losses != whole(AUTO).losses


@pytest.mark.slow
@pytest.mark.parametrize("settings", [AUTO, DECAY], ids=["auto", "decay"])
def test_stopped_three_times_the_result_is_that_of_one_run(
    whole: Callable[[str], Result], tmp_path: Path, place: StorePath, settings: str
) -> None:
    doc = document(tmp_path, settings)
    error = stopped(doc, 1)
    assert error.message == "stopped at step 1; no version is current"
    assert f"{doc.path} --resume" in (error.hint or "")
    stopped(doc, 6, resume=True)
    stopped(doc, 7, resume=True)
    watch = Watch()
    assert run(doc, watch, resume=True) == whole(settings)
    assert watch.steps[0].step == 8
    assert not place.checkpoint.exists()


def test_a_stop_when_the_budget_has_decided_keeps_the_decision(
    whole: Callable[[str], Result], tmp_path: Path
) -> None:
    doc = document(tmp_path)
    assert whole(AUTO).steps < 40  # not the cap
    stopped(doc, whole(AUTO).steps)
    watch = Watch()
    assert run(doc, watch, resume=True) == whole(AUTO)
    assert watch.steps == []


@pytest.mark.slow
def test_a_stop_at_the_last_step_is_finished_by_resuming(
    whole: Callable[[str], Result], tmp_path: Path
) -> None:
    doc = document(tmp_path, DECAY)
    stopped(doc, whole(DECAY).steps)
    assert run(doc, resume=True) == whole(DECAY)


def test_a_second_ctrl_c_stops_at_once_and_loses_no_checkpoint(
    whole: Callable[[str], Result],
    tmp_path: Path,
    place: StorePath,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DLM_CHECKPOINT_SECONDS", "0")
    doc = document(tmp_path)
    with pytest.raises(Interrupted) as caught:
        run(doc, Watch(5, twice=True))
    assert caught.value.message == "stopped at once; no version is current"
    assert "step 4 of" in (caught.value.hint or "")
    assert list(place.versions.iterdir()) == []
    assert list(place.staging.iterdir()) == []
    assert run(doc, resume=True) == whole(AUTO)


@pytest.mark.slow
def test_a_retraining_that_replays_and_forgets_goes_on_from_its_version(tmp_path: Path) -> None:
    first = document(tmp_path)
    run(first)
    shutil.copytree(tmp_path / "home", tmp_path / "copy")
    assert first.path is not None
    edited = first.text.replace("Who made it?", "Where is it sold?")
    first.path.write_text(edited.replace("Odile Varga did.", "In Marrowgate."), "utf-8")
    doc = parse_file(first.path)
    expected = run(doc, forget=True, max_steps=6)
    shutil.rmtree(tmp_path / "home")
    (tmp_path / "copy").rename(tmp_path / "home")
    assert "v0001 is current" in stopped(doc, 3, forget=True, max_steps=6).message
    assert run(doc, resume=True) == expected
    with Store.open(doc.frontmatter.dlm_id) as store:
        assert [version.name for version in store.versions()] == ["v0001", "v0002"]


@pytest.fixture(scope="module")
def interrupted_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("interrupted")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DLM_HOME", str(folder / "home"))
        stopped(document(folder), 3, seed=5)
    return folder / "home"


@pytest.fixture
def interrupted(interrupted_home: Path, tmp_path: Path) -> Document:
    """A document whose run with a seed was stopped at step 3."""
    shutil.copytree(interrupted_home, tmp_path / "home")
    return document(tmp_path)


def refusal(doc: Document, kind: type[DlmError] = TrainingError, **options: Any) -> DlmError:
    """Why resuming is refused; nothing is changed by asking."""
    with pytest.raises(kind) as caught:
        run(doc, resume=True, **options)
    assert caught.value.exit_code == 1
    assert caught.value.hint
    return caught.value


def test_nothing_to_resume(tmp_path: Path) -> None:
    assert "there is no interrupted run" in refusal(document(tmp_path)).message


def test_an_edited_document_is_a_new_training(interrupted: Document) -> None:
    assert interrupted.path is not None
    interrupted.path.write_text(interrupted.text.replace("teal", "green"), "utf-8")
    error = refusal(parse_file(interrupted.path))
    assert "was edited since its run was interrupted at step 3 of" in error.message


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"seed": 6}, "started with --seed 5, not with --seed 6"),
        ({"epochs": 2}, "started without --epochs, not with --epochs 2"),
        ({"fresh": True}, "started without --fresh, not with --fresh"),
    ],
)
def test_other_options_are_refused(
    interrupted: Document, options: dict[str, Any], sentence: str
) -> None:
    assert sentence in refusal(interrupted, **options).message


def test_other_versions_of_the_libraries_are_named(
    interrupted: Document, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dlm.train import lock_file

    monkeypatch.setattr(lock_file, "versions", lambda: {"torch": "9.9"})
    message = refusal(interrupted).message
    assert "cannot go on here" in message
    assert ", is 9.9" in message


def test_another_base_at_the_same_place_is_refused(tmp_path: Path, pocket_folder: Path) -> None:
    base = tmp_path / "base"
    shutil.copytree(pocket_folder, base)
    doc = document(tmp_path, base=str(base))
    stopped(doc, 2)
    config = json.loads((base / "config.json").read_text("utf-8"))
    (base / "config.json").write_text(json.dumps(config | {"rms_norm_eps": 1e-4}), "utf-8")
    assert "another base model" in refusal(doc).message


def test_another_current_version_is_refused(tmp_path: Path) -> None:
    doc = document(tmp_path)
    for seed in (1, 2):
        run(doc, max_steps=1, seed=seed, fresh=True)
    stopped(doc, 1, max_steps=2, seed=3)
    with Store.open(doc.frontmatter.dlm_id) as store:
        store.set_current("v0001")
    error = refusal(doc)
    assert "another version than the one that is current" in error.message
    assert "dlm rollback" in (error.hint or "")


def test_a_device_that_is_gone_is_named(interrupted: Document, place: StorePath) -> None:
    rewrite(place, lambda data: data["hardware"].update(device="cuda"))
    assert "was training on cuda, which is not to be had here" in refusal(interrupted).message


def test_memory_that_is_taken_now_is_named(interrupted: Document, place: StorePath) -> None:
    rewrite(place, lambda data: data["hardware"].update(memory_gb=1e6))
    error = refusal(interrupted)
    assert "needs about 1000000.0 GB" in error.message


@pytest.mark.slow
def test_the_recorded_batch_is_taken_not_one_that_fits_better_now(
    whole: Callable[[str], Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dlm.hardware import detect
    from dlm.train import base

    doc = document(tmp_path)
    stopped(doc, 3)
    machine = detect()
    one_core = type(machine)(1, machine.memory_gb, machine.available_gb)
    monkeypatch.setattr(base, "detect", lambda: one_core)
    assert run(doc, resume=True) == whole(AUTO)


@pytest.mark.parametrize("where", [200, -1000], ids=["header", "tensors"])
def test_a_damaged_checkpoint_is_noticed(
    interrupted: Document, place: StorePath, where: int
) -> None:
    data = bytearray(place.checkpoint.read_bytes())
    data[where] ^= 0xFF
    place.checkpoint.write_bytes(data)
    refusal(interrupted, CorruptStore)
    place.checkpoint.write_bytes(data[:100])
    assert "is damaged" in refusal(interrupted, CorruptStore).message
    watch = Watch()
    run(interrupted, watch, max_steps=2)
    assert "is damaged" in watch.notes[0]
    assert not place.checkpoint.exists()


def test_starting_over_says_so_and_keeps_a_checkpoint_that_is_further(
    tmp_path: Path, place: StorePath
) -> None:
    doc = document(tmp_path)
    stopped(doc, 6)
    watch = Watch(2)
    with pytest.raises(Interrupted) as caught:
        run(doc, watch)
    assert "interrupted at step 6 of" in watch.notes[0]
    assert "step 6 of" in (caught.value.hint or "")
    stopped(doc, 2, seed=8)  # another run takes its place
    kept = read_checkpoint(place.checkpoint)
    assert kept is not None
    assert kept.step == 2
    run(doc, max_steps=1)
    assert not place.checkpoint.exists()


def test_a_checkpoint_left_by_a_kill_after_the_commit_is_no_run(
    tmp_path: Path, place: StorePath
) -> None:
    doc = document(tmp_path)
    stopped(doc, 1, max_steps=2)
    shutil.copy(place.checkpoint, tmp_path / "left")
    run(doc, resume=True)
    shutil.copy(tmp_path / "left", place.checkpoint)
    watch = Watch()
    found = train(doc, TrainOptions(), watch, resume=True)
    assert isinstance(found, NothingToTrain)
    assert found.version.name == "v0001"
    assert watch.notes == ["the interrupted run was finished: it is v0001"]
    assert not place.checkpoint.exists()


@pytest.fixture
def no_large_files() -> Iterator[None]:
    """A disk that takes an adapter but not a checkpoint, which is three times as large."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4_000_000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.usefixtures("no_large_files")
def test_a_disk_that_takes_no_checkpoint_stops_no_training(
    tmp_path: Path, place: StorePath, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DLM_CHECKPOINT_SECONDS", "0")
    watch = Watch()
    run(document(tmp_path), watch, max_steps=3)
    assert [note.split(":")[0] for note in watch.notes] == ["the run goes on without a checkpoint"]
    assert not list(place.root.glob("*.tmp"))


def rewrite(place: StorePath, change: Callable[[dict[str, Any]], None]) -> None:
    """Change what the header of the checkpoint says."""
    from safetensors import safe_open
    from safetensors.torch import load_file, save_file

    with safe_open(place.checkpoint, framework="np") as file:
        metadata = file.metadata()
    data = json.loads(metadata["dlm"])
    change(data)
    tensors = load_file(place.checkpoint)
    save_file(tensors, place.checkpoint, metadata=metadata | {"dlm": json.dumps(data)})
