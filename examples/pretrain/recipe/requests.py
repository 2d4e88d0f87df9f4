"""Requests that a section under a heading answers, made from the heading alone."""

from __future__ import annotations

import random
import re
from typing import Final

from recipe.words import word_set

_EMPTY: Final = re.compile(
    r"^(?:about|abstract|alternatives|appendix|background|backwards?|chapter|conclusion|"
    r"connection|copyright|drawbacks|examples?|future|guide|introduction|key terms|learning|"
    r"links?|more|motivation|notes?|overview|part|parameters?|prior|rationale|references?|"
    r"rejection|related|review|security|see also|source|specification|step|summary|test cases|"
    r"unresolved|usage|what'?s? new|[ivxlc]+)\b",
    re.IGNORECASE,
)
_VERBS: Final = word_set(
    "add avoid build call change check choose clean combine compare compile configure connect "
    "convert copy create customize debug define delete deploy design disable download edit "
    "enable evaluate export extend find fix format generate get handle import improve include "
    "install integrate learn list load make manage measure merge migrate modify monitor move "
    "open optimize organize override parse perform plan prepare prevent protect publish read "
    "rebuild record reduce register remove rename render replace report reset restore "
    "retrieve review run save search secure select send set share sort start stop store "
    "submit test track translate understand uninstall update upgrade upload use validate "
    "verify view visualize write"
)
_TWINS: Final = frozenset(
    ["get", "plan", "run", "set", "stop", "submit"]
)  # a last letter that doubles
_GERUNDS: Final = {
    (verb[:-1] if verb.endswith("e") else verb + verb[-1] if verb in _TWINS else verb) + "ing": verb
    for verb in _VERBS
}


def request_for(heading: str, rng: random.Random) -> str | None:
    """A request in one of several wordings, or None for a heading that says too little."""
    text = re.sub(r"\s+", " ", heading.replace("`", "")).strip(" .:")
    words = text.split()
    if not 1 <= len(words) <= 9 or re.search(r"[^\w\s,'()?/-]", text) or _EMPTY.match(text):
        return None
    if text.endswith("?"):
        return text
    first, rest = words[0].lower(), " ".join(words[1:])
    task = _GERUNDS.get(first, first if first in _VERBS else None)
    if task and rest:
        return rng.choice(_TASKS).format(f"{task} {rest}")
    if first in ("how", "what", "when", "where", "who", "why"):
        return f"Explain {text[0].lower()}{text[1:]}." if rest else None
    return rng.choice(_TOPICS).format(_topic(words))


_TASKS: Final = (
    "Explain how to {}.",
    "How do I {}?",
    "How do you {}?",
    "Describe how to {}.",
    "Tell me how to {}.",
)
_TOPICS: Final = (
    "Explain {}.",
    "Describe {}.",
    "Tell me about {}.",
    "Write a short text about {}.",
    "Give an overview of {}.",
    "What can you tell me about {}?",
)


def _topic(words: list[str]) -> str:
    """The heading as a topic: in lower case, unless it looks like a name."""
    capital = any(word[:1].isupper() for word in words[1:] if len(word) > 3)
    name = len(words[0]) > 1 and any(letter.isupper() for letter in words[0][1:])
    text = " ".join(words)
    return text if capital or name else text[0].lower() + text[1:]
