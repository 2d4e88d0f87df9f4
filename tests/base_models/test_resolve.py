"""From a key to a base model, or to a sentence that says what to write instead."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hub_kit import CONFIG, cache_model, write_model

from dlm.base_models import BASE_MODELS, resolve
from dlm.base_models.resolve import with_facts
from dlm.errors import BaseModelError


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_a_registry_key_is_its_row() -> None:
    assert resolve("qwen2.5-0.5b") is BASE_MODELS["qwen2.5-0.5b"]


def test_a_folder_named_like_a_registry_key_does_not_hide_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_model(tmp_path / "pocket")
    monkeypatch.chdir(tmp_path)
    assert resolve("pocket") is BASE_MODELS["pocket"]
    assert resolve("./pocket").hf_id == str(tmp_path / "pocket")


@pytest.mark.parametrize("spelling", ["./model", "model", "absolute", "path", "~/model"])
def test_a_local_folder_states_its_own_facts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spelling: str
) -> None:
    folder = write_model(tmp_path / "model")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    key = {"absolute": str(folder), "path": folder}.get(spelling, spelling)
    base = resolve(key)
    assert base.key == str(key)
    assert base.hf_id == str(folder)
    assert base.folder == folder
    assert base.params == 16 * 8 + 8 * 8
    assert base.context_length == CONFIG["max_position_embeddings"]
    assert base.architecture == "LlamaForCausalLM"
    assert not base.chat


def test_an_output_head_tied_to_the_embeddings_is_counted_once(tmp_path: Path) -> None:
    import numpy as np
    from safetensors.numpy import save_file

    folder = write_model(tmp_path / "model")
    table = np.zeros((16, 8), dtype=np.float32)
    save_file({"embed.weight": table, "lm_head.weight": table.copy()}, folder / "model.safetensors")
    assert resolve(folder).params == 16 * 8
    (folder / "config.json").write_text(json.dumps({**CONFIG, "tie_word_embeddings": False}))
    assert resolve(folder).params == 2 * 16 * 8


def test_a_chat_template_is_found_in_either_place(tmp_path: Path) -> None:
    own_file = write_model(tmp_path / "own")
    (own_file / "chat_template.jinja").write_text("{{ messages }}", encoding="utf-8")
    in_settings = write_model(tmp_path / "settings")
    (in_settings / "tokenizer_config.json").write_text('{"chat_template": "x"}', encoding="utf-8")
    assert resolve(own_file).chat
    assert resolve(in_settings).chat


def test_the_language_part_of_a_wider_model_is_what_counts(tmp_path: Path) -> None:
    text = {"num_hidden_layers": 5, "hidden_size": 24, "vocab_size": 9}
    config = {"model_type": "gemma3", "text_config": text, "vision_config": {"hidden_size": 99}}
    base = resolve(write_model(tmp_path / "model", config=config))
    assert (base.layers, base.hidden_size, base.vocab_size) == (5, 24, 9)
    assert base.modality == "vision-language"


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "model.safetensors"])
def test_a_folder_that_lacks_a_file_is_refused_by_its_name(tmp_path: Path, name: str) -> None:
    folder = write_model(tmp_path / "model")
    (folder / name).unlink()
    with pytest.raises(BaseModelError, match=f"has no {name}"):
        resolve(str(folder))


def test_pickled_weights_are_refused_with_the_reason(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "model")
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(BaseModelError) as caught:
        resolve(folder)
    assert "can run code" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("config.json", b"{"),
        ("config.json", b"[]"),
        ("model.safetensors", b"short"),
        ("model.safetensors", b"\xff" * 64),
        ("model.safetensors", b"\x02\0\0\0\0\0\0\0[]"),
        ("model.safetensors.index.json", b"{}"),
    ],
)
def test_a_damaged_file_is_named(tmp_path: Path, name: str, content: bytes) -> None:
    folder = write_model(tmp_path / "model")
    (folder / name).write_bytes(content)
    with pytest.raises(BaseModelError) as caught:
        resolve(folder)
    assert name in caught.value.message


def test_a_typing_mistake_gets_a_suggestion_and_the_list() -> None:
    with pytest.raises(BaseModelError) as caught:
        resolve("smollm2-135")
    assert "did you mean smollm2-135m?" in str(caught.value.hint)
    assert all(key in str(caught.value.hint) for key in BASE_MODELS)


@pytest.mark.parametrize("key", ["", "  ", "Qwen/Qwen2.5-0.5B-Instruct", "gpt-17", "hf:", "hf:one"])
def test_what_names_nothing_is_refused(key: str) -> None:
    with pytest.raises(BaseModelError) as caught:
        resolve(key)
    assert caught.value.hint


@pytest.mark.parametrize("key", ["./nowhere", "/nowhere/at/all", "~/nowhere"])
def test_a_folder_that_is_not_there_is_said_so(key: str) -> None:
    with pytest.raises(BaseModelError, match="there is no folder"):
        resolve(key)


@pytest.mark.parametrize("key", ["hf:../etc", "hf:a/b/c", "hf:org/na me", "hf:org/../x", "hf:-x/y"])
def test_a_hub_name_cannot_leave_the_cache(key: str) -> None:
    with pytest.raises(BaseModelError, match="is not a model of the Hugging Face hub"):
        resolve(key)


def test_a_known_model_by_its_hub_name_brings_its_facts(cache: Path) -> None:
    known = BASE_MODELS["qwen2.5-0.5b"]
    base = resolve("hf:qwen/qwen2.5-0.5b-instruct")
    assert base.key == "hf:qwen/qwen2.5-0.5b-instruct"
    assert (base.hf_id, base.params, base.revision) == (known.hf_id, known.params, known.revision)


def test_a_model_of_the_hub_is_described_by_its_files_once_they_are_here(cache: Path) -> None:
    assert resolve("hf:org/tiny").params == 0
    folder = cache_model(cache, "org/tiny")
    assert resolve("hf:org/tiny").params == 16 * 8 + 8 * 8
    unknown = resolve("hf:org/other")
    assert with_facts(unknown, folder).params == 16 * 8 + 8 * 8
    assert with_facts(unknown, folder).hf_id == "org/other"


def test_importing_and_resolving_loads_nothing_that_an_editor_would_wait_for() -> None:
    program = (
        "import sys\n"
        "from dlm.base_models import resolve; resolve('pocket')\n"
        "slow = {'torch', 'transformers', 'huggingface_hub', 'pydantic', 'numpy'}\n"
        "print(sorted(slow & {*sys.modules}))"
    )
    assert subprocess.check_output([sys.executable, "-c", program], text=True) == "[]\n"
