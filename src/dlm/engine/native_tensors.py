"""Reading safetensors files into float32 arrays. Knows no model."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dlm.errors import BaseModelError

Array = npt.NDArray[np.float32]

_DTYPES: dict[str, np.dtype[Any]] = {
    "BF16": np.dtype("<u2"),
    "F16": np.dtype("<f2"),
    "F32": np.dtype("<f4"),
}


@dataclass(frozen=True, slots=True)
class Entry:
    """Where one tensor lies in its file."""

    path: Path
    dtype: str
    shape: tuple[int, ...]
    start: int
    end: int

    @property
    def readable(self) -> bool:
        """Whether `read_tensor` knows this kind of number."""
        return self.dtype in _DTYPES


def entries_of(path: Path) -> dict[str, Entry]:
    """The tensors of a file by name: its header is a length and a JSON object, the bytes follow."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header: dict[str, Any] = json.loads(file.read(length))
    base = 8 + length
    return {
        name: Entry(path, e["dtype"], tuple(e["shape"]), *(base + o for o in e["data_offsets"]))
        for name, e in header.items()
        if name != "__metadata__"
    }


def read_tensor(entry: Entry) -> Array:
    """One tensor in float32, exactly as it was saved; BaseModelError when the file is cut short."""
    with entry.path.open("rb") as file:
        file.seek(entry.start)
        data = file.read(entry.end - entry.start)
    if len(data) != math.prod(entry.shape) * _DTYPES[entry.dtype].itemsize:
        raise BaseModelError(
            f"{entry.path} is damaged: it ends before its weights do",
            hint="delete it and fetch it again, or go back to another adapter version",
        )
    raw = np.frombuffer(data, dtype=_DTYPES[entry.dtype])
    if entry.dtype == "BF16":
        # A bfloat16 is the upper half of a float32.
        values = (raw.astype(np.uint32) << 16).view(np.float32)
    else:
        values = raw.astype(np.float32)
    return values.reshape(entry.shape)
