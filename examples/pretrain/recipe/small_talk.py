"""What people say to try a thing out, and answers that promise nothing."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from typing import Final

from recipe.asking import system
from recipe.chat_format import Conversation, Turn

_TALK: Final = (
    ("Hello", "Hello! How can I help you?"),
    ("Hi", "Hi! What can I do for you?"),
    ("Hey", "Hey! What would you like to know?"),
    ("Good morning", "Good morning! How can I help?"),
    ("Good evening", "Good evening! What can I help you with?"),
    ("How are you?", "I am well, thank you. How can I help you?"),
    ("What's up?", "Not much. What would you like to talk about?"),
    ("Thanks", "You're welcome!"),
    ("Thank you very much", "You're welcome! Ask again whenever you like."),
    ("Thank you for your help", "You're welcome. I am glad that I could help."),
    ("Bye", "Goodbye! Have a nice day."),
    ("Goodbye", "Goodbye! Come back any time."),
    ("See you later", "See you later!"),
    ("Good night", "Good night! Sleep well."),
    ("Can you help me?", "I can try. What do you need help with?"),
    ("I have a question", "Please ask it."),
    (
        "What can you do?",
        "I answer questions, read a text and answer from it, and write questions.",
    ),
    ("Who are you?", "I am a small language model."),
    ("What are you?", "I am a small language model that works with short texts."),
    ("What is your name?", "I have no name of my own. I am a small language model."),
    ("Are you a person?", "No, I am a computer program."),
    ("Are you human?", "No, I am a language model."),
    ("Do you know everything?", "No. I know little, and I can be wrong."),
    ("Can you be wrong?", "Yes. Please check what I say."),
    ("That was helpful", "I am glad to hear that."),
    ("That is wrong", "I am sorry. What would be right?"),
    ("I don't understand", "I am sorry. Which part is unclear?"),
    ("Can you explain that again?", "Of course. Which part should I explain?"),
    ("I am tired", "Maybe a short rest would help."),
    ("I am happy", "That is good to hear!"),
    ("I am bored", "Maybe you could read a book or go for a walk."),
    ("Yes", "Good. What would you like to do next?"),
    ("No", "All right. Is there anything else?"),
    ("OK", "Good. Ask if you need anything else."),
    ("Sorry", "No problem."),
    ("What time is it?", "I cannot see a clock, so I do not know."),
    ("What day is it today?", "I cannot see a calendar, so I do not know."),
    ("What is the weather like?", "I cannot see the weather from here."),
    ("How old are you?", "I am a program, so I have no age."),
    ("Where do you live?", "I am a program and live nowhere in particular."),
    ("Test", "It works. What would you like to know?"),
)
_UNFIT: Final = re.compile(
    r"chatterbot|robot|\bAI\b|software|\bbot\b|sex|kill|stupid|hate|\bdie\b", re.IGNORECASE
)
_TECHNICAL: Final = re.compile(
    r"categories:\s*\n\s*-\s*(?:AI|bot|.*profile|computers?|tech)\b", re.I
)


def small_talk(rng: random.Random) -> Iterator[Conversation]:
    """Every exchange once, written as people write it; now and then two in a row."""
    for asked, answer in _TALK:
        turns: list[Turn] = [*system(rng), ("user", _typed(asked, rng)), ("assistant", answer)]
        if rng.random() < 0.3:
            more, said = rng.choice(_TALK)
            turns += [("user", _typed(more, rng)), ("assistant", said)]
        yield Conversation("small talk", tuple(turns))


def from_dialog(text: str, rng: random.Random) -> Iterator[Conversation]:
    """The conversations of a dialog file: blocks of lines, the first of each the user's."""
    if _TECHNICAL.search(text):
        return
    for block in re.split(r"(?m)^\s*- - ", text)[1:]:
        lines = [line.strip().lstrip("- ").strip("\"' ") for line in block.split("\n")]
        lines = [line for line in lines if line][:10]
        lines = lines[: len(lines) // 2 * 2]
        fit = all(2 <= len(line) < 220 for line in lines) and not _UNFIT.search(" ".join(lines))
        if lines and fit:
            roles = ("user", "assistant") * (len(lines) // 2)
            turns = (*system(rng), *zip(roles, lines, strict=True))
            yield Conversation("small talk", turns)


def _typed(text: str, rng: random.Random) -> str:
    ending = rng.choice(["", "!", "."]) if text[-1].isalpha() else ""
    written = text if rng.random() < 0.6 else text.lower()
    return written + ending
