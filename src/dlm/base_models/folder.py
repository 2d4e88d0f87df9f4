"""A model as a folder of files: what it must hold, and the facts its own files state."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from dlm.errors import BaseModelError
from dlm.tensors import Tensor, read_tensors


def missing_file(folder: Path) -> str | None:
    """The first file a usable model lacks, or None when the folder is whole."""
    if not (folder / "config.json").is_file():
        return "config.json"
    if not (folder / "tokenizer.json").is_file():
        return "tokenizer.json"
    names = weight_files(folder)
    if not names:
        return "model.safetensors"
    return next((name for name in names if not (folder / name).is_file()), None)


def weight_files(folder: Path) -> tuple[str, ...]:
    """The safetensors files the model is made of; a shard that an index names may be missing."""
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        shards = read_json(index).get("weight_map")
        if not isinstance(shards, dict):
            raise BaseModelError(f"{index} has no weight_map", hint="download the model again")
        return tuple(sorted({str(name) for name in shards.values()}))
    if (folder / "model.safetensors").is_file():
        return ("model.safetensors",)
    return ()


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file. Raises BaseModelError when it is not one."""
    try:
        value = json.loads(path.read_bytes())
    except OSError as error:
        raise BaseModelError(f"cannot read {path}: {error.strerror}") from error
    except ValueError as error:
        raise BaseModelError(
            f"{path} is not valid JSON", hint="the file is damaged; copy or download it again"
        ) from error
    if not isinstance(value, dict):
        raise BaseModelError(f"{path} does not hold a JSON object")
    return value


def count_parameters(folder: Path) -> int:
    """Weights in the safetensors files, by their headers alone; an output head tied to the
    embeddings is not counted twice."""
    config = text_config(read_json(folder / "config.json"))
    sizes = {name: tensor.size for name, tensor in _tensors(folder)}
    if config.get("tie_word_embeddings"):
        sizes.pop("lm_head.weight", None)
    return sum(sizes.values())


def text_config(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """The part of a config that describes the language model; itself, unless there are others."""
    inner = config.get("text_config")
    return {**config, **inner} if isinstance(inner, dict) else config


def modality(config: Mapping[str, Any]) -> str:
    """What the model reads besides text, if anything."""
    if "vision_config" in config:
        return "vision-language"
    return "audio-language" if "audio_config" in config else "text"


def has_chat_template(folder: Path) -> bool:
    """Whether the folder says how a conversation is written."""
    if (folder / "chat_template.jinja").is_file() or (folder / "chat_template.json").is_file():
        return True
    settings = folder / "tokenizer_config.json"
    return settings.is_file() and bool(read_json(settings).get("chat_template"))


def damaged(path: Path) -> BaseModelError:
    """The sentence for weights that are not a whole file."""
    return BaseModelError(
        f"{path} is not a whole safetensors file", hint="copy or download it again"
    )


def _tensors(folder: Path) -> Iterator[tuple[str, Tensor]]:
    for name in weight_files(folder):
        try:
            yield from read_tensors(folder / name).items()
        except OSError as error:
            raise BaseModelError(f"cannot read {folder / name}: {error.strerror}") from error
        except ValueError as error:
            raise damaged(folder / name) from error
