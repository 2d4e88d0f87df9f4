"""What can be said of an adapter folder by reading it: are its weights finite, what is its digest.

Reads the safetensors container itself and knows no torch.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from dlm.errors import StoreError

_CHUNK_BYTES = 1 << 24

# Bytes of one number, and its bits that are all set in a value that is not finite: the exponent of
# an infinity or a NaN. F8_E4M3 has one NaN and no infinity, with the mantissa set as well. Types
# that are not listed cannot hold either.
_NOT_FINITE = {
    "F64": (8, 0x7FF0_0000_0000_0000),
    "F32": (4, 0x7F80_0000),
    "C64": (4, 0x7F80_0000),
    "F16": (2, 0x7C00),
    "BF16": (2, 0x7F80),
    "F8_E5M2": (1, 0x7C),
    "F8_E4M3": (1, 0x7F),
}


def check_finite(folder: Path) -> None:
    """Raise StoreError, naming the tensor, unless all weights in `folder` are finite numbers."""
    files = sorted(folder.rglob("*.safetensors"))
    if not files:
        raise StoreError(f"there are no weights in {folder}")
    for path in files:
        with path.open("rb") as file:
            for tensor in _tensors(file, path):
                if bad := _count_not_finite(file, tensor):
                    raise StoreError(
                        f"the weights are not finite: {bad} of the values of {tensor.name} "
                        f"in {path.name} are NaN or infinite",
                        hint="the training diverged; train again with a lower learning rate",
                    )


def file_digests(folder: Path) -> dict[str, str]:
    """The sha256 of every file below `folder`, by its relative name with forward slashes."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {path.relative_to(folder).as_posix(): file_digest(path) for path in files}


def file_digest(path: Path) -> str:
    """The sha256 of one file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def folder_digest(digests: Mapping[str, str]) -> str:
    """One sha256 for a whole folder, the same for the same names and contents."""
    lines = (f"{digest}  {name}\n" for name, digest in sorted(digests.items()))
    return hashlib.sha256("".join(lines).encode("utf-8", "surrogateescape")).hexdigest()


def is_whole(folder: Path, sha256: str) -> bool:
    """Whether `folder` holds exactly the files it was committed with."""
    try:
        return folder_digest(file_digests(folder)) == sha256
    except OSError:
        return False


@dataclass(frozen=True, slots=True)
class _Tensor:
    name: str
    dtype: str
    start: int
    end: int


def _tensors(file: IO[bytes], path: Path) -> list[_Tensor]:
    """Every tensor the header names, with its place in the file in bytes."""
    try:
        (length,) = struct.unpack("<Q", file.read(8))
        begin, size = 8 + length, path.stat().st_size
        if begin > size:
            raise ValueError("the header is longer than the file")
        header: dict[str, Any] = json.loads(file.read(length))
        header.pop("__metadata__", None)
        return [_tensor(name, entry, begin, size) for name, entry in header.items()]
    except (struct.error, ValueError, TypeError, KeyError, AttributeError) as error:
        raise StoreError(f"{path.name} is not a whole safetensors file: {error}") from error


def _tensor(name: str, entry: Mapping[str, Any], begin: int, size: int) -> _Tensor:
    start, end = (begin + int(offset) for offset in entry["data_offsets"])
    if not begin <= start <= end <= size:
        raise ValueError(f"{name} lies outside the file")
    width, _ = _NOT_FINITE.get(entry["dtype"], (1, 0))
    if (end - start) % width:
        raise ValueError(f"{name} is not made of whole numbers")
    return _Tensor(name, entry["dtype"], start, end)


def _count_not_finite(file: IO[bytes], tensor: _Tensor) -> int:
    import numpy as np

    if tensor.dtype not in _NOT_FINITE:
        return 0
    width, mask = _NOT_FINITE[tensor.dtype]
    dtype = np.dtype(f"<u{width}")
    bits = dtype.type(mask)
    count = 0
    file.seek(tensor.start)
    for start in range(tensor.start, tensor.end, _CHUNK_BYTES):
        values = np.frombuffer(file.read(min(_CHUNK_BYTES, tensor.end - start)), dtype)
        count += int(np.count_nonzero((values & bits) == bits))
    return count
