"""`dlm metrics` beside real trainings: followed while they run, killed, and shown afterwards."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from warm import WarmProcess

HEAD = (
    "---\ndlm_id: 01J9ZQ6W3N8R2T4V6X8Y0A1B2C\ndlm_version: 15\nbase_model: pocket\n"
    "training:\n  held_out: 0.4\n  seed: 3\n---\n\nThe boxes stand in the shed.\n\n"
)
PAIR = "::instruction::\n### Q{mark}\n{question}\n\n### A\n{answer}\n::\n"
PAIRS = [
    ("What is in the red box?", "The red box holds nails."),
    ("Who owns the shed?", "Odile Varga owns the shed."),
    ("When is the shed locked?", "The shed is locked at nine."),
    ("Where does the ladder hang?", "The ladder hangs behind the door."),
]
TEXT = HEAD + "".join(PAIR.format(mark="", question=q, answer=a) for q, a in PAIRS)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a document and its home."""
    folder = tmp_path_factory.mktemp("metrics")
    (folder / "boxes.dlm").write_text(TEXT, "utf-8")
    return folder


def environment(place: Path) -> dict[str, str]:
    return {**os.environ, "DLM_HOME": str(place / "home")}


STARTED: list[WarmProcess] = []


@pytest.fixture(autouse=True)
def _nothing_is_left_running() -> Iterator[None]:
    yield
    while STARTED:
        process = STARTED.pop()
        with process:
            process.kill()


def start(place: Path, *arguments: str) -> WarmProcess:
    process = WarmProcess(*arguments, cwd=place, env=environment(place))
    STARTED.append(process)
    return process


def dlm(place: Path, *arguments: str, status: int = 0) -> str:
    """What a command prints: on standard output, or on standard error where it fails."""
    process = start(place, *arguments)
    output, errors = process.communicate(timeout=120)
    assert process.returncode == status, errors
    assert "Traceback" not in errors
    return errors if status else output


@pytest.fixture(scope="module")
def watched(place: Path) -> list[dict[str, Any]]:
    """The events that a watcher saw of a training of three epochs."""
    watcher = start(place, "metrics", "watch", "--wait", "100", "--json")
    trained = start(place, "train", "--epochs", "3")
    _, errors = trained.communicate(timeout=200)
    assert trained.returncode == 0, errors
    output, errors = watcher.communicate(timeout=20)
    assert watcher.returncode == 0, errors
    return [json.loads(line) for line in output.splitlines()]


def test_before_the_first_training_there_is_nothing_and_no_store_is_made(tmp_path: Path) -> None:
    (tmp_path / "boxes.dlm").write_text(TEXT, "utf-8")
    assert "has no training to show" in dlm(tmp_path, "metrics", "show", status=1)
    assert "nothing is training boxes.dlm now" in dlm(tmp_path, "metrics", "watch", status=1)
    assert "has not been trained yet" in dlm(tmp_path, "metrics", "list")
    assert not (tmp_path / "home").exists()


def test_a_watcher_sees_every_step_and_evaluation_once_and_ends_with_the_run(
    watched: list[dict[str, Any]], place: Path
) -> None:
    assert (watched[0]["event"], watched[0]["outcome"]) == ("run", "running")
    assert (watched[-1]["event"], watched[-1]["outcome"]) == ("end", "committed")
    assert watched[-1]["version"] == "v0001"
    steps = [one["step"] for one in watched if one["event"] == "step"]
    assert steps == list(range(1, len(steps) + 1))
    shown = json.loads(dlm(place, "metrics", "show", "--json"))
    assert [one["step"] for one in shown["steps"]] == steps
    found = [one for one in watched if one["event"] == "evaluation"]
    assert [one["epoch"] for one in found] == [1, 2, 3]
    assert shown["evaluations"] == [
        {key: value for key, value in one.items() if key != "event"} for one in found
    ]


def test_held_out_pairs_are_measured_and_not_trained(
    watched: list[dict[str, Any]], place: Path
) -> None:
    listed = json.loads(dlm(place, "exam", "list", "--json"))
    assert listed["held_out"]
    assert len(listed["held_out"]) + listed["training_pairs"] == len(PAIRS)
    found = [one for one in watched if one["event"] == "evaluation"]
    assert all(one["pairs"] == listed["training_pairs"] for one in found)
    assert all(one["held_out_nll"] > 0 for one in found)


def test_show_prints_a_table_a_curve_csv_and_json(
    watched: list[dict[str, Any]], place: Path
) -> None:
    text = dlm(place, "metrics", "show")
    assert "committed v0001" in text
    assert "all 3 epochs done" in text
    (heading,) = (line.split() for line in text.splitlines() if line.startswith("epoch"))
    assert heading[:3] == ["epoch", "step", "loss"]
    assert any(line.startswith("loss  ") and "→" in line for line in text.splitlines())
    rows = list(csv.DictReader(io.StringIO(dlm(place, "metrics", "show", "--csv"))))
    shown = json.loads(dlm(place, "metrics", "show", "--version", "v0001", "--json"))
    assert [float(row["loss"]) for row in rows] == [one["loss"] for one in shown["steps"]]
    assert dlm(place, "metrics", "show", "--run", shown["run_id"][:9]) == text
    for wrong in (["--run", "x"], ["--version", "v0009"]):
        assert "error: there is no" in dlm(place, "metrics", "show", *wrong, status=1)
    dlm(place, "metrics", "show", "--json", "--csv", status=2)


