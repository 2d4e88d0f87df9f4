"""Generation for small Llama bases with numpy alone.

It exists for its start-up time: importing torch and transformers takes many times longer than a
small model needs to answer. Larger and other models are for the torch engine; that this one gives
the same results is tested against it. In shapes, T is tokens at hand, V the vocabulary.
"""

from __future__ import annotations

import contextlib
import ctypes
from collections.abc import Callable, Collection, Iterator, Sequence
from functools import cache
from pathlib import Path

import numpy as np

from dlm.engine.native_weights import (
    Layer,
    Shape,
    Weights,
    can_read,
    read_shape,
    read_weights,
)
from dlm.errors import BaseModelError
from dlm.tensors import Array

# Long inputs are read in parts, so that attention needs little memory.
_BLOCK = 256


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Keep matrix products on the calling thread inside; the old number of threads comes back.

    numpy's OpenBLAS wakes every core for products that take microseconds, and on a busy machine
    waits for them ten times longer than one core needs.
    """
    library = _openblas()
    if library is None:
        yield
        return
    before = library.scipy_openblas_get_num_threads64_()
    library.scipy_openblas_set_num_threads64_(1)
    try:
        yield
    finally:
        library.scipy_openblas_set_num_threads64_(before)


class NativeEngine:
    """One base model, perhaps with an adapter, ready to generate and score."""

    def __init__(self, model: Llama) -> None:
        self._model = model

    @classmethod
    def load(cls, folder: Path, adapter: Path | None = None) -> NativeEngine:
        """Read the base in `folder` and merge the LoRA adapter folder into it.

        Raises BaseModelError where `supports` says no, or when the adapter fits another base.
        """
        shape = read_shape(folder) if cls.supports(folder, adapter) else None
        if shape is None:
            raise BaseModelError(
                f"the native engine cannot run {folder}",
                hint="use the torch engine for models that are large or no plain Llama",
            )
        with one_thread():
            return cls(Llama(shape, read_weights(folder, shape, adapter)))

    @staticmethod
    def supports(folder: Path, adapter: Path | None = None) -> bool:
        """Whether this engine runs the base and adapter: small plain Llama, plain LoRA."""
        return can_read(folder, adapter)

    @property
    def context_length(self) -> int:
        """How many tokens the base reads at once; prompt and answer together never exceed it."""
        return self._model.shape.context_length

    @one_thread()
    def generate(
        self,
        ids: Sequence[int],
        *,
        max_new_tokens: int,
        temperature: float = 0.0,
        top_p: float = 1.0,
        seed: int = 0,
        stop_ids: Collection[int] = (),
        on_token: Callable[[int], None] | None = None,
    ) -> list[int]:
        """Continue `ids` up to a stop id, which is left out, or until budget or context is used up.

        Temperature 0 takes the likeliest token; otherwise the same seed draws the same tokens.
        `on_token` gets each token as it comes. BaseModelError when the prompt leaves no room.
        """
        self._check(ids, room=1)
        budget = min(max_new_tokens, self.context_length - len(ids))
        random = np.random.default_rng(seed)
        cache = Cache(self._model.shape, len(ids) + budget)
        generated: list[int] = []
        unread = list(ids)
        while len(generated) < budget:
            for hidden in self._read(unread, cache):
                last = hidden[-1:]
            token = _choose(self._model.logits(last)[0], temperature, top_p, random)
            if token in stop_ids:
                break
            generated.append(token)
            if on_token is not None:
                on_token(token)
            unread = [token]
        return generated

    @one_thread()
    def logits(self, ids: Sequence[int]) -> Array:
        """The scores of every next token after each of `ids`, (T, V)."""
        self._check(ids)
        cache = Cache(self._model.shape, len(ids))
        return np.concatenate([self._model.logits(hidden) for hidden in self._read(ids, cache)])

    def _read(self, ids: Sequence[int], cache: Cache) -> Iterator[Array]:
        for start in range(0, len(ids), _BLOCK):
            yield self._model.read(ids[start : start + _BLOCK], cache)

    def _check(self, ids: Sequence[int], *, room: int = 0) -> None:
        if not ids:
            raise ValueError("a model needs at least one token to go on from")
        if len(ids) + room > self.context_length:
            raise BaseModelError(
                f"{len(ids)} tokens do not fit the {self.context_length} this base model can read",
                hint="shorten the prompt, or choose a base model with a longer context",
            )


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


def _choose(scores: Array, temperature: float, top_p: float, random: np.random.Generator) -> int:
    """The next token: the likeliest, or drawn from the likeliest that together reach `top_p`."""
    if temperature <= 0:
        return int(scores.argmax())
    scaled = scores.astype(np.float64) / temperature
    weights = np.exp(scaled - scaled.max())
    order = np.argsort(-weights, kind="stable")
    total = np.cumsum(weights[order])
    total /= total[-1]
    kept = int(np.searchsorted(total, top_p)) + 1 if top_p < 1 else len(total)
    drawn = random.random() * total[min(kept, len(total)) - 1]
    return int(order[min(int(np.searchsorted(total, drawn, side="right")), kept - 1)])


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


@cache
def _openblas() -> ctypes.CDLL | None:
    """The copy of OpenBLAS that numpy's own wheels bring and have loaded already."""
    package = Path(np.__file__).parent
    for folder in (package.parent / "numpy.libs", package / ".dylibs"):
        for path in folder.glob("libscipy_openblas64_*"):
            with contextlib.suppress(OSError, AttributeError):
                library = ctypes.CDLL(str(path))
                library.scipy_openblas_get_num_threads64_.restype = ctypes.c_int
                library.scipy_openblas_set_num_threads64_.argtypes = [ctypes.c_int]
                return library
    return None
