"""Rows of training: documents of several streams laid end to end, nothing padded.

What comes next is a function of the seed and of a small state, which a checkpoint keeps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from recipe.chat_format import LOSS_WEIGHTS, PAD
from recipe.shards import Stream


@dataclass(frozen=True, slots=True)
class Batch:
    """`ids`, `targets`, `documents` int64 and `weights` float32, each [rows, length].

    `documents` numbers the documents of a row; a token may look at those of its own only.
    """

    ids: npt.NDArray[np.int64]
    targets: npt.NDArray[np.int64]
    weights: npt.NDArray[np.float32]
    documents: npt.NDArray[np.int64]


@dataclass(slots=True)
class Cursor:
    """Where a stream is read: pass, place in the order of that pass, token of the document."""

    epoch: int = 0
    place: int = 0
    offset: int = 0


class Packer:
    """Fills rows from the stream that is furthest behind its share of the tokens.

    Documents of the first stream may be cut at the end of a row, and go on in a later one; those of
    the others stand whole. `seed` decides the order of every pass over every stream.
    """

    def __init__(self, streams: Mapping[str, Stream], length: int, seed: int) -> None:
        self._streams = {name: stream for name, stream in streams.items() if len(stream)}
        self._filler = next(iter(self._streams))
        self._length, self._seed = length, seed
        self._cursors = {name: Cursor() for name in self._streams}
        self._owed = dict.fromkeys(self._streams, 0.0)
        self._orders: dict[str, tuple[int, npt.NDArray[np.int64]]] = {}

    def batch(self, rows: int, shares: Mapping[str, float]) -> Batch:
        """The next rows; `shares` of the streams need not add up to one."""
        width = self._length + 1
        ids = np.full((rows, width), PAD, dtype=np.int64)
        weights = np.zeros((rows, width), dtype=np.float32)
        documents = np.zeros((rows, width), dtype=np.int64)
        for row in range(rows):
            self._fill(ids[row], weights[row], documents[row], shares)
        return Batch(ids[:, :-1], ids[:, 1:], weights[:, 1:], documents[:, :-1])

    def passes(self) -> dict[str, float]:
        """How often each stream was read so far."""
        return {
            name: cursor.epoch + cursor.place / len(self._streams[name])
            for name, cursor in self._cursors.items()
        }

    def state_dict(self) -> dict[str, Any]:
        cursors = {name: (one.epoch, one.place, one.offset) for name, one in self._cursors.items()}
        return {"cursors": cursors, "owed": dict(self._owed)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._cursors = {name: Cursor(*values) for name, values in state["cursors"].items()}
        self._owed = dict(state["owed"])

    def _fill(
        self,
        ids: npt.NDArray[np.int64],
        weights: npt.NDArray[np.float32],
        documents: npt.NDArray[np.int64],
        shares: Mapping[str, float],
    ) -> None:
        begin, number = 0, 0
        while begin < len(ids):
            name = self._next(len(ids) - begin)
            taken, counts = self._take(name, len(ids) - begin)
            end = begin + len(taken)
            ids[begin:end] = taken
            weights[begin:end] = np.asarray(LOSS_WEIGHTS, dtype=np.float32)[counts]
            weights[begin] = 0.0  # nothing of its document stands before it
            documents[begin:end] = number
            self._pay(name, len(taken), shares)
            begin, number = end, number + 1

    def _next(self, room: int) -> str:
        """The stream that is owed most, or the first where a whole document finds no room."""
        name = max(self._owed, key=lambda one: self._owed[one])
        if name == self._filler or self._streams[name].length(self._document(name)) <= room:
            return name
        return self._filler

    def _take(self, name: str, room: int) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
        stream, cursor = self._streams[name], self._cursors[name]
        number = self._document(name)
        ids, counts = stream.read(number, cursor.offset, room)
        cursor.offset += len(ids)
        if cursor.offset >= stream.length(number):
            cursor.offset, cursor.place = 0, cursor.place + 1
        return ids, counts

    def _pay(self, name: str, tokens: int, shares: Mapping[str, float]) -> None:
        whole = sum(shares.get(one, 0.0) for one in self._streams)
        for one in self._owed:
            self._owed[one] += tokens * shares.get(one, 0.0) / whole
        self._owed[name] -= tokens

    def _document(self, name: str) -> int:
        """The number of the document that is read next; the order is drawn anew for each pass."""
        cursor, count = self._cursors[name], len(self._streams[name])
        if cursor.place >= count:
            cursor.epoch, cursor.place = cursor.epoch + 1, 0
        known = self._orders.get(name)
        if known is None or known[0] != cursor.epoch:
            draws = [self._seed, list(self._streams).index(name), cursor.epoch]
            known = cursor.epoch, np.random.default_rng(draws).permutation(count)
            self._orders[name] = known
        return int(known[1][cursor.place])


def held_out_batches(stream: Stream, length: int, rows: int, most: int) -> Sequence[Batch]:
    """Fixed rows of a held-out stream, whole batches of `rows`, at most `most` of them."""
    packer = Packer({"held out": stream}, length, seed=0)
    whole = stream.tokens // (rows * (length + 1))
    return [packer.batch(rows, {"held out": 1.0}) for _ in range(min(most, max(1, whole)))]