def test_a_refused_run_names_both_lines_and_is_listed(
    watched: list[dict[str, Any]], place: Path
) -> None:
    sealed = PAIR.format(mark=" !exam", question="How wide is the roof?", answer="Six metres.")
    planted = PAIR.format(mark="", question="How wide's the roof, please?", answer="6 m")
    (place / "boxes.dlm").write_text(TEXT + sealed + planted, "utf-8")
    said = dlm(place, "train", status=1)
    lines = (TEXT + sealed + planted).split("\n")
    numbers = [n for n, line in enumerate(lines, 1) if "the roof" in line]
    assert f"boxes.dlm:{numbers[1] - 1}: " in said
    assert f"line {numbers[0] - 1}," in said
    checked = dlm(place, "exam", "verify", status=1)
    assert "1 place of boxes.dlm repeats" in checked
    (place / "boxes.dlm").write_text(TEXT, "utf-8")
    runs = json.loads(dlm(place, "metrics", "list", "--json"))["runs"]
    assert [(run["outcome"], run["version"]) for run in runs] == [
        ("committed", "v0001"),
        ("refused", None),
    ]
    assert "nearly repeats the sealed exam question" in runs[1]["detail"]
    assert ": refused\n" in dlm(place, "metrics", "show")


@pytest.mark.slow
def test_a_resumed_training_goes_on_in_its_own_run(
    watched: list[dict[str, Any]], place: Path
) -> None:
    process = start(place, "train", "--fresh", "--epochs", "4")
    for line in process.stderr:
        if line.startswith("epoch 2"):
            process.send_signal(signal.SIGINT)
    assert process.wait(60) == 130
    before = json.loads(dlm(place, "metrics", "show", "--json"))
    assert before["outcome"] == "interrupted"
    assert before["detail"].startswith("stopped at step ")
    dlm(place, "train", "--resume")
    after = json.loads(dlm(place, "metrics", "show", "--json"))
    assert (after["run_id"], after["outcome"]) == (before["run_id"], "committed")
    assert [one["step"] for one in after["steps"]] == list(range(1, len(after["steps"]) + 1))
    assert after["steps"][: len(before["steps"])] == before["steps"]
    assert [one["epoch"] for one in after["evaluations"]] == [1, 2, 3, 4]


@pytest.fixture
def training(watched: list[dict[str, Any]], place: Path) -> WarmProcess:
    """A long training whose first epoch is done."""
    process = start(place, "train", "--fresh", "--epochs", "4000")
    for line in process.stderr:
        if line.startswith("epoch 1"):
            break
    return process


def test_watchers_leave_cleanly_and_notice_when_the_training_is_killed(
    training: WarmProcess, place: Path
) -> None:
    leaving, staying = (start(place, "metrics", "watch") for _ in range(2))
    for watcher in (leaving, staying):
        assert watcher.stdout.readline()
    leaving.send_signal(signal.SIGINT)
    _, errors = leaving.communicate(timeout=20)
    assert leaving.returncode == 130
    assert "the training goes on" in errors
    assert "Traceback" not in errors
    assert training.poll() is None
    training.kill()
    output, errors = staying.communicate(timeout=60)
    assert staying.returncode == 0, errors
    assert output.splitlines()[-1] == "interrupted: its process ended without a word"
    assert "nothing is training" in dlm(place, "metrics", "watch", status=1)
    assert "interrupted" in dlm(place, "metrics", "show")


def test_without_the_extra_tensorboard_is_one_sentence(place: Path) -> None:
    program = (
        "import importlib.util, sys\n"
        "found = importlib.util.find_spec\n"
        "importlib.util.find_spec = lambda n, p=None: None if n == 'tensorboard' else found(n, p)\n"
        "sys.argv = ['dlm', 'train', '--tensorboard', 'events']\n"
        "from dlm.cli.app import main\nmain()"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=place,
        env=environment(place),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr == (
        "error: TensorBoard is not installed\nhint: pip install 'dlm[tensorboard]' adds it\n"
    )


def test_tensorboard_gets_the_same_figures(place: Path) -> None:
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    dlm(place, "train", "--fresh", "--epochs", "2", "--tensorboard", "events")
    shown = json.loads(dlm(place, "metrics", "show", "--json"))
    events = accumulator.EventAccumulator(str(place / "events" / shown["run_id"]))
    events.Reload()
    losses = [(one.step, one.value) for one in events.Scalars("train/loss")]
    assert losses == [(one["step"], pytest.approx(one["loss"])) for one in shown["steps"]]
    learned = [(one.step, one.value) for one in events.Scalars("evaluation/learned")]
    assert learned == [(one["step"], one["learned"]) for one in shown["evaluations"]]
