"""Rows that repeat themselves: text, then spans of it again, which teaches copying early."""

from __future__ import annotations

import random

from recipe.chat_format import END_OF_TEXT, TAUGHT, UNTAUGHT, Tokens

_SHORTEST, _LONGEST = 8, 64  # tokens of a span


def echo(ids: list[int], rng: random.Random, length: int) -> Tokens:
    """Some tokens of a text, and as many again in spans copied from them.

    Where a span begins cannot be foreseen, so that its first token counts nothing.
    """
    half = min(length // 2, len(ids))
    begin = rng.randrange(len(ids) - half + 1)
    shown = ids[begin : begin + half]
    copied: list[int] = []
    weights: list[int] = []
    while len(copied) < half:
        span = min(rng.randint(_SHORTEST, _LONGEST), half - len(copied), half)
        at = rng.randrange(half - span + 1)
        copied += shown[at : at + span]
        weights += [UNTAUGHT] + [TAUGHT] * (span - 1)
    counts = [UNTAUGHT, *[TAUGHT] * half, *weights, TAUGHT]
    return Tokens([END_OF_TEXT, *shown, *copied, END_OF_TEXT], counts)
