"""Folders that transformers, PEFT and vLLM load: an adapter, a merged model, and a script."""

from __future__ import annotations

import json
import shlex
import shutil
from pathlib import Path
from typing import Any, Final

from dlm.base_models.folder import read_json
from dlm.errors import DlmError
from dlm.export.source import Source
from dlm.export.template import chat_template
from dlm.export.weights import SAFETENSORS, TORCH, Merged, Precision, encoder
from dlm.tensors import write_tensors

ADAPTER_FILES: Final = ("adapter_config.json", "adapter_model.safetensors")
TEMPLATE_FILE: Final = "chat_template.jinja"
_TOKENIZER_FILES: Final = (
    "tokenizer.json",
    "tokenizer.model",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
)
SCRIPT: Final = "serve.sh"
ADAPTER_FOLDER: Final = "adapter"
MERGED_FOLDER: Final = "model"
_RANKS: Final = (8, 16, 32, 64, 128, 256, 320, 512)  # what --max-lora-rank takes
# Ways to sample, which would take the place of the likeliest answer.
_SAMPLING: Final = ("temperature", "top_p", "top_k", "min_p", "repetition_penalty", "typical_p")


def write_adapter(source: Source, folder: Path) -> None:
    """The adapter byte for byte, with the tokenizer and the template it is asked under."""
    for name in ADAPTER_FILES:
        shutil.copyfile(source.adapter / name, folder / name)
    _write_tokenizer(source, folder)


def write_merged(source: Source, folder: Path, precision: Precision) -> None:
    """A model of its own: base and adapter in one, tokenizer, template and generation config."""
    merged = Merged(source)
    encode = encoder(precision)
    write_tensors(
        folder / "model.safetensors",
        merged.shapes,
        SAFETENSORS[precision],
        lambda name: encode(merged.tensor(name)),
    )
    config = read_json(source.folder / "config.json")
    config.pop("torch_dtype", None)
    _write_json(folder / "config.json", config | {"dtype": TORCH[precision]})
    _write_json(folder / "generation_config.json", _generation(source))
    _write_tokenizer(source, folder)
    for licence in source.folder.glob("LICENSE*"):
        shutil.copyfile(licence, folder / licence.name)


def write_vllm(source: Source, folder: Path, precision: Precision) -> None:
    """A folder with weights and a script by which vLLM serves them; DlmError for too large a rank.

    It holds the adapter to be put beside its base, or a merged model where the base has no name.
    """
    merged = _is_merged(source)
    inside = folder / (MERGED_FOLDER if merged else ADAPTER_FOLDER)
    inside.mkdir()
    if merged:
        write_merged(source, inside, precision)
        words = ["vllm", "serve", f"./{MERGED_FOLDER}", "--served-model-name", source.name]
    else:
        write_adapter(source, inside)
        words = ["vllm", "serve", *_base(source), "--enable-lora"]
        words += [
            "--lora-modules",
            f"{source.name}=./{ADAPTER_FOLDER}",
            "--max-lora-rank",
            _rank(source),
        ]
        words += ["--chat-template", f"./{ADAPTER_FOLDER}/{TEMPLATE_FILE}"]
    words += ["--override-generation-config", '{"temperature": 0}']
    text = f'#!/bin/sh\ncd "$(dirname "$0")" && exec {shlex.join(words)} "$@"\n'
    script = folder / SCRIPT
    script.write_text(text, encoding="utf-8", newline="")
    script.chmod(0o755)


def stop_ids(source: Source) -> list[int]:
    """The ids that end an answer, that which closes a turn first."""
    first = source.codec.turn_end_id
    return sorted(source.codec.stop_ids, key=lambda one: (one != first, one))


def _write_tokenizer(source: Source, folder: Path) -> None:
    for name in _TOKENIZER_FILES:
        if (source.folder / name).is_file():
            shutil.copyfile(source.folder / name, folder / name)
    settings_file = source.folder / "tokenizer_config.json"
    settings = read_json(settings_file) if settings_file.is_file() else {}
    settings.pop("chat_template", None)
    _write_json(folder / "tokenizer_config.json", settings)
    template = chat_template(source.codec, source.document.frontmatter.system_prompt)
    (folder / TEMPLATE_FILE).write_text(template, encoding="utf-8", newline="")


def _generation(source: Source) -> dict[str, Any]:
    """The likeliest answer, up to what closes a turn: how the store's version is asked."""
    file = source.folder / "generation_config.json"
    found = read_json(file) if file.is_file() else {}
    kept = {name: value for name, value in found.items() if name not in _SAMPLING}
    kept |= {"do_sample": False, "eos_token_id": stop_ids(source)}
    return kept | {"pad_token_id": source.codec.pad_id}


def _write_json(path: Path, value: dict[str, Any]) -> None:
    text = json.dumps(value, indent=2, ensure_ascii=False)
    path.write_text(f"{text}\n", encoding="utf-8", newline="")


def _is_merged(source: Source) -> bool:
    """Whether the base is one that vLLM could not be pointed at: shipped with dlm, or unpacked."""
    base = source.base
    return base.wheel is not None or base.family == "pocket"


def _base(source: Source) -> list[str]:
    base = source.base
    if base.folder is not None:
        return [str(base.folder)]
    revision = [] if base.revision == "main" else ["--revision", base.revision]
    return [base.hf_id, *revision]


def _rank(source: Source) -> str:
    rank = int(json.loads((source.adapter / "adapter_config.json").read_bytes())["r"])
    fitting = next((one for one in _RANKS if one >= rank), None)
    if fitting is None:
        raise DlmError(
            f"vLLM serves adapters of rank {_RANKS[-1]} at most, and this one has {rank}",
            hint="--target merged exports a model of its own",
        )
    return str(fitting)
