"""A LoRA adapter as a GGUF file, which llama.cpp puts onto a GGUF file of the base."""

from __future__ import annotations

import json
from pathlib import Path

from dlm.export.gguf.families import Shaping
from dlm.export.huggingface import TEMPLATE_FILE
from dlm.export.source import Source
from dlm.export.template import chat_template
from dlm.export.weights import plain_lora
from dlm.tensors import read_array, read_tensors

_PREFIX = "base_model.model."


def write_gguf_adapter(source: Source, path: Path) -> None:
    """Write the adapter of the version in float32, and the template it is asked under beside it.

    DlmError where GGUF has no place for it.
    """
    from gguf import GGUFWriter

    plain_lora(source)
    template = chat_template(source.codec, source.document.frontmatter.system_prompt)
    (path.parent / TEMPLATE_FILE).write_text(template, encoding="utf-8", newline="")
    shaping = Shaping(source.config())
    config = json.loads((source.adapter / "adapter_config.json").read_bytes())
    writer = GGUFWriter(path, shaping.family.name)
    writer.add_type("adapter")
    writer.add_name(f"{source.name} {source.version.name}")
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", _alpha(config))
    for key, entry in read_tensors(source.adapter / "adapter_model.safetensors").items():
        layer, _, which = key.removeprefix(_PREFIX).removesuffix(".weight").rpartition(".")
        called = shaping.name(f"{layer}.weight")
        values = read_array(entry)
        if which == "lora_B":
            # Its rows are those of the matrix that it is added to; those of A are the rank.
            values = shaping.turned(f"{layer}.weight", values)
        if called is not None:
            writer.add_tensor(f"{called}.{which.lower()}", values)
    try:
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
    finally:
        writer.close()


def _alpha(config: dict[str, float]) -> float:
    """llama.cpp divides by the rank, where rank-stabilised LoRA divides by its root."""
    alpha, rank = float(config["lora_alpha"]), float(config["r"])
    return alpha * rank**0.5 if config.get("use_rslora") else alpha
