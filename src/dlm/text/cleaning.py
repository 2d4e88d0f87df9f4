"""What a model or a stranger wrote, made plain: no control characters, reasoning told apart.

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
_OPENS: Final = re.compile(r"\s*<think(?:ing)?>")
_TAG: Final = re.compile(r"<(/?)think(?:ing)?>")


def clean(text: str) -> str:
    """The text without what no reader could see, newlines as "\\n", cut at a bound."""
    text = _NEWLINES.sub("\n", text[:LONGEST_COMPLETION])
    return _UNPRINTABLE.sub("", text)


def split_reasoning(raw: str, *, thinks: bool = False) -> tuple[str, str]:
    """`(reasoning, text)` of what a thinking model wrote; text is empty while it still thinks.

    Reasoning stands at the head, in one block or several. The tag that opens it may stand in the
    prompt (`thinks`, or only a closing tag is here). A tag in the middle of an answer is text.
    """
    thoughts: list[str] = []
    first = _TAG.search(raw)
    start, inside = 0, thinks or bool(first and first[1])
    while True:
        opened = _OPENS.match(raw, start)
        if not opened and not inside:
            break
        begin = opened.end() if opened else start
        closed = next((tag for tag in _TAG.finditer(raw, begin) if tag[1]), None)
        thoughts.append(raw[begin : closed.start() if closed else len(raw)].strip())
        start, inside = closed.end() if closed else len(raw), False
    return "\n\n".join(filter(None, thoughts)), raw[start:].strip()
