"""Completions of a base in the order of their requests; what it cannot read is completed by ""."""

from __future__ import annotations

from collections.abc import Sequence

from dlm.data.completion import Request
from dlm.engine.resident import Resident


def complete(base: Resident, requests: Sequence[Request]) -> list[str]:
    told = [""] * len(requests)

    def done(index: int, texts: Sequence[str]) -> None:
        if texts:
            told[index] = str(texts[0])

    base.complete(requests, done, adapter=False)
    return told
