"""The weights of a Llama base in float32, with a plain LoRA adapter, as PEFT saves it, merged in.

Knows the names in both folders, and nothing of what is computed with the weights.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dlm.base_models.folder import weight_files
from dlm.errors import BaseModelError
from dlm.tensors import Tensor, read_tensors

Array = npt.NDArray[np.float32]

_MOST_WEIGHTS = 150_000_000
_PROJECTIONS = (
    "self_attn.q_proj",
    "self_attn.k_proj",
    "self_attn.v_proj",
    "self_attn.o_proj",
    "mlp.gate_proj",
    "mlp.up_proj",
    "mlp.down_proj",
)
_NORMS = ("input_layernorm", "post_attention_layernorm")
_KEY = re.compile(r"base_model\.model\.(.+)\.lora_([AB])\.weight")
# Settings under which an adapter is more than W + scaling * B·A, or scales layers differently.
_BEYOND_PLAIN = (
    "alora_invocation_tokens",
    "alpha_pattern",
    "arrow_config",
    "fan_in_fan_out",
    "kasa_config",
    "layer_replication",
    "lora_bias",
    "megatron_config",
    "modules_to_save",
    "monteclora_config",
    "rank_pattern",
    "target_parameters",
    "trainable_token_indices",
    "use_bdlora",
    "use_dora",
    "use_qalora",
    "velora_config",
)
# Other ways to begin, such as PiSSA, change the base weights as well.
_BASE_KEPT = (True, False, "gaussian", "orthogonal")
_DTYPES: dict[str, np.dtype[Any]] = {
    "BF16": np.dtype("<u2"),
    "F16": np.dtype("<f2"),
    "F32": np.dtype("<f4"),
}


@dataclass(frozen=True, slots=True)
class Shape:
    """The numbers of a Llama model that its weights do not tell by themselves."""

    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    epsilon: float
    theta: float
    tied: bool
    context_length: int


@dataclass(frozen=True, slots=True)
class Layer:
    """One block; linear weights are (out, in), query-key-value and gate-up are stacked by rows."""

    attention_norm: Array
    query_key_value: Array
    output: Array
    mlp_norm: Array
    gate_up: Array
    down: Array


@dataclass(frozen=True, slots=True)
class Weights:
    """A whole model; `head` is the embedding itself where the two are tied."""

    embedding: Array
    layers: tuple[Layer, ...]
    norm: Array
    head: Array


def read_shape(folder: Path) -> Shape | None:
    """The shape of the model in `folder`; None when it is not a plain Llama."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    rope = {**(config.get("rope_scaling") or {}), **(config.get("rope_parameters") or {})}
    plain = (
        config.get("architectures") == ["LlamaForCausalLM"]
        and config.get("model_type") == "llama"
        and config.get("hidden_act", "silu") == "silu"
        and not config.get("attention_bias")
        and not config.get("mlp_bias")
        and config.get("quantization_config") is None
        and rope.get("rope_type", rope.get("type", "default")) == "default"
        and rope.get("partial_rotary_factor", config.get("partial_rotary_factor", 1.0)) == 1.0
    )
    if not plain:
        return None
    heads = config["num_attention_heads"]
    return Shape(
        layers=config["num_hidden_layers"],
        heads=heads,
        kv_heads=config.get("num_key_value_heads") or heads,
        head_dim=config.get("head_dim") or config["hidden_size"] // heads,
        epsilon=config.get("rms_norm_eps", 1e-6),
        theta=rope.get("rope_theta", config.get("rope_theta", 10000.0)),
        tied=config.get("tie_word_embeddings", False),
        context_length=config.get("max_position_embeddings", 2048),
    )


def can_read(folder: Path, adapter: Path | None) -> bool:
    """Whether base and adapter are of the kinds this engine computes; reads headers only."""
    try:
        shape = read_shape(folder)
        if shape is None:
            return False
        entries = _model_entries(folder)
        small = sum(e.size for e in entries.values()) <= _MOST_WEIGHTS
        whole = set(_names(shape)) <= entries.keys()
        known = all(e.dtype in _DTYPES for e in entries.values())
        return (
            small
            and whole
            and known
            and (adapter is None or _is_plain_lora(adapter, onto=_linear(shape)))
        )
    except (OSError, BaseModelError, ValueError, KeyError, TypeError, AttributeError):
        # What this engine cannot make sense of is for the other one to explain.
        return False


