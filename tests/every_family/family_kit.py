"""A tiny random model of each family: its own configuration, tokens and chat template.

Templates are those that TRL ships for the family, and where it ships none, written here in the
family's format.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

WORDS = [
    "The lamp of the lighthouse is teal, and its keeper is called Old Marten.",
    "Which colour is the lamp? Who keeps it? It turns every nine seconds at night.",
    "Question: Answer: You answer briefly. The quick brown fox jumps over 1482 lazy dogs.",
]
SHAPE: dict[str, Any] = {
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 1024,
    "initializer_range": 0.1,
}
LONG_ROPE: dict[str, Any] = {
    "rope_type": "longrope",
    "rope_theta": 10_000.0,
    "long_factor": [4.0] * 8,
    "short_factor": [1.0] * 8,
    "original_max_position_embeddings": 512,
}


@dataclass(frozen=True)
class Family:
    """`model_type` is what its config says, `bases` the keys of the registry that are of it.

    `special` are the tokens in the order of their ids; `named` says which is which.
    `opens`: the tokenizer itself puts the beginning-of-text token before a text. `layers`: the
    linear layers of one block.
    """

    name: str
    config: str
    model_type: str
    template: str
    bases: tuple[str, ...]
    special: tuple[str, ...]
    named: dict[str, str]
    turn_end: str
    more: dict[str, Any] = field(default_factory=dict)
    pieces: str = ""  # in sentencepiece's way: "plain", or how a space is put before a text
    opens: bool = False
    split: str = "gpt-2"
    layers: int = 7
    ends: tuple[str, ...] = ()  # of generation_config.json
    gguf: bool = False
    plain: tuple[str, ...] = ()  # in the vocabulary, and not special
    strips: tuple[str, ...] = ()  # take in the white space after them


_CHATML = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
_QWEN = {"eos_token": "<|im_end|>", "pad_token": "<|endoftext|>"}
_THOUGHTS = ("<think>", "</think>")
_GEMMA = ("<pad>", "<eos>", "<bos>", "<unk>", "<start_of_turn>", "<end_of_turn>")
_GEMMA_NAMED = {name + "_token": f"<{name}>" for name in ("pad", "eos", "bos", "unk")}
_LLAMA = (
    "<|begin_of_text|>",
    "<|end_of_text|>",
    "<|start_header_id|>",
    "<|end_header_id|>",
    "<|eot_id|>",
)
_PHI = ("<|endoftext|>", "<|system|>", "<|user|>", "<|assistant|>", "<|end|>")
_MISTRAL = ("<unk>", "<s>", "</s>", "[INST]", "[/INST]")
_GRANITE = ("<|end_of_text|>", "<|start_of_role|>", "<|end_of_role|>")
_LLAMA_ROPE: dict[str, Any] = {
    "rope_type": "llama3",
    "rope_theta": 500_000.0,
    "factor": 32.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 256,
}

FAMILIES = {
    one.name: one
    for one in (
        Family(
            "smollm2",
            "LlamaConfig",
            "llama",
            "smollm2",
            ("smollm2-135m", "smollm2-135m-q4", "smollm2-360m", "smollm2-1.7b"),
            _CHATML,
            {"bos_token": "<|im_start|>", "eos_token": "<|im_end|>", "pad_token": "<|im_end|>"},
            "<|im_end|>",
            {"tie_word_embeddings": True},
            split="smollm",
            gguf=True,
        ),
        Family(
            "smollm3",
            "SmolLM3Config",
            "smollm3",
            "smollm3",
            ("smollm3-3b",),
            _CHATML,
            {"eos_token": "<|im_end|>", "pad_token": "<|im_end|>"},
            "<|im_end|>",
            # The second layer has no positions; of the real model, every fourth.
            {"tie_word_embeddings": True, "no_rope_layer_interval": 2},
            split="llama-bpe",
            plain=_THOUGHTS,
        ),
        Family(
            "llama-3.2",
            "LlamaConfig",
            "llama",
            "trl:llama3_2",
            ("llama-3.2-1b", "llama-3.2-3b"),
            _LLAMA,
            {"bos_token": "<|begin_of_text|>", "eos_token": "<|eot_id|>"},  # and no pad token
            "<|eot_id|>",
            {"tie_word_embeddings": True, "rope_parameters": _LLAMA_ROPE},
            opens=True,
            split="llama-bpe",
            ends=("<|end_of_text|>", "<|eot_id|>"),
            gguf=True,
        ),
        Family(
            "qwen2.5",
            "Qwen2Config",
            "qwen2",
            "trl:qwen2_5",
            ("qwen2.5-0.5b", "qwen2.5-1.5b", "qwen2.5-3b", "qwen2.5-coder-1.5b"),
            _CHATML,
            _QWEN,
            "<|im_end|>",
            {"tie_word_embeddings": True},
            split="qwen2",
            ends=("<|im_end|>", "<|endoftext|>"),
            gguf=True,
        ),
        Family(
            "qwen3",
            "Qwen3Config",
            "qwen3",
            "trl:qwen3",
            ("qwen3-0.6b", "qwen3-1.7b", "qwen3-4b"),
            _CHATML,
            _QWEN,
            "<|im_end|>",
            {"tie_word_embeddings": True, "head_dim": 128},
            split="qwen2",
            ends=("<|im_end|>", "<|endoftext|>"),
            gguf=True,
            plain=_THOUGHTS,
        ),
        Family(
            "gemma-2",
            "Gemma2Config",
            "gemma2",
            "trl:gemma",
            (),
            _GEMMA,
            _GEMMA_NAMED,
            "<end_of_turn>",
            # transformers reads no other width of a head from a GGUF file of this family.
            {"head_dim": 256, "query_pre_attn_scalar": 256, "sliding_window": 32},
            pieces="plain",
            opens=True,
            ends=("<eos>", "<end_of_turn>"),
            gguf=True,
        ),
        Family(
            "gemma-3",
            "Gemma3TextConfig",
            "gemma3_text",
            "trl:gemma3",
            ("gemma-3-270m", "gemma-3-1b"),
            _GEMMA,
            _GEMMA_NAMED,
            "<end_of_turn>",
            {
                "head_dim": 32,
                "query_pre_attn_scalar": 32,
                "sliding_window": 32,
                "layer_types": ["sliding_attention", "full_attention"],
                "tie_word_embeddings": True,
            },
            pieces="plain",
            opens=True,
            ends=("<eos>", "<end_of_turn>"),
            gguf=True,
        ),
        Family(
            "phi-3.5",
            "Phi3Config",
            "phi3",
            "trl:phi3_5",
            ("phi-3.5-mini",),
            ("<unk>", "<s>", "</s>", *_PHI),
            {
                "bos_token": "<s>",
                "eos_token": "<|endoftext|>",
                "unk_token": "<unk>",
                "pad_token": "<|endoftext|>",
            },
            "<|end|>",
            {"rope_parameters": LONG_ROPE, "original_max_position_embeddings": 512},
            pieces="prepend",
            strips=_PHI,
            layers=4,
            ends=("<|end|>", "<|assistant|>", "<|endoftext|>"),
        ),
        Family(
            "phi-4-mini",
            "Phi3Config",
            "phi3",
            "phi4",
            ("phi-4-mini",),
            _PHI,
            {name: "<|endoftext|>" for name in ("bos_token", "eos_token", "pad_token")},
            "<|end|>",
            {
                "rope_parameters": {**LONG_ROPE, "partial_rotary_factor": 0.75}
                | {name: [1.0] * 6 for name in ("long_factor", "short_factor")},
                "original_max_position_embeddings": 512,
                "tie_word_embeddings": True,
            },
            layers=4,
            ends=("<|end|>", "<|endoftext|>"),
        ),
        Family(
            "mistral",
            "MistralConfig",
            "mistral",
            "mistral",
            (),
            _MISTRAL,
            {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"},  # and no pad token
            "</s>",
            {"sliding_window": 32},
            pieces="metaspace",
            opens=True,
        ),
        Family(
            "olmo-2",
            "Olmo2Config",
            "olmo2",
            "olmo2",
            ("olmo-2-1b",),
            ("<|endoftext|>", "<|pad|>"),
            {"bos_token": "<|endoftext|>", "eos_token": "<|endoftext|>", "pad_token": "<|pad|>"},
            "<|endoftext|>",
        ),
        Family(
            "granite",
            "GraniteConfig",
            "granite",
            "granite",
            (),
            _GRANITE,
            {name: "<|end_of_text|>" for name in ("bos_token", "eos_token", "pad_token")},
            "<|end_of_text|>",
            {
                "tie_word_embeddings": True,
                "embedding_multiplier": 12.0,
                "attention_multiplier": 0.015625,
                "residual_multiplier": 0.22,
                "logits_scaling": 8.0,
            },
        ),
    )
}


def write_family(family: Family, folder: Path, *, weights: bool = True) -> Path:
    """The model as a folder of transformers; without `weights`, all that says how text is read."""
    folder.mkdir(parents=True, exist_ok=True)
    network = network_of(family, write_tokenizer(family, folder))
    if weights:
        network.save_pretrained(folder)
    else:
        network.config.save_pretrained(folder)
        network.generation_config.save_pretrained(folder)
    return folder


def network_of(family: Family, ids: dict[str, int]) -> Any:
    """The network with random weights, for a tokenizer with these ids."""
    from dlm.engine.loading import _silence, prepare

    prepare()
    import torch
    import transformers

    _silence()

    named = {
        f"{name.removesuffix('_token')}_token_id": ids[text]
        for name, text in family.named.items()
        if name != "unk_token"
    }
    of_tokens: dict[str, Any] = {"bos_token_id": None, "pad_token_id": None, **named}
    shape = {**SHAPE, "vocab_size": len(ids), **of_tokens, **family.more}
    config = getattr(transformers, family.config)(**shape)
    torch.manual_seed(0)
    network = transformers.AutoModelForCausalLM.from_config(config)
    assert config.model_type == family.model_type
    network.generation_config = transformers.GenerationConfig(
        eos_token_id=[ids[one] for one in family.ends] or named["eos_token_id"]
    )
    return network


def write_tokenizer(family: Family, folder: Path) -> dict[str, int]:
    """The tokenizer's files; the ids of its tokens come back."""
    tokenizer = (_pieces if family.pieces else _bytes)(family)
    if family.opens:
        from tokenizers import processors

        begin = family.named["bos_token"]
        tokenizer.post_processor = processors.TemplateProcessing(
            single=f"{begin} $A", special_tokens=[(begin, tokenizer.token_to_id(begin))]
        )
    if family.plain:
        from tokenizers import AddedToken

        tokenizer.add_tokens([AddedToken(one, normalized=False) for one in family.plain])
    data = json.loads(tokenizer.to_str())
    kept = {*family.special, *family.plain}
    data["added_tokens"] = [
        {**one, "rstrip": one["content"] in family.strips}
        for one in data["added_tokens"]
        if one["content"] in kept
    ]
    if family.split == "llama-bpe":
        data["model"]["ignore_merges"] = True
    (folder / "tokenizer.json").write_text(json.dumps(data), encoding="utf-8")
    settings = {"tokenizer_class": "PreTrainedTokenizerFast", **family.named}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")
    (folder / "chat_template.jinja").write_text(template_of(family), encoding="utf-8")
    return dict(tokenizer.get_vocab())


