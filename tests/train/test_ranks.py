"""Real trainings in several processes, over gloo on this machine's cores."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import warm
from launched import Launched, results

ID = "01J9ZQ6W3N8R2T4V6X8Y0A1B2C"
# Five rows a step, which two processes do not divide.
TEXT = f"""---
dlm_id: {ID}
dlm_version: 15
base_model: pocket
training:
  micro_batch_size: 5
  grad_accum: 1
  rehearsal:
    enabled: false
  preference:
    learning_rate: 0.0004
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

::preference::
### Prompt
Where does the lamp stand?
### Chosen
It stands on the shelf.
### Rejected
Nobody could know that at all.
::
"""


@pytest.fixture
def document(tmp_path: Path) -> Path:
    path = tmp_path / "lamp.dlm"
    path.write_text(TEXT, "utf-8")
    return path


def test_both_phases_give_the_losses_of_one_process(document: Path, tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    options = ("train", document, "--epochs", "2", "--force")
    warm.run(*options, env={**os.environ, "DLM_HOME": str(one)}).check_returncode()
    with Launched(2, two, *options) as processes:
        (status, _, errors), along = processes.ended()
    assert status == 0, errors
    assert along == (0, "", "")
    alone, together = results(one, ID), results(two, ID)
    assert [len(losses) for _, losses in together] == [len(losses) for _, losses in alone]
    assert len(together) == 2
    for (_, losses), (_, expected) in zip(together, alone, strict=True):
        assert losses == pytest.approx(expected, abs=2e-5)
