"""Tokenised documents on disk: written once on CPU cores, mapped into memory while training.

A stream is a folder of shards; shard n is `tokens-n.bin` (uint16 ids), `weights-n.bin` (uint8, what
each token counts, see chat_format) and `starts-n.npy` (where each document begins, and the end).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from dlm.errors import DlmError
from recipe.chat_format import Tokens

_SHARD_TOKENS: Final = 20_000_000  # 60 MB of ids and weights: small enough to upload one by one

Ids = npt.NDArray[np.uint16]
Weights = npt.NDArray[np.uint8]
Packed = tuple[Ids, Weights]  # of one document


def packed(tokens: Tokens) -> Packed:
    """A document as arrays, a tenth of the memory of lists."""
    return np.array(tokens.ids, dtype=np.uint16), np.array(tokens.weights, dtype=np.uint8)


def write_stream(folder: Path, documents: Iterable[Packed]) -> int:
    """Write the documents in their order; returns how many tokens that are."""
    folder.mkdir(parents=True)
    pending: list[Packed] = []
    size = total = number = 0
    for document in documents:
        pending.append(document)
        size += len(document[0])
        if size >= _SHARD_TOKENS:
            _write_shard(folder, number, pending)
            total, number, pending, size = total + size, number + 1, [], 0
    if pending or not number:
        _write_shard(folder, number, pending)
    return total + size


class Stream:
    """The documents of a stream, by number; nothing is read before it is asked for."""

    def __init__(self, folder: Path) -> None:
        starts = sorted(folder.glob("starts-*.npy"))
        if not starts:
            raise DlmError(
                f"{folder} holds no tokenised documents",
                hint="curriculum.py writes them; name the folder given as its --out",
            )
        self._starts = [np.load(path) for path in starts]
        self._ids = [_mapped(_beside(path, "tokens"), np.uint16) for path in starts]
        self._weights = [_mapped(_beside(path, "weights"), np.uint8) for path in starts]
        self._first = np.cumsum([0, *(len(one) - 1 for one in self._starts)])
        for path, places, ids in zip(starts, self._starts, self._ids, strict=True):
            if places[-1] != len(ids):
                raise DlmError(
                    f"{path.parent} is damaged: {path.name} does not fit its tokens",
                    hint="copy the folder again, or make it again with curriculum.py",
                )

    def __len__(self) -> int:
        return int(self._first[-1])

    @property
    def tokens(self) -> int:
        return sum(len(ids) for ids in self._ids)

    def length(self, number: int) -> int:
        shard, place = self._place(number)
        starts = self._starts[shard]
        return int(starts[place + 1] - starts[place])

    def read(self, number: int, offset: int, length: int) -> tuple[Ids, Weights]:
        """At most `length` tokens of a document from `offset` on, and what they count."""
        shard, place = self._place(number)
        begin = int(self._starts[shard][place]) + offset
        end = min(begin + length, int(self._starts[shard][place + 1]))
        return self._ids[shard][begin:end], self._weights[shard][begin:end]

    def fingerprint(self) -> str:
        """Tells two streams apart by their lengths and a part of their tokens."""
        digest = hashlib.sha256()
        for starts, ids in zip(self._starts, self._ids, strict=True):
            digest.update(starts.tobytes())
            digest.update(ids[:: max(1, len(ids) // 100_000)].tobytes())
        return digest.hexdigest()[:16]

    def _place(self, number: int) -> tuple[int, int]:
        shard = int(np.searchsorted(self._first, number, side="right")) - 1
        return shard, number - int(self._first[shard])


def _write_shard(folder: Path, number: int, documents: Sequence[Packed]) -> None:
    none = np.zeros(0, dtype=np.uint16), np.zeros(0, dtype=np.uint8)
    ids, weights = (np.concatenate(column) for column in zip(none, *documents, strict=True))
    starts = np.cumsum([0, *(len(one) for one, _ in documents)], dtype=np.int64)
    ids.tofile(folder / f"tokens-{number:03}.bin")
    weights.tofile(folder / f"weights-{number:03}.bin")
    np.save(folder / f"starts-{number:03}.npy", starts)


def _beside(starts: Path, name: str) -> Path:
    return starts.with_name(starts.name.replace("starts", name)).with_suffix(".bin")


def _mapped(path: Path, kind: type) -> npt.NDArray[Any]:
    if path.stat().st_size == 0:  # an empty file cannot be mapped
        return np.zeros(0, dtype=kind)
    return np.memmap(path, dtype=kind, mode="r")
