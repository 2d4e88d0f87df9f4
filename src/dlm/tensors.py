"""The header of a safetensors file: which tensors it holds, and where. The only reader of it.

Reads no weights and knows no torch; what is wrong with a file is said by whoever asked for it.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

_LARGEST_HEADER: Final = 100_000_000  # bytes; what the format itself allows


@dataclass(frozen=True, slots=True)
class Tensor:
    """One tensor; its bytes are those from `start` to `end` of the file."""

    path: Path
    name: str
    dtype: str
    shape: tuple[int, ...]
    start: int
    end: int

    @property
    def size(self) -> int:
        """How many numbers it has."""
        return math.prod(self.shape)


def header_bytes(path: Path) -> bytes:
    """The header as it stands in the file, the 8 bytes of its length included.

    OSError where it cannot be read; ValueError when the file ends before its header does.
    """
    with path.open("rb") as file:
        prefix = file.read(8)
        length = int.from_bytes(prefix, "little")
        if len(prefix) < 8 or length > _LARGEST_HEADER:
            raise ValueError("it has no header")
        header = file.read(length)
    if len(header) != length:
        raise ValueError("the header is longer than the file")
    return prefix + header


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a file by name, in its own order.

    OSError where it cannot be read; ValueError when it is no safetensors file or a tensor lies
    before the data. Whether the data are all there is not looked at.
    """
    data = header_bytes(path)
    try:
        header = json.loads(data[8:])
        return {
            name: _tensor(path, name, entry, len(data))
            for name, entry in header.items()
            if name != "__metadata__"
        }
    except (TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"its header is damaged: {error}") from error


def _tensor(path: Path, name: str, entry: dict[str, Any], begin: int) -> Tensor:
    start, end = (begin + int(offset) for offset in entry["data_offsets"])
    if not begin <= start <= end:
        raise ValueError(f"{name} lies outside the file")
    return Tensor(path, name, str(entry["dtype"]), tuple(map(int, entry["shape"])), start, end)
