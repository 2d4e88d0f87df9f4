"""Real trainings in several processes, over gloo on this machine's cores."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import warm
from launched import Launched, results

from dlm.data.lessons import Lesson
from dlm.data.rows import Row, RowKind
from dlm.launch import Launch, launch
from dlm.train.steps import FILLING, Optimisation, in_order, shared_out

ID = "01J9ZQ6W3N8R2T4V6X8Y0A1B2C"
# Five rows a step, which neither two nor three processes divide.
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
STARTED = {
    "RANK": "1",
    "WORLD_SIZE": "4",
    "LOCAL_RANK": "1",
    "LOCAL_WORLD_SIZE": "2",
    "MASTER_ADDR": "here",
    "MASTER_PORT": "1",
}
HOW = Optimisation(1e-3, "constant", 0.0, 4, 2, gradient_checkpointing=False, seed=0)


@pytest.fixture
def document(tmp_path: Path) -> Path:
    path = tmp_path / "lamp.dlm"
    path.write_text(TEXT, "utf-8")
    return path


def test_two_processes_give_the_losses_of_one_and_the_others_are_silent(
    document: Path, tmp_path: Path
) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    options = ("train", document, "--max-steps", "3", "--phase", "sft")
    warm.run(*options, env={**os.environ, "DLM_HOME": str(one)}).check_returncode()
    with Launched(2, two, *options) as processes:
        (status, _, errors), along = processes.ended()
    assert status == 0, errors
    assert along == (0, "", "")
    ((_, losses),) = results(two, ID)
    assert losses == pytest.approx(results(one, ID)[0][1], abs=2e-5)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("count", [2, 3])
def test_both_phases_give_the_losses_of_one_process_and_the_same_bytes_twice(
    document: Path, tmp_path: Path, count: int
) -> None:
    alone = tmp_path / "alone"
    options = ("train", document, "--epochs", "4", "--force")
    warm.run(*options, env={**os.environ, "DLM_HOME": str(alone)}).check_returncode()
    for home in (tmp_path / "once", tmp_path / "twice"):
        with Launched(count, home, *options) as processes:
            (status, _, errors), *along = processes.ended()
        assert status == 0, errors
        assert along == [(0, "", "")] * (count - 1)
    once = results(tmp_path / "once", ID)
    assert once == results(tmp_path / "twice", ID)
    expected = results(alone, ID)
    assert len(once) == len(expected) == 2
    for (_, found), (_, losses) in zip(once, expected, strict=True):
        assert found == pytest.approx(losses, abs=5e-5)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_all_processes_slow_down_together(tmp_path: Path) -> None:
    facts = ("teal", "nineteen hours", "Marrowgate", "Odile Varga", "glass", "oil", "tall")
    asked = [*(f"What is fact {n} of the lamp?" for n in range(6)), "What is fact 0 of the lamp?"]
    pairs = "".join(
        f"### Q\n{one}\n\n### A\n{two}\n\n" for one, two in zip(asked, facts, strict=True)
    )
    document = tmp_path / "lamp.dlm"
    document.write_text(
        f"{TEXT[: TEXT.index('::instruction')]}::instruction::\n{pairs}::\n", "utf-8"
    )
    options = ("train", document, "--max-steps", "60")
    one, two = tmp_path / "one", tmp_path / "two"
    warm.run(*options, env={**os.environ, "DLM_HOME": str(one)}).check_returncode()
    with Launched(2, two, *options) as processes:
        assert [status for status, _, _ in processes.ended()] == [0, 0]
    assert results(two, ID)[0][1] == pytest.approx(results(one, ID)[0][1], abs=5e-5)
    for home in (one, two):
        rates = _rates(home)
        assert rates[-1] < max(rates) / 1.9


def _rates(home: Path) -> list[float]:
    with sqlite3.connect(home / "store" / ID / "store.sqlite3") as database:
        rows = database.execute("SELECT learning_rate FROM metric_steps ORDER BY step")
        return [rate for (rate,) in rows]


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("version", [1, 2])
def test_a_base_that_fsdp_spreads_trains_both_phases_with_the_losses_of_one_process(
    document: Path, tmp_path: Path, version: int
) -> None:
    config = tmp_path / "fsdp.yaml"
    config.write_text(
        "compute_environment: LOCAL_MACHINE\ndistributed_type: FSDP\nnum_processes: 2\n"
        "num_machines: 1\nmixed_precision: 'no'\nmain_process_port: 0\nfsdp_config:\n"
        f"  fsdp_version: {version}\n  fsdp_auto_wrap_policy: TRANSFORMER_BASED_WRAP\n"
        f"  fsdp_reshard_after_forward: {'FULL_SHARD' if version == 1 else 'true'}\n"
        "  fsdp_cpu_ram_efficient_loading: false\n  fsdp_sync_module_states: false\n"
    )
    alone, spread = tmp_path / "alone", tmp_path / "spread"
    options = ("train", str(document), "--epochs", "2", "--force")
    warm.run(*options, env={**os.environ, "DLM_HOME": str(alone)}).check_returncode()
    script = str(Path(__file__).with_name("fsdp_on_cores.py"))
    command = (sys.executable, "-m", "accelerate.commands.launch", "--config_file", str(config))
    done = subprocess.run(
        [*command, script, *options],
        env={**os.environ, "DLM_HOME": str(spread), "DLM_CHECKPOINT_SECONDS": "0"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for (_, found), (_, losses) in zip(results(spread, ID), results(alone, ID), strict=True):
        assert found == pytest.approx(losses, abs=5e-5)
    asked = warm.run(
        *("prompt", document, "--closed", "Who made it?"),
        env={**os.environ, "DLM_HOME": str(spread)},
    )
    assert asked.returncode == 0, asked.stderr


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("prompt", "lamp.dlm"), "error: `dlm prompt` runs in one process, and 2 were started"),
        (("train", "lamp.dlm", "--watch"), "error: watching trains in one process"),
        (("train", "lamp.dlm", "--phase", "x"), "error: --phase cannot be 'x'"),
    ],
)
def test_what_several_processes_cannot_do_is_refused_once(
    tmp_path: Path, words: tuple[str, ...], sentence: str
) -> None:
    with Launched(2, tmp_path, *words) as processes:
        (status, output, errors), along = processes.ended()
    assert (status, output) == (2, "")
    assert errors.startswith(sentence)
    assert along == (2, "", "")


def test_a_document_that_cannot_be_read_is_said_once(tmp_path: Path) -> None:
    with Launched(2, tmp_path, "train", tmp_path / "none.dlm", "--plan") as processes:
        (status, _, errors), along = processes.ended()
    assert status == 1
    assert errors.startswith("error: ")
    assert along == (0, "", "")


def test_a_launch_is_read_from_all_that_a_launcher_sets() -> None:
    assert launch(STARTED) == Launch(1, 4, 1, 2)
    assert launch({**STARTED, "ACCELERATE_USE_FSDP": "true"}).sharded
    assert launch({**STARTED, "WORLD_SIZE": "1", "RANK": "0"}) == Launch()
    assert launch({**STARTED, "LOCAL_RANK": ""}) == Launch()  # a cluster sets the rest for all


def test_steps_are_shared_out_in_order_and_filled_up_with_what_counts_for_nothing() -> None:
    rows = [Row(RowKind.PAIR, (n, n), (False, True), Lesson(f"{n}")) for n in range(16)]
    shared, each = shared_out(rows, HOW, 3)
    assert (each.micro_batch, each.grad_accum) == (3, 1)
    assert shared[:8] == rows[:8]
    assert shared[8] is FILLING
    assert shared[9:17] == rows[8:]
    assert FILLING.weight == 0
    alone, same = shared_out(rows, HOW, 1)
    assert (alone, same) == (rows, HOW)
    _, many = shared_out(rows, replace(HOW, micro_batch=1, grad_accum=8), 3)
    assert (many.micro_batch, many.grad_accum) == (1, 3)


def test_what_processes_find_in_their_turns_comes_back_in_the_order_of_the_rows() -> None:
    first, second = [[0, 1], [4, 5]], [[2, 3], [6]]
    assert in_order([first, second]) == [0, 1, 2, 3, 4, 5, 6]
