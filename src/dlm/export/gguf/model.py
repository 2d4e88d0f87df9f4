"""A merged model as one GGUF file, written tensor by tensor, or an adapter as one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from dlm.export.gguf.families import Shaping
from dlm.export.gguf.vocabulary import describe_vocabulary
from dlm.export.huggingface import TEMPLATE_FILE
from dlm.export.source import Source
from dlm.export.template import chat_template
from dlm.export.weights import Merged, Precision, encoder, plain_lora
from dlm.tensors import Array, read_array, read_tensors

_PREFIX: Final = "base_model.model."


def write_gguf(source: Source, path: Path, precision: Precision, *, bare: bool = False) -> None:
    """Write the version, merged into its base, with tokenizer and chat template.

    A `bare` file holds the base alone.

    Raises DlmError, naming what, for a model or tokenizer that a GGUF file cannot say.
    """
    from gguf import GGUFWriter, LlamaFileType

    shaping = Shaping(source.config())
    merged = Merged(source, bare=bare)
    writer = GGUFWriter(path, shaping.family.name)
    kinds = {
        Precision.F32: LlamaFileType.ALL_F32,
        Precision.F16: LlamaFileType.MOSTLY_F16,
        Precision.BF16: LlamaFileType.MOSTLY_BF16,
    }
    writer.add_name(source.name)
    writer.add_file_type(kinds[precision])
    shaping.describe(writer)
    describe_vocabulary(source, writer)
    names = {name: shaping.name(name) for name in merged.shapes}
    kept = {name: called for name, called in names.items() if called is not None}
    for name, called in kept.items():
        _announce(writer, called, merged.shapes[name], precision)
    for called, values in (more := shaping.more_tensors()).items():
        _announce(writer, called, values.shape, precision)
    try:
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_ti_data_to_file()
        for name in kept:
            values = shaping.turned(name, merged.tensor(name))
            writer.write_tensor_data(_encoded(values, precision))
        for values in more.values():
            writer.write_tensor_data(_encoded(values, precision))
    finally:
        writer.close()


def write_gguf_adapter(source: Source, path: Path) -> None:
    """Write the adapter of the version, which llama.cpp puts onto a GGUF file of the base.

    It is in float32; the template it is asked under stands beside it. DlmError where GGUF has no
    place for it.
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


def _announce(writer: Any, name: str, shape: tuple[int, ...], precision: Precision) -> None:
    """Tell the writer of a tensor that comes later."""
    import numpy as np
    from gguf import GGMLQuantizationType

    used = _used(precision, len(shape))
    width = 4 if used is Precision.F32 else 2
    kinds = {
        Precision.F32: (np.dtype(np.float32), GGMLQuantizationType.F32),
        Precision.F16: (np.dtype(np.float16), GGMLQuantizationType.F16),
        Precision.BF16: (np.dtype(np.uint16), GGMLQuantizationType.BF16),
    }
    dtype, kind = kinds[used]
    size = int(np.prod(shape)) * width
    writer.add_tensor_info(name, list(shape), dtype, size, raw_dtype=kind)


def _encoded(values: Array, precision: Precision) -> Any:
    """The numbers in the format that was announced."""
    import numpy as np

    used = _used(precision, values.ndim)
    formats = {Precision.F32: "<f4", Precision.F16: "<f2", Precision.BF16: "<u2"}
    return np.frombuffer(encoder(used)(values), formats[used]).reshape(values.shape)


def _used(precision: Precision, dimensions: int) -> Precision:
    # llama.cpp wants norms and biases in full.
    return Precision.F32 if dimensions < 2 else precision


def _alpha(config: dict[str, float]) -> float:
    """llama.cpp divides by the rank, where rank-stabilised LoRA divides by its root."""
    alpha, rank = float(config["lora_alpha"]), float(config["r"])
    return alpha * rank**0.5 if config.get("use_rslora") else alpha