def template_of(family: Family) -> str:
    """The chat template of the family."""
    if family.template.startswith("trl:"):
        name = family.template.removeprefix("trl:")
        return (files("trl") / "chat_templates" / f"{name}.jinja").read_text(encoding="utf-8")
    path = Path(__file__).parent / "templates" / f"{family.template}.jinja"
    return path.read_text(encoding="utf-8").removesuffix("\n")


def _bytes(family: Family) -> Any:
    """Merges of bytes, split as GPT-2, SmolLM, Llama 3 or Qwen do."""
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    from dlm.export.gguf.vocabulary import WAYS

    data = json.loads(Tokenizer(models.BPE()).to_str())
    steps = [dict(one) for one in WAYS[family.split]]
    data["decoder"] = {"type": "ByteLevel", "add_prefix_space": False, "use_regex": True}
    for one in (*steps, data["decoder"]):
        if one["type"] == "ByteLevel":
            one["trim_offsets"] = True
    data["pre_tokenizer"] = {"type": "Sequence", "pretokenizers": steps}
    if family.split == "qwen2":
        data["normalizer"] = {"type": "NFC"}
    tokenizer = Tokenizer.from_str(json.dumps(data))
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=list(family.special),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(WORDS * 2, trainer)
    return tokenizer


def _pieces(family: Family) -> Any:
    """Sentencepiece's way: pieces with spaces in them, and bytes for what is left."""
    from tokenizers import Tokenizer, models, trainers

    data = json.loads(
        Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True)).to_str()
    )
    space, mark = {"String": " "}, {"String": "▁"}
    replace = {"type": "Replace", "pattern": space, "content": "▁"}
    back = {"type": "Replace", "pattern": mark, "content": " "}
    steps: list[Any] = [back, {"type": "ByteFallback"}, {"type": "Fuse"}]
    if family.pieces != "plain":
        steps.append({"type": "Strip", "content": " ", "start": 1, "stop": 0})
    if family.pieces == "metaspace":
        way = {"replacement": "▁", "prepend_scheme": "first", "split": False}
        data["pre_tokenizer"] = {"type": "Metaspace", **way}
    elif family.pieces == "prepend":
        prepend = {"type": "Prepend", "prepend": "▁"}
        data["normalizer"] = {"type": "Sequence", "normalizers": [prepend, replace]}
    else:
        data["normalizer"] = replace
    data["decoder"] = {"type": "Sequence", "decoders": steps}
    tokenizer = Tokenizer.from_str(json.dumps(data))
    bytes_ = [f"<0x{number:02X}>" for number in range(256)]
    trainer = trainers.BpeTrainer(
        vocab_size=500, special_tokens=[*family.special, *bytes_], show_progress=False
    )
    tokenizer.train_from_iterator([text[:40] for text in WORDS], trainer)
    return tokenizer
