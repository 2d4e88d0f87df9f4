"""Real kills of either of two processes that torchrun started, and Ctrl-C at the launcher."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import warm
from launched import results

from dlm.doc.parser import parse_file
from dlm.store.paths import StorePath
from dlm.store.store import Store
from dlm.train.checkpoint import read_checkpoint

ID = "01J9ZQ6W3N8R2T4V6X8Y0A1B2C"
TEXT = f"""---
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
FRESH = ("--fresh", "--epochs", "12")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A document with one version."""
    folder = tmp_path_factory.mktemp("killed")
    (folder / "lamp.dlm").write_text(TEXT, "utf-8")
    environment = {**os.environ, "DLM_HOME": str(folder / "home")}
    warm.run("train", folder / "lamp.dlm", "--max-steps", "4", env=environment).check_returncode()
    return folder


@pytest.fixture
def document(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(trained, tmp_path, dirs_exist_ok=True)
    monkeypatch.setenv("DLM_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("DLM_CHECKPOINT_SECONDS", "0")
    return tmp_path / "lamp.dlm"


@contextlib.contextmanager
def torchrun(document: Path, *options: str) -> Iterator[subprocess.Popen[str]]:
    """Two processes that train; what is said is in `said` beside the document."""
    command = (sys.executable, "-m", "torch.distributed.run", "--standalone")
    what = ("--nproc-per-node", "2", "-m", "dlm", "train", str(document), *options)
    with said(document).open("w") as file:
        launcher = subprocess.Popen([*command, *what], stdout=file, stderr=file, text=True)
        try:
            yield launcher
        finally:
            if launcher.poll() is None:
                launcher.send_signal(signal.SIGTERM)
                launcher.wait(60)


def said(document: Path) -> Path:
    return document.with_name("said")


def step(document: Path) -> int:
    kept = read_checkpoint(StorePath(document.parent / "home" / "store" / ID).checkpoint)
    return kept.step if kept else 0


def worker(launcher: subprocess.Popen[str], rank: int) -> int:
    """The pid of the process with this rank."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        for pid in Path(f"/proc/{launcher.pid}/task/{launcher.pid}/children").read_text().split():
            with contextlib.suppress(OSError):
                if f"\0RANK={rank}\0".encode() in Path(f"/proc/{pid}/environ").read_bytes():
                    return int(pid)
        time.sleep(0.05)
    raise AssertionError("torchrun started nothing")


def until(launcher: subprocess.Popen[str], document: Path, moment: str) -> None:
    """Wait for the moment of the kill."""
    reached = {
        "starting": lambda: "training on" in said(document).read_text("utf-8"),
        "stepping": lambda: step(document) >= 5,
        "measuring": lambda: "measuring what was learned" in said(document).read_text("utf-8"),
    }[moment]
    while not reached() and launcher.poll() is None:
        time.sleep(0.01)


def sentences(document: Path) -> list[str]:
    text = said(document).read_text("utf-8")
    assert "[rank" not in text, text  # a traceback of a worker
    return [line for line in text.splitlines() if line.startswith("error: ")]


@pytest.mark.parametrize("moment", ["starting", "stepping", "measuring"])
@pytest.mark.parametrize("rank", [0, 1])
def test_a_kill_of_either_process_ends_both_and_leaves_the_last_version(
    document: Path, rank: int, moment: str
) -> None:
    with torchrun(document, *FRESH) as launcher:
        pid = worker(launcher, rank)
        until(launcher, document, moment)
        os.kill(pid, signal.SIGKILL)
        assert launcher.wait(120) == 1
    # Before they have met, nobody is left who would know that the first one is gone.
    expected = 0 if (rank, moment) == (0, "starting") else 1
    assert len(sentences(document)) == expected, said(document).read_text("utf-8")
    with Store.open(ID, base_model="pocket") as store:
        current = store.current()
        assert current is not None
        assert current.name == "v0001"
        assert [version.name for version in store.versions()] == ["v0001"]
        assert [folder.name for folder in store.path.versions.iterdir()] == ["v0001"]
    assert parse_file(document).text == TEXT
    done = warm.run("train", document, "--fresh", "--max-steps", "4")
    assert done.returncode == 0, done.stderr
    assert [one for one, _ in enumerate(results(document.parent / "home", ID))] == [0, 1]


def test_ctrl_c_at_the_launcher_keeps_a_checkpoint_and_resuming_gives_the_same_bytes(
    document: Path,
) -> None:
    with torchrun(document, *FRESH) as launcher:
        assert launcher.wait(300) == 0
    whole = results(document.parent / "home", ID)[-1]
    with torchrun(document, *FRESH) as launcher:
        until(launcher, document, "stepping")
        launcher.send_signal(signal.SIGINT)
        assert launcher.wait(120) != 0
    (sentence,) = sentences(document)
    assert sentence.startswith("error: stopped at step ")
    with torchrun(document, "--resume") as launcher:
        assert launcher.wait(300) == 0, said(document).read_text("utf-8")
    assert results(document.parent / "home", ID)[-1] == whole
    alone = warm.run("train", document, "--resume")
    assert alone.returncode == 1
