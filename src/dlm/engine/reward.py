"""A reward model in memory: a sequence classifier that gives a conversation one number."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dlm.base_models import resolve
from dlm.base_models.locate import local_folder
from dlm.base_models.resolve import with_facts
from dlm.data.chat import Codec, Message
from dlm.engine.model import load_classifier
from dlm.hardware import detect, plan_answers

_ROWS_AT_ONCE = 8


class RewardModel:
    """Make one with `load`."""

    def __init__(self, network: Any, codec: Codec, device: str, torch: Any) -> None:
        self._network, self._codec, self._device, self._torch = network, codec, device, torch

    @classmethod
    def load(cls, key: str | Path) -> RewardModel:
        """Load a classifier by name or folder; BaseModelError when it cannot be had, or is none."""
        base = resolve(key)
        folder = local_folder(base)
        plan = plan_answers(detect(), with_facts(base, folder))
        codec = Codec.load(folder)
        network, torch = load_classifier(folder, plan, pad_id=codec.pad_id)
        return cls(network, codec, plan.device, torch)

    def rewards(self, rows: Sequence[tuple[Sequence[Message], str]]) -> list[float]:
        """The reward of each answer to its messages; NaN where both are too long to be read."""
        ids = [self._codec.reply(messages, answer).ids for messages, answer in rows]
        found = [math.nan] * len(rows)
        fitting = [i for i, row in enumerate(ids) if len(row) <= self._codec.context_length]
        fitting.sort(key=lambda i: len(ids[i]))
        for start in range(0, len(fitting), _ROWS_AT_ONCE):
            batch = fitting[start : start + _ROWS_AT_ONCE]
            for place, reward in zip(batch, self._batch([ids[i] for i in batch]), strict=True):
                found[place] = reward
        return found

    def _batch(self, rows: list[list[int]]) -> list[float]:
        torch, pad = self._torch, self._codec.pad_id
        width = max(map(len, rows))
        # Padded on the right: a classifier reads its last token that is no padding.
        ids = torch.tensor([[*row, *[pad] * (width - len(row))] for row in rows])
        mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows])
        with torch.inference_mode():
            logits = self._network(
                input_ids=ids.to(self._device), attention_mask=mask.to(self._device)
            ).logits.float()  # (rows, 1)
        return [float(value) for value in logits[:, 0].tolist()]
