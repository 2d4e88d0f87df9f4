"""What the words on the page mean."""

from __future__ import annotations

from typing import Final

from dlm.report.html import Html, tag
from dlm.report.parts.frame import part

_WORDS: Final = (
    ("version", "one finished training; the one that answers is the current one"),
    ("right", "the answer equals the expected one, contains it, or shares most of its words"),
    (
        "learned",
        "right, and held in other wordings too; of prose: at least half of the base's loss is gone",
    ),
    ("exam", "pairs marked !exam: asked, never trained on"),
    ("probe", "pairs marked !probe: trained, and asked after every training"),
    ("overall", "0.4 accuracy + 0.3 coherence + 0.3 knowledge, each between 0 and 1"),
    ("champion, challenger", "the version that answered before a round, and the one it trained"),
    ("drift", "loss on general text that is never trained on, this version minus its base"),
    ("loss", "how surprised the model is by the right text, in nats a token; 0 is not at all"),
    ("n", "how many things a figure counts; with fewer than ten there is no interval"),
    ("90 % confidence", "the interval holds the true figure in nine cases of ten"),
    (
        "p",
        "how often chance alone would favour one side as much; 0.05 and more prove nothing",
    ),
)


def glossary() -> Html:
    """The part with the words."""
    words = [(tag("dt", name), tag("dd", meaning)) for name, meaning in _WORDS]
    return part("words", "What the words mean", None, tag("dl", words, class_="words"))
