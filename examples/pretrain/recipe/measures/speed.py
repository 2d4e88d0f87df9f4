"""Tokens a second of a base on this machine: reading a text, and writing one."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Final

from dlm.data.completion import Completion, Request
from dlm.engine.resident import Resident, Scored

_TEXTS: Final = 8


def speed(base: Resident, texts: Sequence[str]) -> dict[str, float]:
    """Tokens read a second in batches of eight; tokens written a second, one answer at a time."""
    some = [Scored(None, text) for text in texts[:_TEXTS]]
    base.score(some[:1], adapter=False)  # what is loaded first is not counted
    began = time.perf_counter()
    read = sum(score.tokens for score in base.score(some, adapter=False))
    reading = read / (time.perf_counter() - began)
    written = 0

    def done(_: int, told: Sequence[str]) -> None:
        nonlocal written
        written += sum(text.tokens for text in told if isinstance(text, Completion))

    began = time.perf_counter()
    for text in texts[:_TEXTS]:
        request = Request("", f"Tell me more.\n\n{text[:300]}", max_new_tokens=64, temperature=0.0)
        base.complete([request], done, adapter=False)
    return {"read": reading, "written": written / (time.perf_counter() - began)}
