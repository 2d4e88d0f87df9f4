"""Reading a GGUF file: its facts, and its tensors as float32. Written after the format's own
description (ggml, docs/gguf.md, version 3) and the block layouts of ggml-common.h.

Knows nothing of models; of the many quantised types only those that a base of ours is made of.
"""

from __future__ import annotations

import math
import mmap
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]

_MAGIC: Final = b"GGUF"
_VERSIONS: Final = (2, 3)
_STRING: Final = 8
_ARRAY: Final = 9
_SCALARS: Final = {
    0: "<B",
    1: "<b",
    2: "<H",
    3: "<h",
    4: "<I",
    5: "<i",
    6: "<f",
    7: "<?",
    10: "<Q",
    11: "<q",
    12: "<d",
}
_ALIGNMENT: Final = 32  # bytes, where the file names none
_BLOCK: Final = 32  # weights that share a scale
_Q4_1: Final = np.dtype([("scale", "<f2"), ("least", "<f2"), ("pairs", "u1", (16,))])
_Q8_0: Final = np.dtype([("scale", "<f2"), ("values", "i1", (32,))])


@dataclass(frozen=True, slots=True)
class _Kind:
    """A type of tensor: weights in a block, bytes of a block, and how blocks become numbers."""

    weights: int
    size: int
    unpack: Callable[[bytes], Array]


class GgufFile:
    """An open GGUF file; `facts` are its key-value pairs, `shapes` its tensors, rows first."""

    def __init__(self, path: Path) -> None:
        """Read everything but the weights. OSError; ValueError when it is not a whole GGUF file."""
        with path.open("rb") as file:
            try:
                self._data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            except ValueError as error:
                raise ValueError("it is empty") from error
        self._at = 0
        try:
            self.facts = self._head()
            self.shapes, self._places = self._table()
        except (struct.error, UnicodeDecodeError, KeyError, OverflowError) as error:
            raise ValueError(f"its header is damaged: {error}") from error
        for name, (start, kind) in self._places.items():
            if start + _size(self.shapes[name], kind) > len(self._data):
                raise ValueError("it ends before its weights do")

    def tensor(self, name: str) -> Array:
        """One tensor in float32. KeyError when the file does not have it."""
        start, kind = self._places[name]
        shape = self.shapes[name]
        return kind.unpack(self._data[start : start + _size(shape, kind)]).reshape(shape)

    def _head(self) -> dict[str, Any]:
        if self._data[:4] != _MAGIC:
            raise ValueError("it does not begin as a GGUF file does")
        self._at = 4
        version = self._number("<I")
        if version not in _VERSIONS:
            raise ValueError(f"version {version} of the format is not known")
        self._tensors = int(self._number("<Q"))
        facts: dict[str, Any] = {}
        for _ in range(int(self._number("<Q"))):
            key = self._string()
            facts[key] = self._value(int(self._number("<I")))
        return facts

    def _table(self) -> tuple[dict[str, tuple[int, ...]], dict[str, tuple[int, _Kind]]]:
        """Shape and place of every tensor; the file counts places from the end of this table."""
        shapes: dict[str, tuple[int, ...]] = {}
        places: dict[str, tuple[int, _Kind]] = {}
        for _ in range(self._tensors):
            name = self._string()
            # The fastest dimension comes first in the file, last in numpy.
            widths = [int(self._number("<Q")) for _ in range(int(self._number("<I")))]
            shapes[name] = tuple(reversed(widths))
            number = int(self._number("<I"))
            if number not in _KINDS:
                raise ValueError(f"{name} is of type {number}, which is not read here")
            places[name] = (int(self._number("<Q")), _KINDS[number])
        alignment = int(self.facts.get("general.alignment", _ALIGNMENT))
        begin = -(-self._at // alignment) * alignment
        return shapes, {name: (begin + at, kind) for name, (at, kind) in places.items()}

    def _value(self, kind: int) -> Any:
        if kind == _STRING:
            return self._string()
        if kind == _ARRAY:
            inner, count = int(self._number("<I")), int(self._number("<Q"))
            return [self._value(inner) for _ in range(count)]
        return self._number(_SCALARS[kind])

    def _string(self) -> str:
        length = int(self._number("<Q"))
        self._at += length
        if self._at > len(self._data):
            raise ValueError("it ends before its header does")
        return self._data[self._at - length : self._at].decode("utf-8")

    def _number(self, form: str) -> Any:
        (value,) = struct.unpack_from(form, self._data, self._at)
        self._at += struct.calcsize(form)
        return value


def _plain(dtype: str) -> Callable[[bytes], Array]:
    return lambda data: np.frombuffer(data, dtype).astype(np.float32)


def _bfloat16(data: bytes) -> Array:
    """The upper half of a float32."""
    return (np.frombuffer(data, "<u2").astype(np.uint32) << 16).view(np.float32)


def _q4_1(data: bytes) -> Array:
    """Blocks of 32: scale x nibble + least; the low nibbles are the first half of a block."""
    blocks = np.frombuffer(data, _Q4_1)
    pairs = blocks["pairs"]
    values = np.concatenate([pairs & 15, pairs >> 4], axis=1).astype(np.float32)  # (blocks, 32)
    return values * _column(blocks["scale"]) + _column(blocks["least"])


def _q8_0(data: bytes) -> Array:
    """Blocks of 32: scale x signed byte."""
    blocks = np.frombuffer(data, _Q8_0)
    return blocks["values"].astype(np.float32) * _column(blocks["scale"])


def _column(halves: npt.NDArray[np.float16]) -> Array:
    return halves.astype(np.float32)[:, None]


def _size(shape: tuple[int, ...], kind: _Kind) -> int:
    return math.prod(shape) // kind.weights * kind.size


_KINDS: Final = {
    0: _Kind(1, 4, _plain("<f4")),
    1: _Kind(1, 2, _plain("<f2")),
    3: _Kind(_BLOCK, _Q4_1.itemsize, _q4_1),
    8: _Kind(_BLOCK, _Q8_0.itemsize, _q8_0),
    30: _Kind(1, 2, _bfloat16),
}
