"""What vLLM serves: the adapter beside its base, or a merged model where the base has no name."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Final

from dlm.errors import DlmError
from dlm.export.huggingface import TEMPLATE_FILE, write_adapter, write_merged
from dlm.export.source import Source
from dlm.export.weights import Precision

SCRIPT: Final = "serve.sh"
ADAPTER: Final = "adapter"
MERGED: Final = "model"
_RANKS: Final = (8, 16, 32, 64, 128, 256, 320, 512)  # what --max-lora-rank takes


def write_vllm(source: Source, folder: Path, precision: Precision) -> None:
    """A folder with weights and a script that serves them; DlmError for too large a rank."""
    merged = is_merged(source)
    inside = folder / (MERGED if merged else ADAPTER)
    inside.mkdir()
    if merged:
        write_merged(source, inside, precision)
        words = ["vllm", "serve", f"./{MERGED}", "--served-model-name", source.name]
    else:
        write_adapter(source, inside)
        words = ["vllm", "serve", *_base(source), "--enable-lora"]
        words += ["--lora-modules", f"{source.name}=./{ADAPTER}", "--max-lora-rank", _rank(source)]
        words += ["--chat-template", f"./{ADAPTER}/{TEMPLATE_FILE}"]
    words += ["--override-generation-config", '{"temperature": 0}']
    text = f'#!/bin/sh\ncd "$(dirname "$0")" && exec {shlex.join(words)} "$@"\n'
    script = folder / SCRIPT
    script.write_text(text, encoding="utf-8", newline="")
    script.chmod(0o755)


def is_merged(source: Source) -> bool:
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
