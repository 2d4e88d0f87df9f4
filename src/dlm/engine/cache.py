"""A key-value cache that keeps room for what comes, so that a new token copies none of the old.

Import it where torch is running already: transformers comes with it.
"""

from __future__ import annotations

from typing import Any

import torch
from transformers.cache_utils import DynamicCache, DynamicLayer


def roomy_cache(config: Any, room: int) -> Any:
    """A cache for a model of `config` that expects `room` tokens after the first reading.

    Layers with a window or a state of their own stay as the library makes them.
    """
    cache = DynamicCache(config=config)
    cache.layers = [_Roomy(room) if type(one) is DynamicLayer else one for one in cache.layers]
    return cache


def can_share(cache: Any) -> bool:
    """Whether rows may share a part and be padded after it: only plain attention allows that."""
    return all(type(layer) is _Roomy for layer in cache.layers)


def join(cache: Any, other: Any, room: int) -> Any:
    """One cache with the rows of both, the shorter ones behind blanks; both `can_share`."""
    layers = []
    for mine, theirs in zip(cache.layers, other.layers, strict=True):
        length = max(mine.get_seq_length(), theirs.get_seq_length())
        layer = _Roomy(room)
        pairs = ((mine.keys, theirs.keys), (mine.values, theirs.values))
        keys, values = (torch.cat([_blanks(one, length) for one in pair]) for pair in pairs)
        layer.update(keys, values)
        layers.append(layer)
    joined = DynamicCache()
    joined.layers = layers
    return joined


def drop_first(cache: Any, tokens: int) -> None:
    """Forget the first tokens of every row; for a cache that `can_share`."""
    for layer in cache.layers:
        layer.drop_first(tokens)


def _blanks(states: torch.Tensor, length: int) -> torch.Tensor:
    """`states` (rows, heads, tokens, width) behind as many zeros as make it `length` tokens."""
    missing = length - states.shape[2]
    return torch.nn.functional.pad(states, (0, 0, missing, 0)) if missing else states


class _Roomy(DynamicLayer):  # type: ignore[misc]  # the library is untyped
    """`keys` and `values` (rows, heads, tokens, width) are views of longer buffers."""

    def __init__(self, room: int) -> None:
        super().__init__()
        self._room = room
        self._buffers: list[torch.Tensor] = []

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **named: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Append, and return all that was ever appended."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        start = self.get_seq_length()
        end = start + key_states.shape[-2]
        if not self._buffers or end > self._buffers[0].shape[-2]:
            self._make_room(key_states, value_states, start, end)
        for buffer, states in zip(self._buffers, (key_states, value_states), strict=True):
            buffer[:, :, start:end] = states
        self.keys, self.values = (buffer[:, :, :end] for buffer in self._buffers)
        return self.keys, self.values

    def batch_select_indices(self, indices: torch.Tensor) -> None:
        """Keep these rows, in this order; a row may come more than once."""
        super().batch_select_indices(indices)
        self._buffers = []

    def drop_first(self, tokens: int) -> None:
        """Forget the first tokens of every row."""
        self.keys, self.values = self.keys[:, :, tokens:], self.values[:, :, tokens:]
        self._buffers = []

    def _make_room(
        self, key_states: torch.Tensor, value_states: torch.Tensor, start: int, end: int
    ) -> None:
        held = (self.keys, self.values) if start else (None, None)
        self._buffers = []
        for states, old in zip((key_states, value_states), held, strict=True):
            rows, heads, _, width = states.shape
            buffer = states.new_empty(rows, heads, end + self._room, width)
            if old is not None:
                buffer[:, :, :start] = old
            self._buffers.append(buffer)
