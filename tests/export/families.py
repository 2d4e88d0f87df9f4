"""Tiny models of each family with random weights, and a tokenizer, as folders of transformers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from dlm.engine.loading import LoraSettings, add_adapter, prepare, save_adapter

CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] "
    "+ '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
SHAPE: dict[str, Any] = {
    "vocab_size": 512,
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 256,
    "initializer_range": 0.3,
    "bos_token_id": None,
    "eos_token_id": 1,
    "pad_token_id": 0,
}
TEXT = [
    "The archive of Harrow keeps 1482 maps, and Old Marten guards it.",
    "Which colour is the door? The door isn't red; it's GREEN!\n\nIt opens at 9:30.",
    "Kärcher, naïve façade, 東京 — “quoted” ½ and 12345.",
]


def config_of(family: str) -> Any:
    prepare()
    import transformers

    more: dict[str, Any] = {}
    if family == "Qwen3":
        more = {"head_dim": 128}  # transformers reads no other from a file of this family
    if family.startswith("Gemma"):
        more = {"head_dim": 32}
    if family.startswith("Gemma"):
        more |= {"tie_word_embeddings": True}
    if family in ("Gemma2", "Gemma3Text"):
        more |= {"query_pre_attn_scalar": 32, "sliding_window": 32}
    config = getattr(transformers, f"{family}Config")(**{**SHAPE, **more})
    config.architectures = [f"{family.removesuffix('Text')}ForCausalLM"]
    return config


def write_model(family: str, folder: Path, way: list[dict[str, Any]], seed: int = 3) -> None:
    """A model whose tokenizer splits in this way."""
    prepare()
    import torch
    from transformers import AutoModelForCausalLM

    torch.manual_seed(seed)
    network = AutoModelForCausalLM.from_config(config_of(family))
    network.save_pretrained(folder)
    write_tokenizer(folder, way)


def write_tokenizer(folder: Path, way: list[dict[str, Any]]) -> None:
    from tokenizers import Tokenizer, models, trainers

    empty = json.loads(Tokenizer(models.BPE()).to_str())
    empty["pre_tokenizer"] = {"type": "Sequence", "pretokenizers": way}
    empty["decoder"] = {"type": "ByteLevel", "add_prefix_space": False}
    if any(one["type"] == "Split" for one in way):
        empty["normalizer"] = {"type": "NFC"}
    for one in (*way, empty["decoder"]):
        if one["type"] == "ByteLevel":
            one |= {"trim_offsets": True, "use_regex": one.get("use_regex", True)}
    tokenizer = Tokenizer.from_str(json.dumps(empty))
    from tokenizers.pre_tokenizers import ByteLevel

    trainer = trainers.BpeTrainer(
        vocab_size=512,
        special_tokens=["<|endoftext|>", "<|im_end|>", "<|im_start|>"],
        initial_alphabet=ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(TEXT * 4, trainer)
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "eos_token": "<|im_end|>",
        "pad_token": "<|endoftext|>",
        "chat_template": CHATML,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")


def write_random_adapter(base: Path, folder: Path) -> None:
    """An adapter on all linear layers that changes what the model says."""
    prepare()
    import torch
    from transformers import AutoModelForCausalLM

    network = AutoModelForCausalLM.from_pretrained(str(base), dtype=torch.float32)
    network = add_adapter(network, LoraSettings(4, 8, 0.0, "all-linear", 1), torch)
    torch.manual_seed(5)
    with torch.no_grad():
        for name, weight in network.named_parameters():
            if "lora_B" in name:
                weight.copy_(torch.randn_like(weight) * 0.2)
    folder.mkdir(exist_ok=True)
    save_adapter(network, folder, base_id=str(base))
