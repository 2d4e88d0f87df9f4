"""The Llama decoder in numpy: token ids in, hidden states and logits out, with a key-value cache.

Knows nothing of files, text or sampling. T is tokens at hand, S tokens in the cache, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dlm.engine.native_tensors import Array
from dlm.engine.native_weights import Layer, Shape, Weights


class Cache:
    """Keys and values of the tokens seen so far, (layers, kv_heads, capacity, head_dim) each."""

    def __init__(self, shape: Shape, capacity: int) -> None:
        dimensions = (shape.layers, shape.kv_heads, capacity, shape.head_dim)
        self.keys: Array = np.empty(dimensions, dtype=np.float32)
        self.values: Array = np.empty(dimensions, dtype=np.float32)
        self.length = 0


class Llama:
    """A frozen decoder: RMS norm, rotary positions, grouped-query attention, SwiGLU."""

    def __init__(self, shape: Shape, weights: Weights) -> None:
        self.shape = shape
        self._weights = weights
        exponents = np.arange(0, shape.head_dim, 2, dtype=np.float32) / np.float32(shape.head_dim)
        # Powers are rounded once, as torch does: far positions magnify the last bit of an angle.
        powers = np.float64(shape.theta) ** exponents.astype(np.float64)
        self._frequencies: Array = np.float32(1) / powers.astype(np.float32)

    def read(self, ids: Sequence[int], cache: Cache) -> Array:
        """Append `ids` to the cache and return their last hidden states, normed, (T, hidden)."""
        x = self._weights.embedding[np.asarray(ids)]
        cosine, sine = self._rotation(cache.length, len(ids))
        for number, layer in enumerate(self._weights.layers):
            keys, values = cache.keys[number], cache.values[number]
            x = x + self._attend(layer, x, keys, values, cache.length, cosine, sine)
            x = x + self._mlp(layer, x)
        cache.length += len(ids)
        return self._norm(x, self._weights.norm)

    def logits(self, hidden: Array) -> Array:
        """Scores of every next token, (T, V)."""
        scores: Array = hidden @ self._weights.head.T
        return scores

    def _rotation(self, start: int, count: int) -> tuple[Array, Array]:
        """Cosine and sine of each position's angles, (T, head_dim / 2)."""
        positions = np.arange(start, start + count, dtype=np.float32)
        angles = positions[:, None] * self._frequencies[None, :]
        return np.cos(angles), np.sin(angles)

    def _attend(
        self,
        layer: Layer,
        x: Array,
        keys: Array,
        values: Array,
        seen: int,
        cosine: Array,
        sine: Array,
    ) -> Array:
        shape, count = self.shape, len(x)
        end = seen + count
        projected = self._norm(x, layer.attention_norm) @ layer.query_key_value.T
        parts = projected.reshape(count, -1, shape.head_dim).transpose(1, 0, 2)
        turned = _rotate(parts[: shape.heads + shape.kv_heads], cosine, sine)
        keys[:, seen:end] = turned[shape.heads :]
        values[:, seen:end] = parts[shape.heads + shape.kv_heads :]
        # Heads that share keys are laid side by side: (kv_heads, group * T, head_dim).
        query = turned[: shape.heads].reshape(shape.kv_heads, -1, shape.head_dim)
        scores = query @ keys[:, :end].transpose(0, 2, 1) / np.float32(shape.head_dim**0.5)
        if count > 1:
            hidden = np.arange(end)[None, :] > np.arange(seen, end)[:, None]
            by_token = scores.reshape(shape.heads, count, end)
            by_token[:, hidden] = -np.inf
        mixed = _softmax(scores) @ values[:, :end]
        joined = mixed.reshape(shape.heads, count, shape.head_dim).transpose(1, 0, 2)
        out: Array = (joined.reshape(count, -1) @ layer.output.T).astype(np.float32, copy=False)
        return out

    def _mlp(self, layer: Layer, x: Array) -> Array:
        both = self._norm(x, layer.mlp_norm) @ layer.gate_up.T
        gate, up = np.split(both, 2, axis=-1)
        out: Array = (_silu(gate) * up) @ layer.down.T
        return out

    def _norm(self, x: Array, weight: Array) -> Array:
        mean_square = np.mean(x * x, axis=-1, keepdims=True)
        out: Array = x / np.sqrt(mean_square + np.float32(self.shape.epsilon)) * weight
        return out


def _rotate(x: Array, cosine: Array, sine: Array) -> Array:
    """Turn the halves of each head against one another by its position's angles."""
    first, second = np.split(x, 2, axis=-1)
    turned = (first * cosine - second * sine, second * cosine + first * sine)
    return np.concatenate(turned, axis=-1)


def _softmax(scores: Array) -> Array:
    raised = np.exp(scores - scores.max(axis=-1, keepdims=True))
    out: Array = raised / raised.sum(axis=-1, keepdims=True)
    return out


def _silu(x: Array) -> Array:
    # exp overflows to infinity for very negative x, and x / infinity is the right answer: 0.
    with np.errstate(over="ignore"):
        out: Array = (x / (np.float32(1) + np.exp(-x))).astype(np.float32, copy=False)
    return out
