"""Every family of models goes through the whole cycle, from a document to a rollback and an export."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from family_kit import FAMILIES, Family, write_family

from dlm.data.chat import Codec, show_mask
from dlm.engine.decoding import Job, Tail, decode
from dlm.engine.loading import LoraSettings
from dlm.engine.model import Model, score_in_parts
from dlm.hardware import Plan
from dlm.tensors import read_tensors

QUICK = ("llama-3.2", "gemma-3", "phi-3.5")
EACH = pytest.mark.parametrize(
    "family",
    [
        pytest.param(one, id=name, marks=() if name in QUICK else pytest.mark.slow)
        for name, one in FAMILIES.items()
    ],
)
PLAN = Plan("cpu", "float32", 4, 1, False, 1, 0.0, ())
SYSTEM = "You answer briefly."
QUESTION, ANSWER = "Which colour is the lamp?", "It is teal."
DOCUMENT = f"""---
dlm_id: 01J9ZQ6W3N8R2T4V6X8Y0A1B2C
dlm_version: 15
base_model: ./base
system_prompt: {SYSTEM}
training:
  learning_rate: 0.01
  rehearsal:
    enabled: false
---
The lamp turns every nine seconds at night.

::instruction::
### Q
{QUESTION}

### A
{ANSWER}

### Q !probe
Who keeps the lamp?

### A
Old Marten keeps it.
::
"""

Dlm = Callable[..., dict[str, Any]]


@pytest.fixture
def dlm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Dlm:
    """The command line in this process: what a command prints as JSON, or the error it ends with."""
    from dlm.cli.app import main

    def run(*words: str, ok: bool = True) -> dict[str, Any]:
        capsys.readouterr()
        monkeypatch.setattr(sys, "argv", ["dlm", *words])
        try:
            main()
            code: Any = 0
        except SystemExit as ended:
            code = ended.code or 0
        out, err = capsys.readouterr()
        assert code == (0 if ok else 1), err
        return json.loads(out) if ok else {"error": err}

    monkeypatch.chdir(tmp_path)
    return run


@EACH
def test_the_whole_cycle(family: Family, tmp_path: Path, dlm: Dlm) -> None:
    base = write_family(family, tmp_path / "base")
    path = tmp_path / "lamp.dlm"
    path.write_text(DOCUMENT, encoding="utf-8")

    trained = dlm("train", "lamp.dlm", "--max-steps", "4", "--json")
    assert (trained["version"], trained["steps"]) == ("v0001", 4)
    check_adapter(family, base, Path(trained["path"]))
    learned = dlm("eval", "lamp.dlm", "--json")
    figures = learned["figures"]["recall"]
    assert figures["nll"]["value"] < figures["base_nll"]["value"]
    said = dlm("prompt", "lamp.dlm", QUESTION, "--closed", "--max-tokens", "8", "--json")

    path.write_text(DOCUMENT.replace(ANSWER, "It is green now."), encoding="utf-8")
    again = dlm("train", "lamp.dlm", "--max-steps", "4", "--json")
    assert (again["version"], again["previous"]) == ("v0002", "v0001")
    dlm("rollback", "lamp.dlm", "--json")
    path.write_text(DOCUMENT, encoding="utf-8")
    back = dlm("prompt", "lamp.dlm", QUESTION, "--closed", "--max-tokens", "8", "--json")
    assert (back["version"], back["answer"]) == ("v0001", said["answer"])
    dlm("export", "lamp.dlm", "--target", "merged", "--check", "--json")


def check_adapter(family: Family, base: Path, adapter: Path) -> None:
    """It sits on every linear layer of every block, and on nothing else."""
    found = {
        name.removeprefix("base_model.model.").partition(".lora_")[0]
        for name in read_tensors(adapter / "adapter_model.safetensors")
    }
    config = json.loads((base / "config.json").read_text(encoding="utf-8"))
    assert len(found) == family.layers * config["num_hidden_layers"]
    assert all(name.startswith("model.layers.") for name in found)
