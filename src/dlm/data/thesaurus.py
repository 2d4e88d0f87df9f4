"""Other ways to ask the same, from a small list of common English that ships with the package.

For rewordings in training only: a wrong turn costs a little noise, so the list may be generous.
"""

from __future__ import annotations

import random
import re
from functools import cache
from importlib.resources import files

_OPENINGS = (
    (r"how many times", "how often|with what frequency"),
    (r"how many", "what number of|what count of|how large a number of|the number of"),
    (r"how long", "how much time|for what time|what length of time|for how many hours or days"),
    (r"how often", "how frequently|how many times|at what intervals|how regularly"),
    (r"how much", "what amount|what quantity|which amount of"),
    (r"how (?:warm|hot|cold|cool)", "what temperature|at what temperature|which temperature"),
    (r"how heavy", "what weight|what is the weight, how much|which weight"),
    (r"how (?:tall|high)", "what height|which height|to what height"),
    (r"how (?:big|large)", "what size|which size|of what dimensions"),
    (r"how (?:wide|broad)", "what width|which width"),
    (r"how deep", "what depth|which depth"),
    (r"how far", "what distance|which distance|at what distance"),
    (r"how fast", "what speed|at what speed|how quickly"),
    (r"how old", "what age|which age|at what age"),
    (r"how (?:is|are|do|does|should|can|must)", "in what way|by what means|what is the way to"),
    (r"who(?: is| was)?", "which person|what is the name of the person who|whose name is it who"),
    (r"whom", "which person"),
    (r"whose", "which person's|of whom"),
    (r"where", "in which place|at what place|in what location|what is the place where"),
    (r"when", "at what time|on which day|at which moment|what is the time when"),
    (r"why", "for what reason|what is the reason that|how come"),
    (r"which", "what|name the"),
    (r"what (?:should|must|do) i do", "what has to be done|what is to be done|which step comes"),
    (r"what (?:is|are|was|were) (?:the|a|an)", "name the|tell me the|give the|state the|which"),
    (r"what (?:happens|occurs)", "what is the result|what comes of it|what is the effect"),
    (r"what", "which thing|which|name what"),
)
_PATTERNS = tuple((re.compile(rf"{start}\b", re.I), said.split("|")) for start, said in _OPENINGS)
_WORD = re.compile(r"[A-Za-z]+")


def reopen(question: str, rng: random.Random) -> str:
    """The question with another opening that asks the same; as it is where none is known."""
    for pattern, said in _PATTERNS:
        if found := pattern.match(question):
            return f"{rng.choice(said)}{question[found.end() :]}"
    return question


def exchange(question: str, rng: random.Random, share: float) -> str:
    """The question with about `share` of the words that have synonyms exchanged for one."""

    def other(found: re.Match[str]) -> str:
        known = synonyms().get(found[0].lower())
        return rng.choice(known) if known and rng.random() < share else found[0]

    return _WORD.sub(other, question)


@cache
def synonyms() -> dict[str, tuple[str, ...]]:
    """Each word's stand-ins, lower case."""
    text = files("dlm.data").joinpath("thesaurus.txt").read_text("utf-8")
    found: dict[str, set[str]] = {}
    for line in text.split("\n"):
        words = [] if line.startswith("#") else line.split()
        for word in words:
            found.setdefault(word, set()).update(set(words) - {word})
    return {word: tuple(sorted(others)) for word, others in found.items() if others}
