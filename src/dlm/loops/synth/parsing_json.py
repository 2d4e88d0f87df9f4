"""Pairs in JSON: a list, an object that holds one, one object a line, whole or cut off."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

_QUESTIONS: Final = ("question", "q", "instruction", "prompt", "request")
_ANSWERS: Final = ("answer", "a", "response", "output", "completion")
_DEEPEST: Final = 4
_MOST_STARTS: Final = 500  # objects tried; bounds the work on hostile text


def json_pairs(text: str) -> list[tuple[str, str]]:
    """Every object of `text` that holds a question and an answer, in order; [] when none does.

    Looks at objects one by one, so that what follows a damaged one is still found.
    """
    if "{" not in text:
        return []
    return [pair for value in _objects(text) for pair in _pairs(value, 0)]


def _objects(text: str) -> Iterator[Any]:
    decoder = json.JSONDecoder(strict=False)
    at = text.find("{")
    for _ in range(_MOST_STARTS):
        if at < 0:
            return
        try:
            value, end = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            end = at + 1
        else:
            yield value
        at = text.find("{", end)


def _pairs(value: Any, depth: int) -> Iterator[tuple[str, str]]:
    if depth > _DEEPEST:
        return
    if isinstance(value, list):
        for item in value:
            yield from _pairs(item, depth + 1)
    elif isinstance(value, dict):
        named = {str(key).strip().lower(): item for key, item in value.items()}
        question, answer = _first(named, _QUESTIONS), _first(named, _ANSWERS)
        if question is not None and answer is not None:
            yield question, answer
            return
        for item in value.values():
            yield from _pairs(item, depth + 1)


def _first(named: dict[str, Any], keys: tuple[str, ...]) -> str | None:
    for key in keys:
        value = named.get(key)
        if isinstance(value, str):
            return value
        if isinstance(value, int | float) and not isinstance(value, bool):
            return str(value)
    return None
