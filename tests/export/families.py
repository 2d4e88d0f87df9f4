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
SCALED: dict[str, Any] = {
    "rope_type": "llama3",
    "rope_theta": 10_000.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
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
        more = {"head_dim": 256, "tie_word_embeddings": True}  # as for Qwen3
    if family in ("Gemma2", "Gemma3Text"):
        more |= {"query_pre_attn_scalar": 256, "sliding_window": 32}
    if family == "Llama3":
        more = {"rope_parameters": SCALED}
        family = "Llama"
    config = getattr(transformers, f"{family}Config")(**{**SHAPE, **more})
    config.architectures = [f"{family.removesuffix('Text')}ForCausalLM"]
    return config


GEMMA = (
    "{{ bos_token }}{% if messages[0]['role'] == 'system' %}"
    "{{ raise_exception('System role not supported') }}{% endif %}"
    "{% for message in messages %}"
    "{{ '<start_of_turn>' + (message['role'] if message['role'] == 'user' else 'model') + '\n' "
    "+ message['content'] | trim + '<end_of_turn>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<start_of_turn>model\n' }}{% endif %}"
)


def write_model(family: str, folder: Path, way: list[dict[str, Any]], seed: int = 3) -> None:
    """A model whose tokenizer splits in this way."""
    prepare()
    import torch
    from transformers import AutoModelForCausalLM

    torch.manual_seed(seed)
    network = AutoModelForCausalLM.from_config(config_of(family))
    network.save_pretrained(folder)
    if family.startswith("Gemma"):
        write_pieces(folder)
    else:
        write_tokenizer(folder, way)


def write_pieces(folder: Path) -> None:
    """A tokenizer as Gemma has it: pieces with spaces in them, and bytes for what is left."""
    from tokenizers import Tokenizer, models, processors, trainers

    model = models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True)
    tokenizer = Tokenizer(model)
    named = ["<pad>", "<eos>", "<bos>", "<unk>", "<start_of_turn>", "<end_of_turn>"]
    data = json.loads(tokenizer.to_str())
    replace = {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}
    back = {"type": "Replace", "pattern": {"String": "▁"}, "content": " "}
    data["normalizer"] = replace
    steps = [back, {"type": "ByteFallback"}, {"type": "Fuse"}]
    data["decoder"] = {"type": "Sequence", "decoders": steps}
    tokenizer = Tokenizer.from_str(json.dumps(data))
    bytes_ = [f"<0x{number:02X}>" for number in range(256)]
    trainer = trainers.BpeTrainer(
        vocab_size=512, special_tokens=[*named, *bytes_], show_progress=False
    )
    tokenizer.train_from_iterator([text[:40] for text in TEXT], trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<bos> $A", special_tokens=[("<bos>", 2)]
    )
    data = json.loads(tokenizer.to_str())
    data["added_tokens"] = [one for one in data["added_tokens"] if one["content"] in named]
    (folder / "tokenizer.json").write_text(json.dumps(data), encoding="utf-8")
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": "<bos>",
        "eos_token": "<eos>",
        "unk_token": "<unk>",
        "pad_token": "<pad>",
        "chat_template": GEMMA,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")


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
