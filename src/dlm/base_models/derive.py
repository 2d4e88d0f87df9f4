"""A Llama in a GGUF file as transformers keeps it: bfloat16 weights, config and tokenizer.

The same file and adapter give the same bytes. Of tokenizers, only the kind that SmolLM has.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from dlm.errors import BaseModelError
from dlm.tensors import Array, Lora, write_tensors

if TYPE_CHECKING:
    from dlm.base_models.gguf import GgufFile

_CONTROL: Final = 3  # what GGUF calls a token that steers the model
_OUTSIDE: Final = {
    "token_embd": "model.embed_tokens",
    "output_norm": "model.norm",
    "output": "lm_head",
}
_INSIDE: Final = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}


def write_model(source: Path, folder: Path, adapter: Path | None) -> None:
    """Write the model in a GGUF file into `folder`, with a LoRA adapter merged in if one is given.

    OSError where the disk refuses; BaseModelError for a file that cannot be read.
    """
    from dlm.base_models.gguf import GgufFile

    try:
        file = GgufFile(source)
        config = _config(file)
        tokenizer = _tokenizer(file)
        names = {_name(source): source for source in file.shapes}
    except (ValueError, KeyError) as error:
        raise BaseModelError(
            f"{source} is not a model that can be read: {error}",
            hint="install it again, or name another base_model",
        ) from error
    lora = Lora(adapter) if adapter else None
    write_tensors(
        folder / "model.safetensors",
        {name: file.shapes[source] for name, source in names.items()},
        "BF16",
        lambda name: _bfloat16(_values(file, name, names[name], config, lora)),
    )
    _write_json(folder / "config.json", config | _ends(file))
    _write_json(folder / "generation_config.json", _ends(file))
    _write_json(folder / "tokenizer.json", tokenizer)
    _write_json(folder / "tokenizer_config.json", _settings(file, config))
    template = file.facts["tokenizer.chat_template"]
    (folder / "chat_template.jinja").write_text(template, encoding="utf-8", newline="")


def _config(file: GgufFile) -> dict[str, Any]:
    facts = file.facts
    if facts.get("general.architecture") != "llama":
        raise ValueError(f"its architecture is {facts.get('general.architecture')}, not llama")
    hidden, heads = facts["llama.embedding_length"], facts["llama.attention.head_count"]
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "dtype": "bfloat16",
        "attention_bias": False,
        "mlp_bias": False,
        "hidden_act": "silu",
        "hidden_size": hidden,
        "head_dim": hidden // heads,
        "intermediate_size": facts["llama.feed_forward_length"],
        "max_position_embeddings": facts["llama.context_length"],
        "num_attention_heads": heads,
        "num_hidden_layers": facts["llama.block_count"],
        "num_key_value_heads": facts.get("llama.attention.head_count_kv", heads),
        # The file has it in single precision: 9.999999747e-06 for 1e-05.
        "rms_norm_eps": float(f"{facts['llama.attention.layer_norm_rms_epsilon']:.6g}"),
        "rope_theta": facts.get("llama.rope.freq_base", 10_000.0),
        "tie_word_embeddings": "output.weight" not in file.shapes,
        "vocab_size": file.shapes["token_embd.weight"][0],
    }


def _tokenizer(file: GgufFile) -> dict[str, Any]:
    """The tokenizer as `tokenizers` reads it: digits one by one, then byte-level BPE."""
    facts = file.facts
    kind = (facts["tokenizer.ggml.model"], facts["tokenizer.ggml.pre"])
    if kind != ("gpt2", "smollm"):
        raise ValueError(f"its tokenizer is of the kind {'/'.join(kind)}")
    tokens: list[str] = facts["tokenizer.ggml.tokens"]
    types: list[int] = facts["tokenizer.ggml.token_type"]
    bytes_ = {"type": "ByteLevel", "trim_offsets": True, "use_regex": True}
    plain = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            {"id": number, "content": token, **plain, "special": True}
            for number, (token, type_) in enumerate(zip(tokens, types, strict=True))
            if type_ == _CONTROL
        ],
        "normalizer": None,
        "pre_tokenizer": {
            "type": "Sequence",
            "pretokenizers": [
                {"type": "Digits", "individual_digits": True},
                {**bytes_, "add_prefix_space": False},
            ],
        },
        "post_processor": None,
        "decoder": {**bytes_, "add_prefix_space": True},
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": False,
            "vocab": {token: number for number, token in enumerate(tokens)},
            "merges": [merge.split(" ") for merge in facts["tokenizer.ggml.merges"]],
        },
    }


def _settings(file: GgufFile, config: dict[str, Any]) -> dict[str, Any]:
    tokens = file.facts["tokenizer.ggml.tokens"]
    special = {f"{name}_token": tokens[number] for name, number in _special_ids(file).items()}
    return {
        **special,
        "add_prefix_space": False,
        "clean_up_tokenization_spaces": False,
        "model_max_length": config["max_position_embeddings"],
        "tokenizer_class": "PreTrainedTokenizerFast",
    }


def _ends(file: GgufFile) -> dict[str, int]:
    """What the config says of the tokens around a text."""
    numbers = _special_ids(file).items()
    return {f"{name}_token_id": number for name, number in numbers if name != "unk"}


def _special_ids(file: GgufFile) -> dict[str, int]:
    names = {"bos": "bos", "eos": "eos", "unk": "unknown", "pad": "padding"}
    keys = {name: f"tokenizer.ggml.{long}_token_id" for name, long in names.items()}
    return {name: file.facts[key] for name, key in keys.items() if key in file.facts}


def _values(
    file: GgufFile, name: str, source: str, config: dict[str, Any], lora: Lora | None
) -> Array:
    """One tensor as transformers has it, with what the adapter adds to it."""
    values = file.tensor(source)
    if name.endswith("q_proj.weight"):
        values = _as_halves(values, config["num_attention_heads"])
    elif name.endswith("k_proj.weight"):
        values = _as_halves(values, config["num_key_value_heads"])
    delta = lora.delta(name.removesuffix(".weight")) if lora else None
    return values if delta is None else values + delta


def _name(source: str) -> str:
    block = re.fullmatch(r"blk\.(\d+)\.(\w+)\.weight", source)
    if block:
        return f"model.layers.{block[1]}.{_INSIDE[block[2]]}.weight"
    return f"{_OUTSIDE[source.removesuffix('.weight')]}.weight"


def _as_halves(values: Array, heads: int) -> Array:
    """Rows of a query or key matrix (out, in), as transformers turns them.

    GGUF keeps the two numbers of a rotation side by side, transformers half a head apart.
    """
    out, width = values.shape
    pairs = values.reshape(heads, out // heads // 2, 2, width)
    return pairs.swapaxes(1, 2).reshape(out, width)


def _bfloat16(values: Array) -> bytes:
    """The numbers in bfloat16, rounded to the nearest, half to even."""
    import numpy as np

    bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
    return ((bits + 0x7FFF + (bits >> 16 & 1)) >> 16).astype("<u2").tobytes()


def _write_json(path: Path, value: dict[str, Any]) -> None:
    text = json.dumps(value, indent=2, ensure_ascii=False)
    path.write_text(f"{text}\n", encoding="utf-8", newline="")
