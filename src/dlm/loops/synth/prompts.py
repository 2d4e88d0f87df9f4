"""What teachers are told. The embedded base was pretrained on exactly these words."""

from __future__ import annotations

from typing import Final

from dlm.data.chat import Message

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
OPEN_BOOK: Final = (
    "Answer the question using the passage.\n\nPassage:\n{text}\n\nQuestion: {question}"
)


def extraction(text: str, pairs: int) -> str:
    return EXTRACT.replace("{n}", str(pairs)).replace("{text}", text)


def expansion(text: str, pairs: int) -> str:
    return EXPAND.replace("{n}", str(pairs)).replace("{text}", text)


def backtranslation(text: str) -> str:
    return BACK.replace("{text}", text)


def asked(question: str) -> list[Message]:
    """A question as `dlm prompt` asks it."""
    return [{"role": "user", "content": question}]


def asked_with(passage: str, question: str) -> list[Message]:
    """A question with the passage that is to answer it."""
    text = OPEN_BOOK.replace("{question}", question).replace("{text}", passage)
    return [{"role": "user", "content": text}]
