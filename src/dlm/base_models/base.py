"""What is known about one base model. Plain facts; where its files lie is `locate`'s business."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

_PREFERENCE_SHARE: Final = (
    1 / 40
)  # of the SFT rate; preference training overshoots long before SFT does


@dataclass(frozen=True, slots=True)
class BaseModel:
    """A frozen base model: `hf_id` is what `from_pretrained` takes, a hub id or an absolute folder.

    `params` counts tied weights once and is 0 when unknown, as are `layers`, `hidden_size` and
    `vocab_size`. `revision` is a commit hash or a branch; it means nothing for a folder.
    """

    key: str
    hf_id: str
    family: str
    architecture: str
    params: int
    layers: int
    hidden_size: int
    vocab_size: int
    context_length: int
    license_spdx: str
    sft_learning_rate: float
    revision: str = "main"
    modality: str = "text"
    requires_acceptance: bool = False
    chat: bool = True
    thinking: bool = False
    note: str = ""

    @property
    def size_gb_fp16(self) -> float:
        """Gigabytes of the weights at two bytes each."""
        return round(self.params * 2 / 1e9, 2)

    @property
    def preference_learning_rate(self) -> float:
        """The rate for DPO and ORPO."""
        return self.sft_learning_rate * _PREFERENCE_SHARE

    @property
    def folder(self) -> Path | None:
        """The folder of a local base; None for one that comes from the hub."""
        path = Path(self.hf_id)
        return path if path.is_absolute() else None


def learning_rate(params: int) -> float:
    """The SFT rate for LoRA on a base of `params` weights; a smaller base takes a larger one."""
    if 0 < params <= 20_000_000:
        return 1.5e-3
    if 0 < params <= 200_000_000:
        return 5e-4
    if 0 < params <= 1_000_000_000:
        return 3e-4
    return 2e-4
