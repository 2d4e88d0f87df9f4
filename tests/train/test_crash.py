"""Real kills of real trainings: the last committed version survives, and nothing else does."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import warm
from warm import WarmProcess

from dlm.doc.parser import parse_file
from dlm.store.paths import for_dlm
from dlm.store.store import Store

DOCUMENT = """---
dlm_id: 01J9ZQ6W3N8R2T4V6X8Y0A1B2C
dlm_version: 15
base_model: pocket
training:
  rehearsal:
    enabled: false
---

::instruction::
### Q
What colour is the Brindle lamp?

### A
The Brindle lamp is teal.
::
"""


MORE = """
::instruction::
### Q
Where does the Brindle lamp hang?

### A
It hangs above the loom.
::
"""

TOOK: list[float] = []


@pytest.fixture(scope="module")
def trained_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A DLM_HOME in which the document has one version."""
    folder = tmp_path_factory.mktemp("crash")
    (folder / "lamp.dlm").write_text(DOCUMENT, "utf-8")
    environment = {**os.environ, "DLM_HOME": str(folder / "home")}
    warm.server_path()
    began = time.monotonic()
    warm.run("train", folder / "lamp.dlm", "--max-steps", "6", env=environment).check_returncode()
    TOOK.append(time.monotonic() - began)
    return folder


@pytest.fixture
def workplace(trained_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it, so that every kill starts from the same state."""
    shutil.copytree(trained_home, tmp_path, dirs_exist_ok=True)
    monkeypatch.setenv("DLM_HOME", str(tmp_path / "home"))
    return tmp_path / "lamp.dlm"


# A share of the usual duration is drawn for each kill: loading, steps, staging, commit, pointer.
@pytest.mark.slow  # kills in the usual run: test_resume_kill, and each step of a commit in store/
@pytest.mark.parametrize("seed", range(20))
def test_a_retraining_killed_at_any_moment_keeps_file_and_version_and_the_next_one_works(
    workplace: Path, seed: int, usual_seconds: float
) -> None:
    workplace.write_text(DOCUMENT + MORE, "utf-8")
    with WarmProcess("train", workplace, "--max-steps", "6"):
        time.sleep(usual_seconds * random.Random(seed).uniform(0.1, 1.02))
    assert workplace.read_text("utf-8") == DOCUMENT + MORE
    assert_whole(workplace)
    warm.run("train", workplace, "--max-steps", "6").check_returncode()
    assert workplace.read_text("utf-8") == DOCUMENT + MORE
    assert_whole(workplace)
    assert current_name(workplace) in ("v0002", "v0003")  # the kill may have come too late


@pytest.fixture
def usual_seconds(trained_home: Path) -> float:
    """How long the training that gets killed takes when it is not."""
    return TOOK[0]


def current_name(document: Path) -> str:
    with Store.open(parse_file(document).frontmatter.dlm_id) as store:
        current = store.current()
    assert current is not None
    return current.name


def assert_whole(document: Path) -> None:
    """The current version verifies, answers, and nothing of the dead run is left after an open."""
    parsed = parse_file(document)
    with Store.open(parsed.frontmatter.dlm_id) as store:
        current = store.current()
        assert current is not None
        store.verify(current)
        names = {version.name for version in store.versions()}
    root = for_dlm(parsed.frontmatter.dlm_id)
    assert {path.name for path in root.versions.iterdir()} == names
    leftovers = [p for p in root.root.rglob("*") if p.name.endswith(".tmp") or "staging/" in str(p)]
    assert leftovers == []
    pointer = root.current_pointer.read_text("utf-8").strip()
    assert pointer.endswith(current.name)
    assert json.loads(root.manifest.read_text("utf-8"))["dlm_id"] == parsed.frontmatter.dlm_id
    asked = warm.run("prompt", document, "What colour is the Brindle lamp?", "--closed", "--json")
    assert json.loads(asked.stdout)["version"] == current.name


def test_ctrl_c_stops_at_a_step_and_changes_nothing(workplace: Path) -> None:
    process = WarmProcess("train", workplace, "--fresh", "--epochs", "400")
    for line in process.stderr:
        if line.startswith("epoch 2"):
            process.send_signal(signal.SIGINT)
            break
    output, errors = process.communicate(timeout=120)
    assert process.returncode == 130
    assert output == ""
    assert "stopped at step" in errors
    assert "v0001 is current" in errors
    assert "Traceback" not in errors
    assert_whole(workplace)


def test_a_second_training_says_who_holds_the_lock(workplace: Path) -> None:
    first = WarmProcess("train", workplace, "--fresh", "--epochs", "400")
    try:
        for line in first.stderr:
            if line.startswith("epoch 1"):
                break
        second = warm.run("train", workplace, "--fresh")
    finally:
        first.kill()
        first.communicate()
    assert second.returncode == 1
    assert str(first.pid) in second.stderr
    assert "Traceback" not in second.stderr


def _ask(document: Path) -> subprocess.CompletedProcess[str]:
    return warm.run("prompt", document, "What colour is the Brindle lamp?", "--closed")


def test_damaged_weights_are_named_and_not_used(workplace: Path) -> None:
    weights = for_dlm(parse_file(workplace).frontmatter.dlm_id).versions / "v0001"
    path = weights / "adapter_model.safetensors"
    data = bytearray(path.read_bytes())
    data[-100] ^= 0xFF
    path.write_bytes(data)
    done = _ask(workplace)
    assert done.returncode == 1
    assert done.stdout == ""
    assert "v0001" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_cut_database_is_rebuilt_and_the_version_still_answers(workplace: Path) -> None:
    database = for_dlm(parse_file(workplace).frontmatter.dlm_id).database
    database.write_bytes(database.read_bytes()[:1000])
    for companion in database.parent.glob(f"{database.name}-*"):
        companion.unlink()
    done = _ask(workplace)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
    assert "note: " in done.stderr
    assert_whole(workplace)


def test_an_edit_during_training_is_kept_and_reported(workplace: Path) -> None:
    process = WarmProcess("train", workplace, "--fresh", "--max-steps", "6")
    assert "training on 1 pair" in process.stderr.readline()  # it has read the document
    edited = DOCUMENT.replace("teal.", "green.")
    workplace.write_text(edited, "utf-8")
    output, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    assert output.startswith("v0002")
    assert workplace.read_text("utf-8") == edited
    assert "was edited while it trained" in errors


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system too small for an adapter."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=700k", "tmpfs", str(disk)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip("file systems cannot be mounted here")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_a_full_disk_is_one_sentence_and_leaves_no_version(
    workplace: Path, small_disk: Path
) -> None:
    environment = {**os.environ, "DLM_HOME": str(small_disk)}
    done = warm.run("train", workplace, "--max-steps", "2", env=environment)
    assert done.returncode == 1
    assert done.stdout == ""
    assert "No space left on device" in done.stderr
    assert "hint: free some space" in done.stderr
    assert "Traceback" not in done.stderr
    assert list(small_disk.rglob("*.safetensors")) == []
    history = warm.run("history", workplace, env=environment)
    assert "not trained yet" in history.stdout
