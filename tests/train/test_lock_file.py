"""The lock of an environment: where it lies, what a difference does, when it is written."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from dlm.doc.parser import parse_file
from dlm.errors import CorruptStore, TrainingError
from dlm.store.paths import for_dlm
from dlm.train.lock_file import Lock, LockMode, check_lock, lock_path, read_lock, write_lock
from dlm.train.options import TrainOptions
from dlm.train.plan import TrainingPlan, make_plan

TEXT = """---
dlm_id: 01J9ZQ6W3N8R2T4V6X8Y0A1B2C
dlm_version: 15
base_model: pocket
---

::instruction::
### Q
What colour is the Brindle lamp?

### A
The Brindle lamp is teal.
::
"""


@pytest.fixture
def plan(tmp_path: Path) -> TrainingPlan:
    path = tmp_path / "lamp.dlm"
    path.write_text(TEXT, "utf-8")
    made = make_plan(parse_file(path), TrainOptions(max_steps=1, seed=5))
    for_dlm(made.document.frontmatter.dlm_id).ensure_layout()
    return made


def elsewhere(plan: TrainingPlan) -> TrainingPlan:
    """The same training planned on another machine."""
    return replace(plan, hardware=replace(plan.hardware, threads=97, micro_batch=3))


def lock_of(plan: TrainingPlan) -> Lock:
    lock = read_lock(lock_path(plan.document))
    assert lock is not None
    return lock


def test_a_training_is_recorded_in_the_store_and_nothing_lies_beside_the_document(
    plan: TrainingPlan, tmp_path: Path
) -> None:
    assert write_lock(plan, "v0001", LockMode.WARN) is None
    assert lock_path(plan.document) == for_dlm("01J9ZQ6W3N8R2T4V6X8Y0A1B2C").root / "dlm.lock"
    assert [path.name for path in tmp_path.iterdir()] == ["lamp.dlm"]
    lock = lock_of(plan)
    assert (lock.document_sha256, lock.seed, lock.version) == (plan.document.sha256, 5, "v0001")
    assert {"python", "torch", "transformers", "peft", "trl", "dlm"} <= lock.environment.keys()
    assert lock.environment["threads"] == str(plan.hardware.threads)
    assert plan.base_fingerprint in lock.environment["base"]
    for mode in LockMode:
        assert check_lock(plan, mode) is None


def test_a_difference_is_one_line_and_leaves_the_lock_alone(plan: TrainingPlan) -> None:
    write_lock(plan, "v0001", LockMode.WARN)
    warning = check_lock(elsewhere(plan), LockMode.WARN)
    assert warning is not None
    assert "\n" not in warning
    assert f"threads was {plan.hardware.threads}, is 97; batch was " in warning
    write_lock(elsewhere(plan), "v0002", LockMode.WARN)
    assert lock_of(plan).version == "v0001"


def test_strict_refuses_a_difference_and_names_each(plan: TrainingPlan) -> None:
    write_lock(plan, "v0001", LockMode.WARN)
    with pytest.raises(TrainingError, match=r"threads was .* is 97; batch was .* is 3 x") as caught:
        check_lock(elsewhere(plan), LockMode.STRICT)
    assert "--update-lock" in (caught.value.hint or "")


def test_strict_refuses_where_nothing_is_locked(plan: TrainingPlan) -> None:
    with pytest.raises(TrainingError, match="to hold this training to"):
        check_lock(plan, LockMode.STRICT)


def test_update_takes_the_new_environment(plan: TrainingPlan) -> None:
    write_lock(plan, "v0001", LockMode.WARN)
    assert check_lock(elsewhere(plan), LockMode.UPDATE) is None
    write_lock(elsewhere(plan), "v0002", LockMode.UPDATE)
    assert lock_of(plan).version == "v0002"
    assert check_lock(elsewhere(plan), LockMode.STRICT) is None


def test_an_empty_file_beside_the_document_becomes_its_lock(
    plan: TrainingPlan, tmp_path: Path
) -> None:
    beside = tmp_path / "lamp.dlm.lock"
    beside.touch()
    assert check_lock(plan, LockMode.WARN) is None
    write_lock(plan, "v0001", LockMode.WARN)
    assert json.loads(beside.read_text("utf-8"))["version"] == "v0001"
    assert not for_dlm("01J9ZQ6W3N8R2T4V6X8Y0A1B2C").environment_lock.exists()


@pytest.mark.parametrize("text", ["<<<<<<< ours\n", "[]", '{"environment": 3}'])
def test_a_lock_that_cannot_be_read_is_said_and_can_be_replaced(
    plan: TrainingPlan, tmp_path: Path, text: str
) -> None:
    (tmp_path / "lamp.dlm.lock").write_text(text, "utf-8")
    with pytest.raises(CorruptStore, match=r"lamp\.dlm\.lock cannot be read"):
        check_lock(plan, LockMode.WARN)
    write_lock(plan, "v0001", LockMode.UPDATE)
    assert lock_of(plan).version == "v0001"


def test_the_command_line_refuses_before_anything_heavy_is_loaded(plan: TrainingPlan) -> None:
    assert plan.document.path is not None
    write_lock(elsewhere(plan), "v0001", LockMode.WARN)
    probe = (
        "import sys, atexit; from dlm.cli.app import main; "
        f"sys.argv = ['dlm', 'train', {str(plan.document.path)!r}, '--strict-lock']; "
        "atexit.register(lambda: print('torch' in sys.modules)); main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", probe], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "error: this is not the environment of" in done.stderr
    assert done.stdout == "False\n"


def test_strict_and_update_together_are_wrong_use(plan: TrainingPlan) -> None:
    path = str(plan.document.path)
    done = subprocess.run(
        [sys.executable, "-m", "dlm.cli.app", "train", path, "--strict-lock", "--update-lock"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "exclude each other" in done.stderr
