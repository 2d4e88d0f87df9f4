"""A model as a folder of files: what it must hold, the facts that its own files state, and what
makes two folders the same base model, whatever their place and the time of their files."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from dlm.errors import BaseModelError
from dlm.tensors import Tensor, header_bytes, read_tensors

# Set by whoever saved the config; the model is the same with any value.
_VOLATILE: Final = frozenset(
    {
        "_name_or_path",
        "_attn_implementation",
        "_attn_implementation_autoset",
        "dtype",
        "torch_dtype",
        "transformers_version",
        "use_cache",
    }
)
_WHOLE_BELOW: Final = 64 * 1024 * 1024  # bytes; a smaller file is read to its end
_BLOCKS: Final = 64
_BLOCK_SIZE: Final = 4096  # bytes

# Embeddings and output heads: matrices too, but no layers of the blocks.
_NO_LAYER: Final = re.compile(r"embed|^(wte|wpe|lm_head|score)$")


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


def linear_layers(folder: Path) -> tuple[str, ...]:
    """The linear layers an adapter can sit on, named as in `model.layers.0.self_attn.q_proj`."""
    matrices = (name for name, tensor in _tensors(folder) if len(tensor.shape) == 2)
    names = (name.removesuffix(".weight") for name in matrices)
    return tuple(name for name in names if not _NO_LAYER.search(name.rpartition(".")[2]))


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


def fingerprint(folder: Path) -> str:
    """Sha256, in hex, of config, tokenizer and weights; of large weights only header and samples.

    Raises BaseModelError when the folder is not a whole model in safetensors.
    """
    missing = missing_file(folder)
    if missing:
        raise BaseModelError(f"{folder} is not a whole model: it has no {missing}")
    digest = hashlib.sha256()
    _add(digest, "config.json", _defining(read_json(folder / "config.json")))
    _add(digest, "tokenizer.json", (folder / "tokenizer.json").read_bytes())
    for name in weight_files(folder):
        path = folder / name
        size = path.stat().st_size
        try:
            _add(digest, f"{name} {size} bytes", header_bytes(path))
        except ValueError as error:
            raise _damaged(path) from error
        _add_weights(digest, path, size)
    return digest.hexdigest()


def _tensors(folder: Path) -> Iterator[tuple[str, Tensor]]:
    for name in weight_files(folder):
        try:
            yield from read_tensors(folder / name).items()
        except OSError as error:
            raise BaseModelError(f"cannot read {folder / name}: {error.strerror}") from error
        except ValueError as error:
            raise _damaged(folder / name) from error


def _damaged(path: Path) -> BaseModelError:
    """The sentence for weights that are not a whole file."""
    return BaseModelError(
        f"{path} is not a whole safetensors file", hint="copy or download it again"
    )


def _defining(config: dict[str, Any]) -> bytes:
    """The config without its volatile keys, in one spelling."""
    return json.dumps(_stable(config), sort_keys=True, separators=(",", ":")).encode()


def _stable(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _stable(inner) for key, inner in value.items() if key not in _VOLATILE}
    return [_stable(inner) for inner in value] if isinstance(value, list) else value


def _add(digest: hashlib._Hash, name: str, data: bytes) -> None:
    # Lengths in front, so that no two different lists of parts give the same bytes.
    digest.update(f"{name}\n{len(data)}\n".encode())
    digest.update(data)


def _add_weights(digest: hashlib._Hash, path: Path, size: int) -> None:
    with path.open("rb") as file:
        if size < _WHOLE_BELOW:
            while block := file.read(1024 * 1024):
                digest.update(block)
            return
        for number in range(_BLOCKS):
            file.seek((size - _BLOCK_SIZE) * number // (_BLOCKS - 1))
            digest.update(file.read(_BLOCK_SIZE))
