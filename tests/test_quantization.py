"""`training.quantization`: what is planned on invented machines, and refused on this one."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from dlm.base_models import base_of, resolve
from dlm.doc.parser import parse_text
from dlm.errors import TrainingError
from dlm.hardware import Gpu, Machine, plan, plan_answers
from dlm.memory import training_gb

GPU = Machine(16, 64, 50, (Gpu("RTX 4060", 8.6, 8.2, (8, 9)),))
CPU = Machine(8, 64, 60)
WHOLE = resolve("qwen3-4b")
FOUR = replace(WHOLE, quantization="4bit")
EIGHT = replace(WHOLE, quantization="8bit")
DOCUMENT = """---
dlm_id: 01J9ZQ6W3N8R2T4V6X8Y0A1B2C
base_model: pocket
training:
  quantization: {bits}
---
::instruction::
### Q
Why?
### A
Because.
::
"""


@pytest.fixture
def bitsandbytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package of that name, which planning looks for and does not import."""
    (tmp_path / "bitsandbytes").mkdir()
    (tmp_path / "bitsandbytes" / "__init__.py").write_text("raise AssertionError")
    monkeypatch.syspath_prepend(tmp_path)


def test_a_document_says_in_how_many_bits_its_base_is_held() -> None:
    assert base_of(parse_text(DOCUMENT.format(bits="8bit"))).quantization == "8bit"
    assert base_of(parse_text(DOCUMENT.format(bits="null"))) == resolve("pocket")


@pytest.mark.usefixtures("bitsandbytes")
def test_a_base_that_does_not_fit_the_gpu_whole_does_in_four_bits() -> None:
    whole = plan(GPU, WHOLE, sequence_length=512)
    assert whole.device == "cpu"
    four = plan(GPU, FOUR, sequence_length=512)
    assert (four.device, four.dtype, four.quantization) == ("cuda", "bfloat16", "4bit")
    assert any(one.startswith("4bit: asked for") for one in four.reasons)
    assert "the base in 4bit" in four.summary

    def need(base: object) -> float:
        return training_gb(base, "cuda", "bfloat16", 1, 512, 16, True)  # type: ignore[arg-type]

    assert need(FOUR) < need(EIGHT) < need(WHOLE)
    assert need(WHOLE) - need(FOUR) == pytest.approx(WHOLE.params * 1.48 / 1e9, rel=0.12)


@pytest.mark.usefixtures("bitsandbytes")
def test_what_is_quantised_never_goes_to_the_cpu() -> None:
    small = Machine(16, 64, 50, (Gpu("small", 2.1, 2.0, (8, 9)),))
    with pytest.raises(
        TrainingError, match=r"qwen3-4b does not fit this machine: cuda has 1\.8 GB"
    ):
        plan(small, FOUR, sequence_length=512)


def test_without_a_gpu_it_is_refused() -> None:
    with pytest.raises(TrainingError, match=r"quantization: 4bit needs an NVIDIA GPU") as caught:
        plan(CPU, FOUR, sequence_length=512)
    assert "leave the key out" in str(caught.value.hint)


def test_without_bitsandbytes_it_is_refused() -> None:
    with pytest.raises(TrainingError, match="needs the package bitsandbytes") as caught:
        plan(GPU, EIGHT, sequence_length=512)
    assert "pip install 'dlm[quantization]'" in str(caught.value.hint)


def test_answers_are_given_anyway_from_the_base_as_it_is() -> None:
    assert plan_answers(CPU, FOUR).quantization is None
    assert plan_answers(GPU, replace(resolve("pocket"), quantization="4bit")).quantization is None


@pytest.mark.usefixtures("bitsandbytes")
def test_answers_on_the_gpu_are_of_the_base_as_it_was_trained_on() -> None:
    made = plan_answers(GPU, FOUR)
    assert (made.device, made.quantization) == ("cuda", "4bit")
    assert (
        made.memory_gb < plan_answers(Machine(1, 0, 0, (Gpu("", 90, 90, (9, 0)),)), WHOLE).memory_gb
    )


@pytest.mark.parametrize("command", ["train", "doctor"])
def test_a_command_says_so_in_one_sentence(command: str, tmp_path: Path) -> None:
    (tmp_path / "notes.dlm").write_text(DOCUMENT.format(bits="4bit"), encoding="utf-8")
    probe = (
        "import sys, atexit; from dlm.cli.app import main; "
        f"sys.argv = ['dlm', {command!r}, 'notes.dlm']; "
        "atexit.register(lambda: print('torch' in sys.modules)); main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", probe],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        env={
            "CUDA_VISIBLE_DEVICES": "",
            "DLM_HOME": str(tmp_path),
            "PYTHONPATH": ":".join(sys.path),
        },
    )
    assert done.returncode == 1
    assert done.stderr.splitlines()[-2:] == [
        "error: training.quantization: 4bit needs an NVIDIA GPU, and there is none here that torch "
        "can use",
        "hint: leave the key out to train the base as it is, or train on another machine",
    ]
    assert done.stdout.strip().endswith("False")


@pytest.mark.gpu
@pytest.mark.parametrize("bits", ["4bit", "8bit"])
def test_a_quantised_base_learns(bits: str, pocket_folder: Path) -> None:
    pytest.importorskip("bitsandbytes")
    from dlm.engine.loading import LoraSettings
    from dlm.engine.model import Model
    from dlm.hardware import detect

    base = replace(resolve("pocket"), quantization=bits)
    made = plan(detect(), base, sequence_length=128)
    model = Model.load(
        pocket_folder, made, new_adapter=LoraSettings(4, 8, 0.0, "all-linear", 1), trainable=True
    )
    torch = model.torch
    ids = torch.tensor([[5, 6, 7, 8, 9, 10]], device="cuda")
    before = model.network(input_ids=ids, labels=ids).loss
    weights = [one for one in model.network.parameters() if one.requires_grad]
    optimizer = torch.optim.AdamW(weights, lr=0.01)
    for _ in range(10):
        model.network(input_ids=ids, labels=ids).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    assert model.network(input_ids=ids, labels=ids).loss < before - 0.5
