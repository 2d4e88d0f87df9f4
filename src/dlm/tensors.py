"""Files in the safetensors format: headers, tensors, plain LoRA adapters. The only reader of them.

Knows no torch, and numpy only once numbers are asked for. What is wrong with a header is said by
whoever asked for it.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from dlm.errors import BaseModelError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

Array: TypeAlias = "npt.NDArray[np.float32]"

_LARGEST_HEADER: Final = 100_000_000  # bytes; what the format itself allows
_BYTES: Final = {"BF16": 2, "F16": 2, "F32": 4}
_FORMATS: Final = {"BF16": "<u2", "F16": "<f2", "F32": "<f4"}
READABLE: Final = frozenset(_FORMATS)
"""The formats that `read_array` reads."""
_KEY: Final = re.compile(r"base_model\.model\.(.+)\.lora_([AB])\.weight")
# Settings under which an adapter is more than W + scaling * B·A, or scales layers differently.
_BEYOND_PLAIN: Final = (
    "alora_invocation_tokens",
    "alpha_pattern",
    "arrow_config",
    "fan_in_fan_out",
    "kasa_config",
    "layer_replication",
    "lora_bias",
    "megatron_config",
    "modules_to_save",
    "monteclora_config",
    "rank_pattern",
    "target_parameters",
    "trainable_token_indices",
    "use_bdlora",
    "use_dora",
    "use_qalora",
    "velora_config",
)
# Other ways to begin, such as PiSSA, change the base weights as well.
_BASE_KEPT: Final = (True, False, "gaussian", "orthogonal")


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


def write_tensors(
    path: Path, shapes: Mapping[str, tuple[int, ...]], dtype: str, data: Callable[[str], bytes]
) -> None:
    """Write a file of tensors of one format, asking `data` for one at a time. OSError as it comes.

    The same tensors give the same bytes. The data begin at a multiple of 8 bytes.
    """
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    end = 0
    for name, shape in sorted(shapes.items()):
        start, end = end, end + math.prod(shape) * _BYTES[dtype]
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [start, end]}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for name in sorted(shapes):
            file.write(data(name))


def read_array(entry: Tensor) -> Array:
    """One tensor in float32, exactly as it was saved; BaseModelError when the file is cut short."""
    import numpy as np

    with entry.path.open("rb") as file:
        file.seek(entry.start)
        data = file.read(entry.end - entry.start)
    if len(data) != entry.size * _BYTES[entry.dtype]:
        raise BaseModelError(
            f"{entry.path} is damaged: it ends before its weights do",
            hint="delete it and fetch it again, or go back to another adapter version",
        )
    raw = np.frombuffer(data, dtype=_FORMATS[entry.dtype])
    if entry.dtype == "BF16":
        # A bfloat16 is the upper half of a float32.
        values = (raw.astype(np.uint32) << 16).view(np.float32)
    else:
        values = raw.astype(np.float32)
    return values.reshape(entry.shape)


class Lora:
    """The adapter in a folder; its weights are read layer by layer, as they are asked for."""

    def __init__(self, folder: Path) -> None:
        """Read config and header. OSError or ValueError where the folder does not hold them."""
        text = (folder / "adapter_config.json").read_text(encoding="utf-8")
        self._config: dict[str, Any] = json.loads(text)
        self._entries = read_tensors(folder / "adapter_model.safetensors")

    def is_plain(self, *, onto: Collection[str]) -> bool:
        """Whether it is plain LoRA on some of the named linear layers and nothing else."""
        config = self._config
        matches = [_KEY.fullmatch(key) for key in self._entries]
        return (
            config.get("peft_type") == "LORA"
            and config.get("bias", "none") == "none"
            and config.get("init_lora_weights", True) in _BASE_KEPT
            and not any(config.get(key) for key in _BEYOND_PLAIN)
            and all(match is not None and match[1] in onto for match in matches)
            and all(entry.dtype in READABLE for entry in self._entries.values())
        )

    def delta(self, layer: str) -> Array | None:
        """What it adds to the weight of a linear layer: its scaling times B·A, (out, in)."""
        key = f"base_model.model.{layer}.lora_A.weight"
        if key not in self._entries:
            return None
        import numpy as np

        rank = self._config["r"]
        root = math.sqrt(rank) if self._config.get("use_rslora") else rank
        up = read_array(self._entries[key.replace(".lora_A.", ".lora_B.")])
        return np.float32(self._config["lora_alpha"] / root) * (up @ read_array(self._entries[key]))


def _tensor(path: Path, name: str, entry: dict[str, Any], begin: int) -> Tensor:
    start, end = (begin + int(offset) for offset in entry["data_offsets"])
    if not begin <= start <= end:
        raise ValueError(f"{name} lies outside the file")
    return Tensor(path, name, str(entry["dtype"]), tuple(map(int, entry["shape"])), start, end)