def read_weights(folder: Path, shape: Shape, adapter: Path | None) -> Weights:
    """All weights in float32; BaseModelError when the adapter was made for another base."""
    entries = _model_entries(folder)
    added = {} if adapter is None else _adapter_deltas(adapter)

    def tensor(name: str) -> Array:
        value = _read(entries[f"{name}.weight"])
        delta = added.get(name)
        if delta is None:
            return value
        if delta.shape != value.shape:
            raise BaseModelError(
                f"the adapter in {adapter} does not fit this base model",
                hint="use the base model that the adapter was trained on, or train again",
            )
        value += delta
        return value

    def stacked(prefix: str, *names: str) -> Array:
        return np.concatenate([tensor(f"{prefix}.{name}") for name in names])

    layers = []
    for prefix in (f"model.layers.{number}" for number in range(shape.layers)):
        layers.append(
            Layer(
                attention_norm=tensor(f"{prefix}.input_layernorm"),
                query_key_value=stacked(f"{prefix}.self_attn", "q_proj", "k_proj", "v_proj"),
                output=tensor(f"{prefix}.self_attn.o_proj"),
                mlp_norm=tensor(f"{prefix}.post_attention_layernorm"),
                gate_up=stacked(f"{prefix}.mlp", "gate_proj", "up_proj"),
                down=tensor(f"{prefix}.mlp.down_proj"),
            )
        )
    embedding = tensor("model.embed_tokens")
    head = embedding if shape.tied else tensor("lm_head")
    return Weights(embedding, tuple(layers), tensor("model.norm"), head)


def _names(shape: Shape) -> Iterator[str]:
    """The tensors a plain Llama of this shape consists of."""
    yield from ("model.embed_tokens.weight", "model.norm.weight")
    if not shape.tied:
        yield "lm_head.weight"
    yield from (f"{name}.weight" for name in _linear(shape))
    for number in range(shape.layers):
        yield from (f"model.layers.{number}.{name}.weight" for name in _NORMS)


def _linear(shape: Shape) -> set[str]:
    """The linear layers inside the blocks: what an adapter may change."""
    numbers = range(shape.layers)
    return {f"model.layers.{number}.{name}" for number in numbers for name in _PROJECTIONS}


def _model_entries(folder: Path) -> dict[str, Tensor]:
    found: dict[str, Tensor] = {}
    for name in weight_files(folder):
        found |= read_tensors(folder / name)
    return found


def _is_plain_lora(adapter: Path, *, onto: Collection[str]) -> bool:
    """Whether the adapter is plain LoRA on some of the named linear layers; reads headers only."""
    config = _adapter_config(adapter)
    entries = read_tensors(adapter / "adapter_model.safetensors")
    matches = [_KEY.fullmatch(key) for key in entries]
    return (
        config.get("peft_type") == "LORA"
        and config.get("bias", "none") == "none"
        and config.get("init_lora_weights", True) in _BASE_KEPT
        and not any(config.get(key) for key in _BEYOND_PLAIN)
        and all(match is not None and match[1] in onto for match in matches)
        and all(entry.dtype in _DTYPES for entry in entries.values())
    )


def _adapter_deltas(adapter: Path) -> dict[str, Array]:
    """What the adapter adds to each linear weight, by layer: its scaling times B·A, (out, in)."""
    config = _adapter_config(adapter)
    rank = config["r"]
    scaling = config["lora_alpha"] / (math.sqrt(rank) if config.get("use_rslora") else rank)
    entries = read_tensors(adapter / "adapter_model.safetensors")
    deltas: dict[str, Array] = {}
    for key, entry in entries.items():
        match = _KEY.fullmatch(key)
        if match is not None and match[2] == "A":
            up = _read(entries[key.replace(".lora_A.", ".lora_B.")])
            deltas[match[1]] = np.float32(scaling) * (up @ _read(entry))
    return deltas


def _adapter_config(adapter: Path) -> dict[str, Any]:
    text = (adapter / "adapter_config.json").read_text(encoding="utf-8")
    config: dict[str, Any] = json.loads(text)
    return config


def _read(entry: Tensor) -> Array:
    """One tensor in float32, exactly as it was saved; BaseModelError when the file is cut short."""
    with entry.path.open("rb") as file:
        file.seek(entry.start)
        data = file.read(entry.end - entry.start)
    if len(data) != math.prod(entry.shape) * _DTYPES[entry.dtype].itemsize:
        raise BaseModelError(
            f"{entry.path} is damaged: it ends before its weights do",
            hint="delete it and fetch it again, or go back to another adapter version",
        )
    raw = np.frombuffer(data, dtype=_DTYPES[entry.dtype])
    if entry.dtype == "BF16":
        # A bfloat16 is the upper half of a float32.
        values = (raw.astype(np.uint32) << 16).view(np.float32)
    else:
        values = raw.astype(np.float32)
    return values.reshape(entry.shape)
