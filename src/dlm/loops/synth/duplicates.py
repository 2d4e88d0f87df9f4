"""Pairs that a batch holds several times."""

from __future__ import annotations

from collections.abc import Iterable

from dlm.text.near import asked


def normalised(question: str, answer: str) -> tuple[str, str]:
    """What two pairs share that differ in case, spacing and punctuation only."""
    prepared = asked(question, answer)
    return prepared.text, prepared.answer_text


def each_once(pairs: Iterable[tuple[str, str]]) -> list[tuple[str, str, int]]:
    """The different pairs in their order, with how often each occurs."""
    first: dict[tuple[str, str], tuple[str, str]] = {}
    counts: dict[tuple[str, str], int] = {}
    for question, answer in pairs:
        key = normalised(question, answer)
        first.setdefault(key, (question, answer))
        counts[key] = counts.get(key, 0) + 1
    return [(*first[key], count) for key, count in counts.items()]
