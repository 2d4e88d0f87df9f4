"""A model that cannot be trained is refused by name, with what to take, before it is loaded."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hub_kit import CONFIG, hub, locate_online, write_model

from dlm.base_models import BASE_MODELS, resolve
from dlm.base_models.locate import local_folder
from dlm.base_models.suited import check_suited
from dlm.data.chat import Codec
from dlm.errors import BaseModelError


def written(name: str, architecture: str, **more: Any) -> dict[str, Any]:
    """The config.json that transformers writes for a model of this kind."""
    import transformers

    config = getattr(transformers, f"{name}Config")(**more)
    config.architectures = [architecture]
    return dict(json.loads(config.to_json_string()))


REFUSED: dict[str, tuple[Callable[[], dict[str, Any]], str, str]] = {
    "t5": (
        lambda: written("T5", "T5ForConditionalGeneration"),
        r"^my-model is an encoder and a decoder \(T5ForConditionalGeneration\)",
        "base_model: smollm2-135m",
    ),
    "bart": (
        lambda: written("Bart", "BartForConditionalGeneration"),
        r"is an encoder and a decoder \(BartFor",
        "`dlm base list`",
    ),
    "whisper": (
        lambda: written("Whisper", "WhisperForConditionalGeneration"),
        r"is an encoder and a decoder \(WhisperFor",
        "`dlm base list`",
    ),
    "vit": (
        lambda: written("ViT", "ViTForImageClassification"),
        r"does not write text: it is a ViTForImageClassification",
        "name one that writes text",
    ),
    "clip": (
        lambda: written("CLIP", "CLIPModel"),
        "does not write text: it is a CLIPModel",
        "name one that writes text",
    ),
    "bert": (
        lambda: written("Bert", "BertForMaskedLM"),
        "does not write text: it is a BertForMaskedLM",
        "name one that writes text",
    ),
    "gemma-3 with images": (
        lambda: written("Gemma3", "Gemma3ForConditionalGeneration"),
        r"reads more than text \(Gemma3ForConditionalGeneration\)",
        "base_model: gemma-3-270m",
    ),
    "qwen-vl": (
        lambda: written("Qwen2_5_VL", "Qwen2_5_VLForConditionalGeneration"),
        r"reads more than text \(Qwen2_5_VLFor",
        "base_model: qwen2.5-0.5b",
    ),
    "gptq": (
        lambda: {**CONFIG, "quantization_config": {"quant_method": "gptq", "bits": 4}},
        r"the weights of my-model are quantised already \(gptq\)",
        "training.quantization: 4bit",
    ),
    "its own code": (
        lambda: {
            **CONFIG,
            "model_type": "chatglm",
            "architectures": ["ChatGLMForCausalLM"],
            "auto_map": {"AutoModelForCausalLM": "modeling_chatglm.ChatGLM"},
        },
        "no code for my-model, a ChatGLMForCausalLM of type 'chatglm'",
        "pip install -U transformers",
    ),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_cannot_be_trained_is_refused_by_name_with_what_to_take(kind: str) -> None:
    config, sentence, advice = REFUSED[kind]
    with pytest.raises(BaseModelError, match=sentence) as caught:
        check_suited("my-model", config())
    assert advice in str(caught.value.hint)


def test_every_model_of_the_registry_is_one_that_can_be_trained() -> None:
    types = {"Gemma3": "gemma3_text"}
    for base in BASE_MODELS.values():
        name = base.architecture.removesuffix("ForCausalLM")
        config = written(f"{name}Text" if name in types else name, base.architecture)
        check_suited(base.key, config)


def test_a_config_that_names_no_class_goes_by_its_type() -> None:
    check_suited("m", {key: value for key, value in CONFIG.items() if key != "architectures"})


@pytest.mark.parametrize("command", ["train", "doctor", "init --base ./t5"])
def test_a_command_ends_with_the_sentence_before_anything_heavy(
    command: str, tmp_path: Path
) -> None:
    write_model(tmp_path / "t5", config=written("T5", "T5ForConditionalGeneration"))
    (tmp_path / "notes.dlm").write_text(
        "---\ndlm_id: 01J9ZQ6W3N8R2T4V6X8Y0A1B2C\nbase_model: ./t5\n---\n"
        "::instruction::\n### Q\nWhy?\n### A\nBecause.\n::\n",
        encoding="utf-8",
    )
    words = [*command.split(), "new.dlm" if command.startswith("init") else "notes.dlm"]
    probe = (
        "import sys, atexit; from dlm.cli.app import main; "
        f"sys.argv = ['dlm', *{words}]; "
        "atexit.register(lambda: print('torch' in sys.modules, 'transformers' in sys.modules)); "
        "main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", probe], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "./t5 is an encoder and a decoder (T5ForConditionalGeneration)" in done.stderr
    assert "hint: name one that writes text" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout.strip().endswith("False False")


def test_a_model_of_images_without_a_tokenizer_is_told_what_it_is(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "vit", config=written("ViT", "ViTForImageClassification"))
    (folder / "tokenizer.json").unlink()
    with pytest.raises(BaseModelError, match="does not write text: it is a ViT"):
        resolve(folder)


def test_a_classifier_is_a_base_for_nothing_but_rewards(tmp_path: Path) -> None:
    config = {**CONFIG, "architectures": ["LlamaForSequenceClassification"]}
    base = resolve(write_model(tmp_path / "model", config=config))
    assert local_folder(base, writes=False) == base.folder
    with pytest.raises(BaseModelError, match="does not write text"):
        local_folder(base)


def test_the_weights_of_what_cannot_be_trained_are_not_fetched(tmp_path: Path) -> None:
    source = write_model(tmp_path / "source", config={**CONFIG, "is_encoder_decoder": True})
    with hub(source) as endpoint:
        folder, message, _ = locate_online("hf:org/tiny", tmp_path / "cache", endpoint)
    assert not folder
    assert "is an encoder and a decoder" in message
    fetched = {one.name for one in (tmp_path / "cache").rglob("*") if one.is_file()}
    assert "config.json" in fetched
    assert "model.safetensors" not in fetched


def test_without_a_template_and_an_end_there_is_no_way_to_converse(tmp_path: Path) -> None:
    from tokenizers import Tokenizer, models

    write_model(tmp_path)
    Tokenizer(models.WordLevel({"a": 0}, unk_token="a")).save(str(tmp_path / "tokenizer.json"))
    with pytest.raises(BaseModelError, match="no chat template, and its tokenizer no token") as one:
        Codec.load(tmp_path)
    assert "eos_token" in str(one.value.hint)
    (tmp_path / "tokenizer_config.json").write_text('{"eos_token": "a"}', encoding="utf-8")
    assert not Codec.load(tmp_path).has_template
