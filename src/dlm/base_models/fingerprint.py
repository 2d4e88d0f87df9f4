"""What makes two folders the same base model, whatever their place and the time of their files."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, Final

from dlm.base_models.folder import damaged, missing_file, read_json, weight_files
from dlm.errors import BaseModelError
from dlm.tensors import header_bytes

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
            raise damaged(path) from error
        _add_weights(digest, path, size)
    return digest.hexdigest()


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
