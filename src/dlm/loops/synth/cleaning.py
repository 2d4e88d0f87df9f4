"""Text of a stranger made harmless: no control characters, one kind of newline, bounded length.

Knows nothing of pairs; grammar in the text is the business of `dlm.doc.render`, which escapes it.
"""

from __future__ import annotations

import re
from typing import Final

LONGEST_COMPLETION: Final = 200_000  # characters; what comes after is not read

# Control characters but tab and newline, surrogates, and marks that reorder what a reader sees.
_UNPRINTABLE: Final = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\u200b\u200e\u200f\u202a-\u202e"
    "\u2060\u2066-\u2069\ufeff\ufff9-\uffff]"
)
_NEWLINES: Final = re.compile("\r\n|\r|\x85|\u2028|\u2029")
_TAG: Final = re.compile(r"<(/?)think(?:ing)?>")


def clean(text: str) -> str:
    """The text without what no reader could see, newlines as "\\n", cut at a bound."""
    text = _NEWLINES.sub("\n", text[:LONGEST_COMPLETION])
    return _UNPRINTABLE.sub("", text)


def split_reasoning(text: str) -> tuple[str, str]:
    """The reasoning of a thinking model, and what it said after that.

    Reasoning that never ends leaves nothing said; a template may have opened it already.
    """
    thoughts: list[str] = []
    said: list[str] = []
    start, thinking = 0, False
    for tag in _TAG.finditer(text):
        piece = text[start : tag.start()]
        if tag[1] and not thinking:  # opened by the template: all so far was thought
            thoughts += [*said, piece]
            said.clear()
        else:
            (thoughts if thinking else said).append(piece)
        start, thinking = tag.end(), not tag[1]
    (thoughts if thinking else said).append(text[start:])
    return "\n\n".join(part.strip() for part in thoughts if part.strip()), "".join(said)
