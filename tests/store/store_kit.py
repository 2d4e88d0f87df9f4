"""What the store tests share: small adapters, committing them, and processes that really die."""

from __future__ import annotations

import json
import os
import signal
import struct
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from dlm.data.lessons import Lesson, Role
from dlm.store.paths import StorePath
from dlm.store.records import Remembered, RunRecord, Version
from dlm.store.store import Store

DLM_ID = "01HZX5N3Q8"

DERIVED = ["pointer file written", "manifest written"]
OPEN_STEPS = ["settled", "swept", *DERIVED]
BEFORE_COMMIT = ["staged", "scanned", "sealed", "flushed", "reserved", "renamed", "recorded"]
COMMIT_STEPS = [*BEFORE_COMMIT, "committed", *DERIVED]
MOVE_STEPS = ["moved", "committed", *DERIVED]
PRUNE_STEPS = ["set aside", "forgotten", "removed", *DERIVED]

NOON = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)


# A process that is killed needs no real disk to lose nothing, and a thousand flushes take long.
MEMORY = Path("/dev/shm") if os.access("/dev/shm", os.W_OK) else None


CHILDREN: list[int] = []


def run_record(run_id: str, *, mode: str = "continue") -> RunRecord:
    return RunRecord(
        run_id=run_id,
        started_at=NOON,
        ended_at=NOON,
        base_key="pocket",
        base_fingerprint="f" * 64,
        document_sha256="d" * 64,
        document_path="/notes/sky.dlm",
        mode=mode,
        config={"rank": 16},
        figures={"loss": 0.5},
        stop_reason="learned",
        steps=40,
        seconds=1.5,
    )


def remembered(section_id: str, *, line: int = 1, text: str = "The sky is blue.") -> Remembered:
    lesson = Lesson(text, line=line, section_id=section_id, role=Role.REPLAY)
    return Remembered(lesson, since="v0001", seen="v0001")


def write_adapter(folder: Path, value: float = 1.0) -> None:
    tensors = {"lora_A.weight": np.full((4, 3), value, np.float32)}
    save_file(tensors, str(folder / "adapter_model.safetensors"))
    (folder / "adapter_config.json").write_text(json.dumps({"r": 16, "value": str(value)}))


def commit(
    store: Store,
    *,
    run_id: str | None = None,
    mode: str = "continue",
    memory: Sequence[Remembered] = (),
    current: bool = True,
) -> Version:
    """Train, as far as the store can tell."""
    with store.new_version() as staging:
        write_adapter(staging.path, value=float(staging.number))
        run = run_record(run_id or f"run-{os.urandom(6).hex()}", mode=mode)
        return staging.commit(run, memory, current=current)


def raw_safetensors(path: Path, dtype: str, data: bytes, *, count: int) -> None:
    """Write one tensor of any dtype, given as its bytes."""
    header = {"lora_A.weight": {"dtype": dtype, "shape": [count], "data_offsets": [0, len(data)]}}
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def in_child(action: Callable[[], None]) -> int:
    """Run `action` in a process of its own; returns its exit status, negative for a signal."""
    pid = start_child(action)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def start_child(action: Callable[[], None]) -> int:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # threads of numpy; the child has none
        pid = os.fork()
    if pid == 0:
        status = 1
        with suppress(BaseException):
            action()
            status = 0
        os._exit(status)
    CHILDREN.append(pid)
    return pid


def end_children() -> None:
    """Leave no process behind a test that failed before it ended its own."""
    while CHILDREN:
        with suppress(ProcessLookupError, ChildProcessError):
            pid = CHILDREN.pop()
            if os.waitpid(pid, os.WNOHANG) == (0, 0):
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)


def dies_at(step: str) -> Callable[[str], None]:
    """A checkpoint that kills its own process, as a power switch would, once `step` is done."""

    def checkpoint(done: str) -> None:
        if done == step:
            os.kill(os.getpid(), signal.SIGKILL)

    return checkpoint


def traces(place: StorePath) -> list[str]:
    """Everything below a store that belongs to no version and is none of its own files."""
    with Store.open(place.dlm_id) as store:
        versions = {version.path for version in store.versions()}
    left = [path for path in place.versions.iterdir() if path not in versions]
    left += place.staging.iterdir()
    left += (path for path in place.root.rglob(".*") if path.name.endswith(".tmp"))
    known = {"store.sqlite3", "manifest.json", "lock", "adapter"}
    left += (path for path in place.root.iterdir() if path.name not in known)
    left += (path for path in place.adapter.iterdir() if path.name not in ADAPTER_NAMES)
    return sorted(str(path.relative_to(place.root)) for path in left)


ADAPTER_NAMES = {"current.txt", "versions", "staging"}
