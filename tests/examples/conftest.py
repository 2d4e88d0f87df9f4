"""A corpus of a few hundred small documents, and the recipe on the import path."""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path

import pytest

from dlm.data.general import rehearsal_texts

RECIPE = Path(__file__).parents[2] / "examples" / "pretrain"
sys.path.insert(0, str(RECIPE))


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two shards, one of them packed, with texts of every kind."""
    import zstandard

    folder = tmp_path_factory.mktemp("corpus")
    lines = [json.dumps(document) + "\n" for document in _documents()]
    half = len(lines) // 2
    (folder / "a.jsonl").write_text("".join(lines[:half]), "utf-8")
    packed = zstandard.ZstdCompressor().compress("".join(lines[half:]).encode("utf-8"))
    (folder / "b.jsonl.zst").write_bytes(packed)
    return folder


def _documents() -> list[dict[str, str]]:
    from recipe.invented import invention

    rng = random.Random(0)
    paragraphs = iter(rehearsal_texts())
    found = [_document("fiction", "\n\n".join(next(paragraphs) for _ in range(3)), 1)] * 2
    for number in range(240):
        made = invention(rng)
        text = f"# Note {number}\n\n## Using the {made.facts[0].subject.split()[-1]}\n\n{made.text}"
        found.append(_document("prose", f"{text}\n\n{next(paragraphs)}", number))
        found.append(_document("fiction", f"# {number}\n\n{next(paragraphs)}", number))
        item = {"q": f"Which number is {number}?", "a": str(number), "opts": ["1", "2", "3"]}
        found.append(_document("trivia", json.dumps(item), number))
    glossary = "kelp: a large brown seaweed\nridge: long narrow crest of a hill"
    found.append(_document("glossary", glossary, 0))
    dialog = "categories:\n- weather\nconversations:\n- - Is it cold?\n  - It is, rather.\n"
    found.append(_document("dialog", dialog, 0))
    return found


def _document(kind: str, text: str, number: int) -> dict[str, str]:
    return {"text": text, "source": f"source{number % 3}/texts", "licence": "CC0", "kind": kind}
