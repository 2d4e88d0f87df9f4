"""How much memory a training or an answer takes, estimated from the sizes of the base.

Arithmetic over plain values; `benchmarks/memory.py` compares it with what is measured.
"""

from __future__ import annotations

from typing import Final, Literal

from dlm.base_models import BaseModel

Device = Literal["cpu", "cuda", "mps"]
Dtype = Literal["float32", "bfloat16", "float16"]

GB: Final = 1e9
BYTES: Final[dict[Dtype, int]] = {"float32": 4, "bfloat16": 2, "float16": 2}
# Libraries and kernels; copies of the logits that are held at once; and how much activations take
# of memory for what is kept of them. Measured on CPU, where C's allocator leaves as much again
# unused between them, in which logits find some room; torch's own on a GPU does not.
_RUNTIME_GB: Final = {"cpu": 1.1, "cuda": 1.0, "mps": 1.1}
_ALL_COPIES: Final = 4.0  # the logits, their softmax, and the gradients of both
_LOGIT_COPIES: Final = {"cpu": 2.3, "cuda": _ALL_COPIES, "mps": _ALL_COPIES}
_SPREAD: Final = {"cpu": 2.2, "cuda": 1.2, "mps": 1.2}
# Bytes a weight of a linear layer takes in 4 or 8 bits, with the constants that scale it: NF4 with
# double quantisation (Dettmers et al. 2023, "QLoRA"), LLM.int8 (Dettmers et al. 2022).
_QUANTISED: Final = {"4bit": 0.52, "8bit": 1.01}
# Norms of the hidden size beyond the usual two of a block, and models that norm queries and keys.
_MORE_NORMS: Final = {"Gemma2ForCausalLM": 2, "Gemma3ForCausalLM": 2}
_NORM_QUERIES: Final = ("Qwen3ForCausalLM", "Olmo2ForCausalLM", "Gemma3ForCausalLM")
_EAGER: Final = ("Gemma2ForCausalLM",)  # whose attention keeps all its scores
_ANSWER_TOKENS: Final = 4096  # what an answer may need in the key-value cache


def training_gb(
    base: BaseModel,
    device: Device,
    dtype: Dtype,
    rows: int,
    length: int,
    lora_rank: int,
    checkpointing: bool,
) -> float:
    """Estimated peak of one step over `rows` rows of `length` tokens, in gigabytes.

    0 when the base is unknown.
    """
    if not base.params:
        return 0.0
    block = _kept_in_a_block(base, dtype, length)
    if checkpointing:  # the inputs of all blocks, and all of the one that is gone through again
        kept = base.layers * base.hidden_size * BYTES[dtype] + block
    else:
        kept = base.layers * block
    # Each value of the adapter comes with its gradient and two moments, four bytes each.
    adapter = 16 * lora_rank * base.layers * _lora_span(base)
    copies = _ALL_COPIES if checkpointing else _LOGIT_COPIES[device]
    logits = base.vocab_size * copies * 4
    need = _weights(base, dtype) + adapter + rows * length * (kept * _SPREAD[device] + logits)
    return _RUNTIME_GB[device] + need / GB


def answering_gb(base: BaseModel, device: Device, dtype: Dtype) -> float:
    """Estimated memory for answering, in gigabytes; 0 when the base is unknown."""
    if not base.params:
        return 0.0
    tokens = min(base.context_length, _ANSWER_TOKENS)
    cache = tokens * base.layers * 2 * _key_width(base) * BYTES[dtype]
    return _RUNTIME_GB[device] + (_weights(base, dtype) + cache) / GB


def weights_gb(base: BaseModel, dtype: Dtype) -> float:
    """Gigabytes of the weights alone."""
    return _weights(base, dtype) / GB


def _weights(base: BaseModel, dtype: Dtype) -> float:
    """Bytes of the weights; where they are quantised, embeddings and output head are not."""
    if base.quantization is None:
        return base.params * BYTES[dtype]
    linear = min(base.params, base.layers * _linear_weights(base))
    return linear * _QUANTISED[base.quantization] + (base.params - linear) * BYTES[dtype]


def _kept_in_a_block(base: BaseModel, dtype: Dtype, length: int) -> float:
    """Bytes that one block keeps of one token for the way back, counted as autograd saves them.

    Two norms keep what comes in and what goes out; attention its queries, keys, values and outcome;
    the feed-forward part both its inner values, the activation and the product. In half precision
    norms, and every layer of the adapter, keep what comes in as float32.
    """
    hidden, inner = base.hidden_size, _inner(base)
    queries, keys = _query_width(base), _key_width(base)
    normed = _MORE_NORMS.get(base.architecture, 0) * hidden
    if base.architecture in _NORM_QUERIES:
        normed += queries + keys
    if dtype == "float32":
        kept = 4 * (4 * hidden + 2 * queries + 2 * keys + 4 * inner + normed)
    else:
        kept = 28 * hidden + 8 * queries + 4 * keys + 10 * inner + 4 * normed
    if base.architecture in _EAGER:  # every token with every other
        kept += 8 * length * (base.heads or queries // 64)
    return kept


def _lora_span(base: BaseModel) -> int:
    """Input plus output widths of all linear layers of a block."""
    hidden, queries, keys = base.hidden_size, _query_width(base), _key_width(base)
    return 2 * (hidden + queries) + 2 * (hidden + keys) + 3 * (hidden + _inner(base))


def _linear_weights(base: BaseModel) -> int:
    """Weights in the linear layers of a block."""
    return base.hidden_size * (2 * _query_width(base) + 2 * _key_width(base) + 3 * _inner(base))


def _inner(base: BaseModel) -> int:
    return base.inner_size or 4 * base.hidden_size


def _query_width(base: BaseModel) -> int:
    return base.heads * base.head_size or base.hidden_size


def _key_width(base: BaseModel) -> int:
    return base.kv_heads * base.head_size or base.hidden_size
