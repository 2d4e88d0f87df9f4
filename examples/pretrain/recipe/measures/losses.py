"""Loss on held-out text, by source. Bits a byte compare bases of different tokenizers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dlm.engine.resident import Resident, Score, Scored


def losses(base: Resident, texts: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """Nats per token of all texts, and bits per byte of all and of each source."""
    sums: dict[str, _Sum] = {}
    for source, found in texts.items():
        scores = base.score([Scored(None, text) for text in found], adapter=False)
        for text, score in zip(found, scores, strict=True):
            for name in ("all", source) if score.tokens else ():
                sums.setdefault(name, _Sum()).add(text, score)
    whole = sums.get("all", _Sum())
    return {
        "texts": whole.texts,
        "nats_per_token": whole.nats / max(1, whole.tokens),
        "bits_per_byte": {name: one.bits_per_byte for name, one in sums.items()},
    }


@dataclass(slots=True)
class _Sum:
    """Over texts; those too long for the context of a base are not among them."""

    nats: float = 0.0
    tokens: int = 0
    size: int = 0
    texts: int = 0

    def add(self, text: str, score: Score) -> None:
        self.nats += score.nll * score.tokens
        self.tokens += score.tokens
        self.size += len(text.strip().encode("utf-8"))
        self.texts += 1

    @property
    def bits_per_byte(self) -> float:
        return self.nats / self.size / math.log(2)
