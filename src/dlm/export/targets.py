"""The forms in which a version is exported, by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from dlm import __version__
from dlm.export.folder import write_manifest
from dlm.export.gguf.model import write_gguf, write_gguf_adapter
from dlm.export.huggingface import (
    SCRIPT,
    TEMPLATE_FILE,
    write_adapter,
    write_merged,
    write_vllm,
)
from dlm.export.ollama import MODELFILE, write_ollama
from dlm.export.source import Source
from dlm.export.weights import Precision
from dlm.store.weights import file_digests


class Target(StrEnum):
    """What `--target` may be."""

    PEFT = "peft"
    MERGED = "merged"
    GGUF_ADAPTER = "gguf-adapter"
    GGUF = "gguf"
    OLLAMA = "ollama"
    VLLM = "vllm"


@dataclass(frozen=True, slots=True)
class Written:
    """What was written, and what to run with it."""

    manifest: dict[str, Any]
    use: str


def write_target(source: Source, target: Target, precision: Precision, folder: Path) -> Written:
    """Write the version into the empty `folder`, with a manifest.

    Raises DlmError, naming what, where the base cannot be written in this form; OSError as it
    comes.
    """
    use = _WRITERS[target](source, folder, precision)
    facts: dict[str, Any] = {
        "dlm_version": __version__,
        "target": target.value,
        "precision": precision.value if target not in _ADAPTERS else None,
        "name": source.name,
        "dlm_id": source.document.frontmatter.dlm_id,
        "version": source.version.name,
        "version_sha256": source.version.sha256,
        "base": source.base.key,
        "base_fingerprint": source.fingerprint,
        "files": file_digests(folder),
    }
    write_manifest(folder, facts)
    return Written(facts, use)


def _peft(source: Source, folder: Path, precision: Precision) -> str:
    write_adapter(source, folder)
    return f"peft.PeftModel.from_pretrained(base, {_OUT!r}), on the base {source.base.key}"


def _merged(source: Source, folder: Path, precision: Precision) -> str:
    write_merged(source, folder, precision)
    return f"transformers: AutoModelForCausalLM.from_pretrained({_OUT!r})"


def _gguf(source: Source, folder: Path, precision: Precision) -> str:
    write_gguf(source, folder / f"{source.name}.gguf", precision)
    return f"llama-server -m {_OUT}/{source.name}.gguf --jinja --temp 0"


def _gguf_adapter(source: Source, folder: Path, precision: Precision) -> str:
    write_gguf_adapter(source, folder / f"{source.name}-lora.gguf")
    return (
        f"llama-server -m BASE.gguf --lora {_OUT}/{source.name}-lora.gguf --jinja "
        f"--chat-template-file {_OUT}/{TEMPLATE_FILE} --temp 0"
    )


def _ollama(source: Source, folder: Path, precision: Precision) -> str:
    write_ollama(source, folder, precision)
    return f"ollama create {source.name} -f {_OUT}/{MODELFILE}"


def _vllm(source: Source, folder: Path, precision: Precision) -> str:
    write_vllm(source, folder, precision)
    return f"{_OUT}/{SCRIPT}"


_OUT: Final = "OUT"
_ADAPTERS: Final = (Target.PEFT, Target.GGUF_ADAPTER)
_WRITERS: Final[dict[Target, Callable[[Source, Path, Precision], str]]] = {
    Target.PEFT: _peft,
    Target.MERGED: _merged,
    Target.GGUF: _gguf,
    Target.GGUF_ADAPTER: _gguf_adapter,
    Target.OLLAMA: _ollama,
    Target.VLLM: _vllm,
}
