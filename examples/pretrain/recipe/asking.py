"""How conversations are worded: system prompts, questions about a passage, refusals, openings."""

from __future__ import annotations

import random
import re
from typing import Final

from recipe.chat_format import Turn
from recipe.facts import Fact

_SYSTEMS: Final = (
    "You are a helpful assistant.",
    "You are a helpful and brief assistant.",
    "Answer clearly and briefly.",
    "You answer questions.",
)
_ABOUT_PASSAGE: Final = (
    "Answer the question using the passage.\n\nPassage:\n{p}\n\nQuestion: {q}",
    "Answer the question using the passage.\n\nPassage:\n{p}\n\nQuestion: {q}",
    "Use the passage to answer the question.\n\nPassage:\n{p}\n\nQuestion: {q}",
    "Read the passage and answer the question.\n\n{p}\n\nQuestion: {q}",
    "{p}\n\nQuestion: {q}",
    "Context:\n{p}\n\nQuestion: {q}\nAnswer from the context.",
    "{q}\n\nHere is some text that may help:\n{p}",
    "Passage:\n{p}\n\n{q}",
)
_BRIEFLY: Final = (
    "Answer in a few words.",
    "Give a short answer.",
    "Reply with only the answer.",
    "Answer briefly.",
)
REFUSALS: Final = (
    "The passage does not say.",
    "The passage does not say that.",
    "That is not in the passage.",
    "The text does not mention it.",
)
_OPENINGS: Final = ("Tell me: ", "Please answer: ", "I want to know: ", "Question: ", "Say: ")


def system(rng: random.Random, share: float = 0.3) -> list[Turn]:
    return [("system", rng.choice(_SYSTEMS))] if rng.random() < share else []


def about(passage: str, question: str, rng: random.Random) -> str:
    """A user's turn that brings a passage and asks about it."""
    return rng.choice(_ABOUT_PASSAGE).format(p=passage, q=question)


def briefly(asked: str, rng: random.Random) -> str:
    return f"{asked} {rng.choice(_BRIEFLY)}"


def is_brief(asked: str) -> bool:
    return asked.endswith(_BRIEFLY)


def wording(fact: Fact, rng: random.Random) -> str:
    """One of the questions of a fact, now and then written as people write in a hurry."""
    return (
        careless(rng.choice(fact.questions), rng)
        if rng.random() < 0.15
        else rng.choice(fact.questions)
    )


def careless(question: str, rng: random.Random) -> str:
    """The same question with an opening, in lower case, or without its question mark."""
    draw = rng.random()
    if draw < 0.4:
        return rng.choice(_OPENINGS) + question
    if draw < 0.7:
        return question[0].lower() + question[1:].rstrip("?")
    return question.rstrip("?")


def with_pronoun(question: str, subject: str) -> str | None:
    """The question with "it" for its subject, where the subject is one thing behind a verb."""
    if not subject or subject.endswith("s"):
        return None
    pattern = rf"\b(is|was|does|did|can|of|find|clean|call|for) {re.escape(subject)}(?=[ ?])"
    asked, times = re.subn(pattern, r"\1 it", question)
    return asked if times == 1 and subject not in asked else None
