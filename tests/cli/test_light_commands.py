"""What a short command may load, by name: whoever adds an import to one sees it here."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from dlm.cli.commands import command_line, name_of
from dlm.data.lessons import Lesson
from dlm.doc.parser import parse_file
from dlm.store.records import Remembered, RunRecord
from dlm.store.store import open_store

DOCUMENT = """---
dlm_id: 01J9ZQ6W3N8R2T4V6X8Y0A1B2C
dlm_version: 15
base_model: pocket
---

The boxes stand in the shed.

::instruction::
### Q !exam
What is in the red box?

### A
Nails.
::
"""
TYPER = {"typer", "shellingham", "annotated_doc"}
PYDANTIC = {"pydantic", "pydantic_core", "annotated_types", "typing_extensions"}
OTHERS = {*TYPER, *PYDANTIC, "typing_inspection", "dlm"}
ALWAYS = {"cli", "doc", "text", "errors", "launch", "plugins"}
STORED = {*ALWAYS, "data", "store", "sources", "files"}
COMMANDS = {
    "show shed.dlm": STORED,
    "show shed.dlm --sections": STORED,
    "history shed.dlm": STORED,
    "exam list shed.dlm": {*ALWAYS, "data", "sources"},
    "replay stats shed.dlm": STORED,
    "metrics list shed.dlm": STORED,
    "synth list shed.dlm": {*STORED, "loops"},
    "init new.dlm": {*ALWAYS, "files", "base_models", "hardware", "memory", "templates", "tensors"},
}
SELDOM = (
    "dlm.data.contamination",
    "dlm.doc.notes",
    "dlm.sources.reading",
    "dlm.store.improving",
    "dlm.text.near",
)
"""Ours, of the packages that they load, and not wanted by any of them."""

PROBE = """
import atexit, sys
before = set(sys.modules)
atexit.register(lambda: print("loaded", *(sys.modules.keys() - before)))
sys.argv = ["dlm", *sys.argv[1:]]
from dlm.cli.app import main
main()
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A document that has a version."""
    path = tmp_path / "shed.dlm"
    path.write_text(DOCUMENT, "utf-8")
    document, at = parse_file(path), datetime(2026, 5, 4, tzinfo=UTC)
    run = RunRecord("run", at, at, "pocket", "", document.sha256, str(path), "fresh")
    known = Remembered(Lesson("The boxes stand in the shed.", line=7), "v0001", "v0001")
    with open_store(document) as store, store.new_version() as staging:
        save_file({"a": np.ones(2, np.float32)}, str(staging.path / "adapter_model.safetensors"))
        staging.commit(run, [known])
    return tmp_path


def _loaded(folder: Path, *words: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", PROBE, *words],
        cwd=folder,
        env=dict(os.environ),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.rpartition("loaded ")[2].split())


@pytest.mark.parametrize("command", COMMANDS)
def test_a_short_command_loads_nothing_but_what_is_named_here(folder: Path, command: str) -> None:
    loaded = _loaded(folder, *command.split())
    foreign = {name.partition(".")[0] for name in loaded} - sys.stdlib_module_names
    assert {name for name in foreign if not name.startswith("_sysconfigdata")} <= OTHERS
    ours = {name.split(".")[1] for name in loaded if name.startswith("dlm.")}
    assert ours <= COMMANDS[command]
    assert not loaded & set(SELDOM)


@pytest.mark.parametrize("verb", ["list", "discard", "preferences"])
def test_of_a_group_the_one_command_that_was_called_is_built(verb: str) -> None:
    assert _built("synth", verb) == [verb]
    assert len(_built("synth", "no such verb")) == len(_built("synth", None)) > 1


def _built(name: str, verb: str | None) -> list[str]:
    (group,) = command_line(name, verb).registered_groups
    assert group.typer_instance is not None
    return [name_of(info) for info in group.typer_instance.registered_commands]


def test_the_collector_waits_until_a_command_has_loaded_and_no_longer() -> None:
    code = (
        "import gc; from dlm.cli import app; app._collect_seldom(); begun = gc.get_threshold()[0]; "
        "gc.collect(); print(begun, gc.get_threshold()[0], gc.callbacks)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "100000 20000 []\n"
