"""Which models can be written as GGUF, and what llama.cpp wants to know of each.

What a family's tensors are called there is known to the package `gguf`; how they are turned and
which facts stand beside them is known here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from dlm.errors import DlmError
from dlm.tensors import Array

if TYPE_CHECKING:
    from gguf import GGUFWriter


@dataclass(frozen=True, slots=True)
class Family:
    """A family of models; `name` is what llama.cpp calls it.

    `turned`: queries and keys are turned pair by pair. `offset`: what llama.cpp adds to the weights
    of a norm beforehand.
    """

    name: str
    turned: bool = False
    offset: float = 0.0


_FAMILIES: Final = {
    "LlamaForCausalLM": Family("llama", turned=True),
    "Qwen2ForCausalLM": Family("qwen2"),
    "Qwen3ForCausalLM": Family("qwen3"),
    "GemmaForCausalLM": Family("gemma", offset=1.0),
    "Gemma2ForCausalLM": Family("gemma2", offset=1.0),
    "Gemma3ForCausalLM": Family("gemma3", offset=1.0),
}


class Shaping:
    """How the tensors of one model are named and turned in a GGUF file."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        """Raises DlmError, naming it, for a model of another family or of an unknown build."""
        self.family = _family(config)
        self._config = config
        from gguf import MODEL_ARCH, get_tensor_name_map

        arch = MODEL_ARCH[self.family.name.upper()]
        self._names = get_tensor_name_map(arch, int(config["num_hidden_layers"]))

    def name(self, tensor: str) -> str | None:
        """What the file calls a tensor of transformers; None for one that it does not hold.

        DlmError for one that is not known.
        """
        if tensor == "lm_head.weight" and self._config.get("tie_word_embeddings"):
            return None
        found: str | None = self._names.get_name(tensor, try_suffixes=(".weight", ".bias"))
        if found is None:
            raise DlmError(
                f"GGUF files of {self.family.name} have no place for {tensor}",
                hint="--target merged exports a folder for transformers",
            )
        return found

    def turned(self, tensor: str, values: Array) -> Array:
        """The numbers of a tensor as the file holds them."""
        if self.family.turned and ".q_proj." in tensor:
            return _as_pairs(values, int(self._config["num_attention_heads"]))
        if self.family.turned and ".k_proj." in tensor:
            heads = self._config.get("num_key_value_heads") or self._config["num_attention_heads"]
            return _as_pairs(values, int(heads))
        if self.family.offset and tensor.endswith("norm.weight"):
            return values + self.family.offset
        return values

    def more_tensors(self) -> dict[str, Array]:
        """Tensors that the file holds and the model has not: how slowly each rotation turns."""
        found = _rope_parameters(self._config)
        if _rope(self._config) != "llama3":
            return {}
        return {"rope_freqs.weight": _slower(found, _rope_theta(self._config), self._head)}

    @property
    def _head(self) -> int:
        """The width of a head."""
        config = self._config
        return int(config.get("head_dim") or config["hidden_size"] // config["num_attention_heads"])

    def describe(self, writer: GGUFWriter) -> None:
        """Write the facts that llama.cpp builds the model from."""
        config = self._config
        heads = int(config["num_attention_heads"])
        head = self._head
        writer.add_vocab_size(int(config["vocab_size"]))
        writer.add_context_length(int(config["max_position_embeddings"]))
        writer.add_embedding_length(int(config["hidden_size"]))
        writer.add_block_count(int(config["num_hidden_layers"]))
        writer.add_feed_forward_length(int(config["intermediate_size"]))
        writer.add_head_count(heads)
        writer.add_head_count_kv(int(config.get("num_key_value_heads") or heads))
        writer.add_layer_norm_rms_eps(float(config["rms_norm_eps"]))
        writer.add_rope_freq_base(_rope_theta(config))
        writer.add_rope_dimension_count(head)
        writer.add_key_length(head)
        writer.add_value_length(head)
        if more := _MORE.get(self.family.name):
            more(writer, config)


def _family(config: Mapping[str, Any]) -> Family:
    named = config.get("architectures") or [config.get("model_type", "a model of no name")]
    family = _FAMILIES.get(str(named[0]))
    elsewhere = "--target merged exports a folder that llama.cpp's own converter reads"
    if family is None:
        known = ", ".join(one.removesuffix("ForCausalLM") for one in _FAMILIES)
        raise DlmError(
            f"{named[0]} cannot be written as GGUF; those that can are {known}", hint=elsewhere
        )
    for name, wanted in _EXPECTED.get(family.name, {}).items():
        if config.get(name, wanted) != wanted:
            raise DlmError(
                f"{named[0]} with {name} {config[name]!r} is not written as GGUF", hint=elsewhere
            )
    rope = _rope(config)
    if rope not in ("default", None) and (rope, family.name) != ("llama3", "llama"):
        raise DlmError(
            f"rotary positions of the kind {rope!r} are not written as GGUF", hint=elsewhere
        )
    scale, head = config.get("query_pre_attn_scalar"), config.get("head_dim")
    if family.offset and scale is not None and scale != head:
        raise DlmError(
            f"{named[0]} with query_pre_attn_scalar {scale} is not written as GGUF", hint=elsewhere
        )
    return family


_EXPECTED: Final[dict[str, dict[str, Any]]] = {
    "llama": {"hidden_act": "silu", "mlp_bias": False},
    "qwen2": {"hidden_act": "silu", "use_sliding_window": False},
    "qwen3": {"hidden_act": "silu", "attention_bias": False, "use_sliding_window": False},
    "gemma": {"attention_bias": False},
    "gemma2": {"attention_bias": False},
    "gemma3": {"attention_bias": False},
}


def _rope_parameters(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """The facts of the rotary positions, of layers that see everything where there are others."""
    found = config.get("rope_parameters") or config.get("rope_scaling") or {}
    inner = found.get("full_attention")
    return inner if isinstance(inner, dict) else found


def _rope(config: Mapping[str, Any]) -> str | None:
    found = _rope_parameters(config)
    kind = found.get("rope_type", found.get("type"))
    return None if kind is None else str(kind)


def _rope_theta(config: Mapping[str, Any]) -> float:
    theta = _rope_parameters(config).get("rope_theta", config.get("rope_theta"))
    return float(10_000.0 if theta is None else theta)


def _slower(found: Mapping[str, Any], theta: float, head: int) -> Array:
    """By what each pair of a head turns more slowly than it would, as in Llama 3.1: slow ones all
    the more, quick ones not at all, and those between by degrees."""
    import numpy as np

    turns = theta ** (np.arange(0, head, 2, dtype=np.float64) / head)
    rounds = float(found["original_max_position_embeddings"]) / (2 * math.pi * turns)
    low, high = float(found["low_freq_factor"]), float(found["high_freq_factor"])
    share = np.clip((rounds - low) / (high - low), 0.0, 1.0)
    return (1 / ((1 - share) / float(found["factor"]) + share)).astype(np.float32)


def _gemma2(writer: GGUFWriter, config: Mapping[str, Any]) -> None:
    writer.add_attn_logit_softcapping(float(config["attn_logit_softcapping"]))
    writer.add_final_logit_softcapping(float(config["final_logit_softcapping"]))
    writer.add_sliding_window(int(config["sliding_window"]))


def _gemma3(writer: GGUFWriter, config: Mapping[str, Any]) -> None:
    writer.add_sliding_window(int(config["sliding_window"]))


_MORE: Final[dict[str, Callable[[GGUFWriter, Mapping[str, Any]], None]]] = {
    "gemma2": _gemma2,
    "gemma3": _gemma3,
}


def _as_pairs(values: Array, heads: int) -> Array:
    """Rows of a query or key matrix as llama.cpp turns them.

    transformers keeps the two numbers of a rotation half a head apart, GGUF side by side.
    """
    halves = values.reshape(heads, 2, values.shape[0] // heads // 2, *values.shape[1:])
    return halves.swapaxes(1, 2).reshape(values.shape)
