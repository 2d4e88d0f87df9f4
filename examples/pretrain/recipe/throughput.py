"""Tokens a second, and what share of the chip's peak that is."""

from __future__ import annotations

import time
from typing import Final

import torch

from recipe.llama import Shape

# Dense bfloat16 with float32 accumulation, in 1e12 operations a second, as the makers state it.
_PEAKS: Final = {
    "H200": 989, "H100": 989, "H800": 989, "B200": 2250, "A100": 312, "A800": 312, "L40S": 362,
    "L4": 121, "A10G": 70, "RTX 4090": 165, "RTX 3090": 71, "RTX 5090": 210, "T4": 65,
}  # fmt: skip


def peak_of(device: torch.device, stated: float | None = None) -> float | None:
    """Operations a second: `stated` in 1e12, or by the name of the chip; None where unknown."""
    if stated:
        return stated * 1e12
    if device.type != "cuda":
        return None
    name = torch.cuda.get_device_name(device)
    longest = max((key for key in _PEAKS if key in name), key=len, default=None)
    return None if longest is None else _PEAKS[longest] * 1e12


class Meter:
    """Counts tokens between two readings. The first seconds hold the compiler, not the chip."""

    def __init__(self, shape: Shape, peak: float | None) -> None:
        self._flops, self._peak = shape.flops_per_token, peak
        self._tokens, self._since = 0, time.monotonic()

    def count(self, tokens: int) -> None:
        self._tokens += tokens

    def read(self) -> tuple[float, float | None]:
        """Tokens a second since the last reading, and the share of the peak, 0..1, if known."""
        now = time.monotonic()
        speed = self._tokens / max(now - self._since, 1e-9)
        self._tokens, self._since = 0, now
        return speed, None if self._peak is None else speed * self._flops / self._peak
