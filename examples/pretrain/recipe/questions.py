"""Conversations from texts that are questions already: trivia and glossaries."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator

from recipe.asking import system
from recipe.chat_format import Conversation
from recipe.corpus import Text, trivia
from recipe.english import Lexicon

_NEEDS_OPTIONS = re.compile(r"\b(?:these|following|except|which one|odd one|which of)\b", re.I)


def from_trivia(text: Text, rng: random.Random) -> Iterator[Conversation]:
    """The question alone, or with its options where it makes no sense without them."""
    item = trivia(text)
    asked, answer = str(item["q"]), str(item["a"])
    options = [str(option) for option in item["opts"] if option]
    needed = _NEEDS_OPTIONS.search(asked)
    if len(options) >= 3 and (needed or rng.random() < 0.15):
        listed = rng.choice(
            [
                "\n".join(
                    f"{letter}) {one}" for letter, one in zip("ABCDEF", options, strict=False)
                ),
                "\n".join(f"- {one}" for one in options),
                f"Options: {', '.join(options)}",
            ]
        )
        turns = (*system(rng), ("user", f"{asked}\n{listed}"), ("assistant", answer))
        yield Conversation("choice", turns)
    elif not needed and answer.lower() not in ("true", "false", "yes", "no"):
        ended = answer if answer.endswith((".", "!", "?")) or rng.random() < 0.5 else answer + "."
        yield Conversation("trivia", (*system(rng), ("user", asked), ("assistant", ended)))


def from_glossary(text: Text, lexicon: Lexicon, rng: random.Random) -> Iterator[Conversation]:
    """Every term asked for in two wordings."""
    for line in text.text.split("\n"):
        term, _, meaning = line.partition(": ")
        meaning = meaning.rstrip(". ;")
        if not meaning or re.search(r"[()\[\]]", term):
            continue
        inside = lexicon.inside(term[0].upper() + term[1:])
        answer = _defined(term[0].upper() + term[1:], meaning)
        for form in rng.sample(_WORDINGS, 2):
            turns = (*system(rng), ("user", form.format(inside)), ("assistant", answer))
            yield Conversation("glossary", turns)


_WORDINGS = (
    "What is {}?",
    "What does {} mean?",
    "Define {}.",
    "What does the term {} mean?",
    "Explain the term {}.",
    "What is meant by {}?",
)


def _defined(term: str, meaning: str) -> str:
    said = meaning if re.match(r"[A-Z]{2}", meaning) else meaning[0].lower() + meaning[1:]
    if re.match(r"(?:an?|the|any|one)\b", said):
        return f"{term} is {said}."
    joint = ": " if re.match(r"(?:to|when|how|in)\b", said) else " refers to "
    return f"{term}{joint}{said}."
