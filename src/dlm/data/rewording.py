"""Rule-made variants of a question, so that an answer is not tied to one exact wording.

A variant keeps the words that carry the question and drops, reorders or wraps the rest. It is made
for training only: nobody is asked these, and the document never contains them.
"""

from __future__ import annotations

import random

from dlm.text.words import FUNCTION_WORDS

_OPENINGS = (
    "",
    "",
    "Tell me: ",
    "Please answer: ",
    "Question: ",
    "Can you say: ",
    "I want to know: ",
    "Quick question: ",
)


def reword(question: str, rng: random.Random) -> str:
    """Return a variant of `question`; the same generator state gives the same variant."""
    words = question.split()
    if len(words) < 3 or "\n" in question:
        return question
    choice = rng.random()
    if choice < 0.4:
        kept = _drop(words, rng, 0.12)
    elif choice < 0.7:
        kept = _keywords(words, rng)
    else:
        kept = _drop(words, rng, 0.3)
    text = rng.choice(_OPENINGS) + " ".join(kept)
    return text if rng.random() < 0.7 else text[0].lower() + text[1:]


def _drop(words: list[str], rng: random.Random, share: float) -> list[str]:
    kept = [word for word in words if rng.random() >= share]
    return kept if len(kept) >= 2 else words


def _keywords(words: list[str], rng: random.Random) -> list[str]:
    """The words that carry meaning, now and then in another order."""
    kept = [
        word
        for word in words
        if word.strip("?.,!'\"").lower() not in FUNCTION_WORDS or rng.random() < 0.3
    ]
    if rng.random() < 0.4:
        rng.shuffle(kept)
    return kept or words
