"""What can be said of an adapter folder by reading it: are its weights finite, what is its digest.

Knows no torch.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING

from dlm.errors import StoreError

if TYPE_CHECKING:
    from dlm.tensors import Tensor

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
            for tensor in _tensors(path):
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


def _tensors(path: Path) -> Iterator[Tensor]:
    """Every tensor in a file, each of them whole."""
    from dlm.tensors import read_tensors

    size = path.stat().st_size
    try:
        for tensor in read_tensors(path).values():
            if tensor.end > size:
                raise ValueError(f"{tensor.name} lies outside the file")
            width, _ = _NOT_FINITE.get(tensor.dtype, (1, 0))
            if (tensor.end - tensor.start) % width:
                raise ValueError(f"{tensor.name} is not made of whole numbers")
            yield tensor
    except ValueError as error:
        raise StoreError(f"{path.name} is not a whole safetensors file: {error}") from error


def _count_not_finite(file: IO[bytes], tensor: Tensor) -> int:
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
