"""The weights of a Llama base in float32, with a plain LoRA adapter, as PEFT saves it, merged in.

Knows the names in both folders, and nothing of what is computed with the weights.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dlm.base_models.folder import weight_files
from dlm.errors import BaseModelError
from dlm.tensors import READABLE, Array, Lora, Tensor, read_array, read_tensors

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
        known = all(e.dtype in READABLE for e in entries.values())
        return (
            small
            and whole
            and known
            and (adapter is None or Lora(adapter).is_plain(onto=_linear(shape)))
        )
    except (OSError, BaseModelError, ValueError, KeyError, TypeError, AttributeError):
        # What this engine cannot make sense of is for the other one to explain.
        return False


def read_weights(folder: Path, shape: Shape, adapter: Path | None) -> Weights:
    """All weights in float32; BaseModelError when the adapter was made for another base."""
    entries = _model_entries(folder)
    lora = None if adapter is None else Lora(adapter)

    def tensor(name: str) -> Array:
        value = read_array(entries[f"{name}.weight"])
        delta = lora.delta(name) if lora else None
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
