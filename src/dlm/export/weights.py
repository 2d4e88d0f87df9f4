"""The weights of a base with an adapter merged in, one tensor at a time. Knows no torch."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Final

from dlm.base_models.folder import linear_layers, weight_files
from dlm.errors import BaseModelError, DlmError
from dlm.tensors import READABLE, Array, Lora, Tensor, read_array, read_tensors

if TYPE_CHECKING:
    from dlm.export.source import Source


class Precision(StrEnum):
    """In which format weights are written."""

    F32 = "f32"
    F16 = "f16"
    BF16 = "bf16"


class Merged:
    """A base with the adapter of a version merged in; `shapes` are its tensors, rows first."""

    def __init__(self, source: Source, *, bare: bool = False) -> None:
        """Read the headers; a `bare` one is the base without the adapter.

        Raises DlmError for an adapter that is more than plain LoRA, and BaseModelError for weights
        in a format that is not read here.
        """
        self._entries = _entries(source.folder)
        self._lora = None if bare else plain_lora(source)
        self.shapes = {name: entry.shape for name, entry in self._entries.items()}

    def tensor(self, name: str) -> Array:
        """One tensor in float32, with what the adapter adds to it."""
        values = read_array(self._entries[name])
        delta = self._lora.delta(name.removesuffix(".weight")) if self._lora else None
        return values if delta is None else values + delta


def plain_lora(source: Source) -> Lora:
    """The adapter of the version; DlmError when it is more than plain LoRA on linear layers."""
    lora = Lora(source.adapter)
    if not lora.is_plain(onto=linear_layers(source.folder)):
        raise DlmError(
            f"the adapter of {source.version.name} is not plain LoRA on linear layers, "
            "and cannot be merged",
            hint="--target peft exports it as it is",
        )
    return lora


def encoder(precision: Precision) -> Callable[[Array], bytes]:
    """How numbers become bytes; it raises DlmError for one that half precision cannot hold."""
    return {Precision.F32: _f32, Precision.F16: _f16, Precision.BF16: _bf16}[precision]


SAFETENSORS: Final = {Precision.F32: "F32", Precision.F16: "F16", Precision.BF16: "BF16"}
"""What the safetensors format calls each."""

TORCH: Final = {Precision.F32: "float32", Precision.F16: "float16", Precision.BF16: "bfloat16"}
"""What a config calls each."""


def _entries(folder: Path) -> dict[str, Tensor]:
    found: dict[str, Tensor] = {}
    for name in weight_files(folder):
        try:
            found |= read_tensors(folder / name)
        except (OSError, ValueError) as error:
            raise BaseModelError(f"{folder / name} cannot be read: {error}") from error
    for entry in found.values():
        if entry.dtype not in READABLE:
            raise BaseModelError(
                f"{entry.name} of the base is held in {entry.dtype}, and cannot be merged with",
                hint="use the base in bfloat16, float16 or float32",
            )
    return found


def _f32(values: Array) -> bytes:
    return values.astype("<f4").tobytes()


def _f16(values: Array) -> bytes:
    import numpy as np

    with np.errstate(over="ignore"):
        half = values.astype("<f2")
    if not np.isfinite(half).all():
        raise DlmError(
            "some of the weights are too large for half precision", hint="use --precision bf16"
        )
    return half.tobytes()


def _bf16(values: Array) -> bytes:
    """Rounded to the nearest, half to even."""
    import numpy as np

    bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
    return ((bits + 0x7FFF + (bits >> 16 & 1)) >> 16).astype("<u2").tobytes()
