"""Which authored pairs are held out of training and only measured, when the owner asks for that.

The choice hangs on nothing but (seed, section id, question): an edit of another section moves no
pair across the split.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dlm.data.examples import Example


def split(
    examples: Sequence[Example], fraction: float, seed: int
) -> tuple[list[Example], list[Example]]:
    """What trains and what is held out, both in order; about `fraction` of the plain pairs.

    Prose, probes and pairs that a tool wrote always train. So does one pair at least: where all
    would be held out, the one that a larger fraction would have taken last stays.
    """
    chosen = [e for e in examples if e.plain and place(e, seed) < fraction]
    pairs = [e for e in examples if e.question is not None]
    if chosen and len(chosen) == len(pairs):
        last = max(place(e, seed) for e in chosen)
        chosen = [e for e in chosen if place(e, seed) < last]
    held = {id(e) for e in chosen}
    return [e for e in examples if id(e) not in held], chosen


def place(example: Example, seed: int) -> float:
    """Where a pair stands from 0 to 1; those below the fraction are held out."""
    named = f"{seed}\n{example.section_id}\n{example.question}"
    digest = hashlib.sha256(named.encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8], "big") / 2**64
