"""General English that ships with the package: to rehearse beside a document, and to measure drift.

The held-out texts come from other works than the rehearsal texts: `general_text/SOURCES.md`.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable


@cache
def rehearsal_texts() -> tuple[str, ...]:
    """Paragraphs that may be trained on beside a document."""
    data = gzip.decompress(_folder("rehearsal.jsonl.gz").read_bytes())
    return tuple(str(item["text"]) for item in _lines(data))


@cache
def held_out_texts() -> tuple[str, ...]:
    """Paragraphs that are never trained on: drift is measured on them."""
    return tuple(str(item["text"]) for item in _lines(_folder("heldout.jsonl").read_bytes()))


@cache
def general_questions() -> tuple[tuple[str, str], ...]:
    """Everyday questions with an answer each, never trained on: drift is measured on them too."""
    lines = _lines(_folder("questions.jsonl").read_bytes())
    return tuple((str(item["question"]), str(item["answer"])) for item in lines)


@cache
def everyday_prompts() -> tuple[str, ...]:
    """What people ask and tell an assistant, none of it among the questions: to be rehearsed."""
    return tuple(str(item["prompt"]) for item in _lines(_folder("prompts.jsonl").read_bytes()))


def _folder(name: str) -> Traversable:
    return files("dlm.data").joinpath("general_text", name)


def _lines(data: bytes) -> Iterator[dict[str, object]]:
    for line in data.decode("utf-8").split("\n"):
        if line.strip():
            yield json.loads(line)
