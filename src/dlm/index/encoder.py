"""A sentence encoder without torch: all-MiniLM-L6-v2 (Wang et al. 2020; Reimers and Gurevych 2019).

Its weights are read where they lie: in `$DLM_HOME/bases`, or in an installed package that carries
them. A BERT of six layers (Devlin et al. 2019), 384 wide, whose outputs are averaged over the
tokens of a text; two texts that mean the same have a cosine near 1.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from dlm.base_models.carried import ENCODER_NAME, encoder_folder
from dlm.errors import BaseModelError

if TYPE_CHECKING:
    from collections.abc import Mapping

_HEADS: Final = 12
_LONGEST: Final = 256  # tokens of a text; what follows is not read
_AT_ONCE: Final = 2048  # tokens of a batch, padding counted
_REMEMBERED: Final = 32_768  # texts
_EPSILON: Final = 1e-12
_FAR: Final = np.float32(-1e9)  # a logit that gets no attention

Floats = NDArray[np.float32]


class SentenceEncoder:
    """Texts as unit vectors; those of the last texts are remembered. Threads may share it."""

    def __init__(self, folder: Path) -> None:
        from safetensors.numpy import load_file
        from tokenizers import Tokenizer

        self._tokenizer: Any = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.enable_truncation(_LONGEST)
        self._tokenizer.no_padding()
        weights = load_file(folder / "model.safetensors")
        self._words = weights["embeddings.word_embeddings.weight"]
        # Every token is of the first segment.
        self._places = (
            weights["embeddings.position_embeddings.weight"]
            + weights["embeddings.token_type_embeddings.weight"][0]
        )
        self._norm = _pair(weights, "embeddings.LayerNorm")
        count = sum(name.endswith("attention.self.query.weight") for name in weights)
        self._layers = [_Layer(weights, f"encoder.layer.{at}") for at in range(count)]
        self._known: dict[str, NDArray[np.float16]] = {}
        self._lock = threading.Lock()

    def encode(self, texts: Sequence[str]) -> Floats:
        """(texts, 384): a vector of length 1 for each text."""
        with self._lock:
            known = self._known
            new = [text for text in dict.fromkeys(texts) if text not in known]
            for text, vector in self._computed(new):
                known[text] = vector.astype(np.float16)
            found = np.array([known[text] for text in texts], dtype=np.float32)
            if len(known) > _REMEMBERED:
                self._known = dict(islice(known.items(), len(known) - _REMEMBERED // 2, None))
        return found.reshape(len(texts), self._words.shape[1])

    def _computed(self, texts: Sequence[str]) -> Iterator[tuple[str, Floats]]:
        """Each text and its vector, texts of like length together."""
        ids = [one.ids for one in self._tokenizer.encode_batch(list(texts))]
        order = sorted(range(len(ids)), key=lambda at: len(ids[at]))
        while order:
            longest, size = 1, 0
            while size < len(order) and (size + 1) * (longest := len(ids[order[size]])) <= _AT_ONCE:
                size += 1
            batch, order = order[: max(1, size)], order[max(1, size) :]
            longest = len(ids[batch[-1]])
            tokens = np.zeros((len(batch), longest), dtype=np.int64)
            real = np.zeros((len(batch), longest), dtype=np.bool_)
            for row, at in enumerate(batch):
                tokens[row, : len(ids[at])] = ids[at]
                real[row, : len(ids[at])] = True
            for at, vector in zip(batch, self._forward(tokens, real), strict=True):
                yield texts[at], vector

    def _forward(self, tokens: NDArray[np.int64], real: NDArray[np.bool_]) -> Floats:
        """(B, D) unit vectors of (B, L) tokens, of which those that are not `real` only pad."""
        state = _normed(self._words[tokens] + self._places[: tokens.shape[1]], self._norm)
        unseen = np.where(real, np.float32(0), _FAR)[:, None, None, :]
        for layer in self._layers:
            state = layer(state, unseen)
        mean = (state * real[..., None]).sum(axis=1)
        return np.asarray(mean / np.linalg.norm(mean, axis=1, keepdims=True))


class _Layer:
    """Attention and the feed-forward network behind it, each added to its input and normalised."""

    def __init__(self, weights: Mapping[str, Floats], name: str) -> None:
        own = [_pair(weights, f"{name}.attention.self.{one}") for one in ("query", "key", "value")]
        self._inputs = np.concatenate([w for w, _ in own]), np.concatenate([b for _, b in own])
        self._output = _pair(weights, f"{name}.attention.output.dense")
        self._attended = _pair(weights, f"{name}.attention.output.LayerNorm")
        self._wide = _pair(weights, f"{name}.intermediate.dense")
        self._narrow = _pair(weights, f"{name}.output.dense")
        self._done = _pair(weights, f"{name}.output.LayerNorm")

    def __call__(self, state: Floats, unseen: Floats) -> Floats:
        """(B, L, D) from (B, L, D); `unseen` (B, 1, 1, L) is added to the logits of attention."""
        rows, length, width = state.shape
        each = width // _HEADS
        split = _linear(state, self._inputs).reshape(rows, length, 3, _HEADS, each)
        query, key, value = split.transpose(2, 0, 3, 1, 4)  # each (B, heads, L, D / heads)
        logits = query @ key.swapaxes(2, 3) / np.float32(np.sqrt(each)) + unseen
        logits -= logits.max(axis=-1, keepdims=True)
        shares = np.exp(logits, out=logits)
        shares /= shares.sum(axis=-1, keepdims=True)
        mixed = (shares @ value).swapaxes(1, 2).reshape(rows, length, width)
        state = _normed(state + _linear(mixed, self._output), self._attended)
        return _normed(state + _linear(_gelu(_linear(state, self._wide)), self._narrow), self._done)


@lru_cache(maxsize=1)
def sentence_encoder() -> SentenceEncoder | None:
    """The encoder; None where its weights are not on this machine.

    Raises BaseModelError when what is there cannot be read.
    """
    folder = encoder_folder()
    return _read(folder) if folder else None


def _read(folder: Path) -> SentenceEncoder:
    try:
        return SentenceEncoder(folder)
    except Exception as error:  # safetensors and tokenizers raise what they like
        raise BaseModelError(
            f"the sentence encoder in {folder} cannot be read: {error}",
            hint=f"remove that folder, then `dlm base pull {ENCODER_NAME}`",
        ) from error


def _pair(weights: Mapping[str, Floats], name: str) -> tuple[Floats, Floats]:
    return weights[f"{name}.weight"], weights[f"{name}.bias"]


def _linear(state: Floats, pair: tuple[Floats, Floats]) -> Floats:
    """(…, out) of (…, in), as one product."""
    weight, bias = pair
    flat = state.reshape(-1, state.shape[-1]) @ weight.T
    flat += bias
    return flat.reshape(*state.shape[:-1], len(weight))


def _normed(state: Floats, pair: tuple[Floats, Floats]) -> Floats:
    state = state - state.mean(axis=-1, keepdims=True)
    state /= np.sqrt((state * state).mean(axis=-1, keepdims=True) + np.float32(_EPSILON))
    return np.asarray(state * pair[0] + pair[1])


def _gelu(x: Floats) -> Floats:
    """x times the normal distribution function, whose error here is below 2e-7.

    By formula 7.1.26 of Abramowitz and Stegun.
    """
    size = np.abs(x) * np.float32(np.sqrt(0.5))
    part = 1 / (1 + np.float32(0.3275911) * size)
    series = np.full_like(x, 1.061405429)
    for factor in (-1.453152027, 1.421413741, -0.284496736, 0.254829592):
        series *= part
        series += np.float32(factor)
    tail = series * part * np.exp(-size * size) / 2  # of the distribution beyond |x|
    return np.asarray(x * np.where(x < 0, tail, 1 - tail), dtype=np.float32)
