"""A trained model as a Hugging Face folder: Llama, tied embeddings, bfloat16, small shards."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import torch
from safetensors.torch import save_file
from torch import Tensor

from dlm.errors import DlmError
from recipe.chat_format import END_OF_TEXT, IM_END, PAD
from recipe.command import write_json
from recipe.llama import EPSILON, ROPE_BASE, Shape

SHARD_BYTES: Final = 15_000_000  # some places that keep files take 16 MB at most
TOKENIZER_FILES: Final = ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja")


def export(weights: Mapping[str, Tensor], shape: Shape, tokenizer: Path, folder: Path) -> None:
    """Write `folder` anew; the model that stood there stays until the new one is whole."""
    new, old = folder.with_name(folder.name + ".new"), folder.with_name(folder.name + ".old")
    shutil.rmtree(new, ignore_errors=True)
    shutil.rmtree(old, ignore_errors=True)
    new.mkdir(parents=True)
    _write_weights({name: _small(weight) for name, weight in weights.items()}, new)
    write_json(new / "config.json", _config(shape))
    write_json(new / "generation_config.json", _generation())
    for name in TOKENIZER_FILES:
        shutil.copy(tokenizer / name, new)
    if folder.exists():
        folder.replace(old)
    new.replace(folder)
    shutil.rmtree(old, ignore_errors=True)


def check_tokenizer(tokenizer: Path, shape: Shape) -> None:
    """Raise DlmError unless the folder holds a tokenizer that the model has entries for."""
    missing = [name for name in TOKENIZER_FILES if not (tokenizer / name).is_file()]
    if missing:
        raise DlmError(f"{tokenizer} has no {missing[0]}", hint="tokenizer.py writes it")
    model = json.loads((tokenizer / "tokenizer.json").read_bytes())["model"]
    entries = len(model["vocab"])
    if entries > shape.vocabulary:
        raise DlmError(
            f"the tokenizer has {entries} entries and the model only {shape.vocabulary}",
            hint=f"make it with --vocab {shape.vocabulary}, or train another --config",
        )


def _small(weight: Tensor) -> Tensor:
    return weight.detach().to("cpu", torch.bfloat16).contiguous()


def _write_weights(weights: Mapping[str, Tensor], folder: Path) -> None:
    """One file where that is small enough, else several and the index that names them."""
    parts: list[dict[str, Tensor]] = [{}]
    room = SHARD_BYTES
    for name, weight in weights.items():
        if parts[-1] and weight.nbytes > room:
            parts.append({})
            room = SHARD_BYTES
        parts[-1][name] = weight
        room -= weight.nbytes
    if len(parts) == 1:
        save_file(parts[0], folder / "model.safetensors", metadata={"format": "pt"})
        return
    names = [f"model-{n:05}-of-{len(parts):05}.safetensors" for n in range(1, len(parts) + 1)]
    for name, part in zip(names, parts, strict=True):
        save_file(part, folder / name, metadata={"format": "pt"})
    places = {key: name for name, part in zip(names, parts, strict=True) for key in part}
    size = sum(weight.nbytes for weight in weights.values())
    index = {"metadata": {"total_size": size}, "weight_map": places}
    write_json(folder / "model.safetensors.index.json", index)


def _config(shape: Shape) -> dict[str, object]:
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": shape.vocabulary,
        "hidden_size": shape.hidden,
        "intermediate_size": shape.mlp,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.heads,
        "head_dim": shape.head_width,
        "hidden_act": "silu",
        "max_position_embeddings": shape.context,
        "rms_norm_eps": EPSILON,
        "rope_theta": ROPE_BASE,
        "rope_parameters": {"rope_theta": ROPE_BASE, "rope_type": "default"},
        "attention_bias": False,
        "mlp_bias": False,
        "tie_word_embeddings": True,
        "initializer_range": 0.02,
        "use_cache": True,
        "bos_token_id": None,
        "eos_token_id": IM_END,
        "pad_token_id": PAD,
        "dtype": "bfloat16",
        "torch_dtype": "bfloat16",
    }


def _generation() -> dict[str, object]:
    return {
        "eos_token_id": [IM_END, END_OF_TEXT],
        "pad_token_id": PAD,
        "do_sample": False,
        "max_new_tokens": 256,
    }
