"""What teachers are told. The embedded base was pretrained on exactly these words."""

from __future__ import annotations

from typing import Final

SYSTEM: Final = "You write training data from a passage."
EXTRACT: Final = (
    "Write {n} question-and-answer pair(s) that the passage answers directly. "
    "Use only facts from the passage.\n\nPassage:\n{text}"
)
EXPAND: Final = (
    "Write {n} question-and-answer pair(s) that a curious reader of the passage would ask next."
    "\n\nPassage:\n{text}"
)
BACK: Final = "Write the request that this text answers. Do not quote it.\n\nText:\n{text}"


def extraction(text: str, pairs: int) -> str:
    return EXTRACT.replace("{n}", str(pairs)).replace("{text}", text)


def expansion(text: str, pairs: int) -> str:
    return EXPAND.replace("{n}", str(pairs)).replace("{text}", text)


def backtranslation(text: str) -> str:
    return BACK.replace("{text}", text)
