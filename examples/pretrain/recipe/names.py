"""Made-up names and numbers, so that answers have to be copied and cannot be remembered."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Sequence
from typing import Final

from recipe.chat_format import Turn
from recipe.words import word_list

_ONSETS: Final = word_list("b br c cr d dr f g gr h j k l m n p pl qu r s st t th tr v w z")
_VOWELS: Final = word_list("a ai an ar e ea el en i in io o or ou u")
_ENDS: Final = ["", "", "k", "m", "n", "s", "x", "ra", "ta", "dale", "wick"]
_NAME: Final = re.compile(r"(?<=[a-z,] )[A-Z][a-z]{3,}\b|\b[A-Z][a-z]+[A-Z]\w+\b")
_OURS: Final = frozenset(  # words of the prompts themselves
    ["Answer", "Context", "Give", "Passage", "Question", "Read", "Reply", "Text", "Use", "Write"]
)


def invented_name(rng: random.Random) -> str:
    """A word that is nobody's name, as far as chance will have it."""
    syllables = rng.choice([1, 2, 2, 3])
    made = "".join(rng.choice(_ONSETS) + rng.choice(_VOWELS) for _ in range(syllables))
    return (made + rng.choice(_ENDS)).capitalize()


def renamed(turns: Sequence[Turn], rng: random.Random) -> tuple[Turn, ...]:
    """The same conversation about other names and numbers, the same one everywhere in it."""
    text = "\n".join(content for role, content in turns if role == "user")
    counted = Counter(name for name in _NAME.findall(text) if name not in _OURS)
    table = {name: invented_name(rng) for name, n in counted.most_common(4) if n > 1}
    if rng.random() < 0.6:
        table |= {number: _other(number, rng) for number in re.findall(r"\b\d{2,4}\b", text)}
    if not table:
        return tuple(turns)
    known = re.compile(r"\b(?:" + "|".join(map(re.escape, sorted(table))) + r")\b")
    return tuple(
        (role, content if role == "system" else known.sub(lambda m: table[m[0]], content))
        for role, content in turns
    )


def _other(number: str, rng: random.Random) -> str:
    if len(number) == 4:
        return str(rng.randint(1400, 2090))
    return str(rng.randint(10 ** (len(number) - 1), 10 ** len(number) - 1))
