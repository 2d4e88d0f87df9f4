"""Generation and scoring for small Llama bases with numpy alone.

It exists for its start-up time: importing torch and transformers takes many times longer than a
small model needs to answer. Larger and other models are for the torch engine; that this one gives
the same results is tested against it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path

import numpy as np

from dlm.engine.native_llama import Cache, Llama
from dlm.engine.native_tensors import Array
from dlm.engine.native_threads import one_thread
from dlm.engine.native_weights import can_read, read_shape, read_weights
from dlm.errors import BaseModelError

# Long inputs are read in parts, so that attention needs little memory.
_BLOCK = 256


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

    @one_thread()
    def nll(self, ids: Sequence[int], supervised: Sequence[bool]) -> list[float]:
        """Negative log-likelihood, in nats, of each supervised token given all before it.

        The first token of a row has nothing before it and is never scored.
        """
        self._check(ids)
        cache = Cache(self._model.shape, len(ids))
        losses: list[float] = []
        start = 0
        for hidden in self._read(ids, cache):
            end = min(start + len(hidden), len(ids) - 1)
            rows = [i for i in range(start, end) if supervised[i + 1]]
            if rows:
                scores = self._model.logits(hidden[[i - start for i in rows]])
                losses += _losses(scores, [ids[i + 1] for i in rows])
            start += len(hidden)
        return losses

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


def _losses(scores: Array, targets: Sequence[int]) -> list[float]:
    highest = scores.max(axis=-1)
    normaliser = highest + np.log(np.exp(scores - highest[:, None]).sum(axis=-1))
    chosen = scores[np.arange(len(targets)), np.asarray(targets)]
    return [float(loss) for loss in normaliser - chosen]
