"""Whether two answers make a triple: by what they say, how long they are, and their scores.

English words only; no model is asked here.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Final

from dlm.loops.mine.candidates import Candidate, Contrast, Mined
from dlm.loops.synth.words import content, names_in, words

_MOST_TIMES: Final = 2.0  # as long as the other
_FEW_WORDS: Final = 6  # by which lengths may differ in any case


def contrasted(mined: Mined, threshold: float) -> Mined:
    """The prompt with the best and the worst of its answers that may stand against each other."""
    best = sorted((one for one in mined.left if one.better), key=lambda one: -one.score)
    worst = sorted((one for one in mined.left if one.worse), key=lambda one: one.score)
    if reason := _too_few(mined, best, worst, threshold):
        return mined.without_contrast(reason)
    found: list[Contrast] = []
    reasons: list[str] = []
    for chosen in best:
        for rejected in worst:
            reason = why_not(mined, chosen, rejected, threshold)
            if reason:
                reasons.append(reason)
            else:
                found.append(Contrast(chosen, rejected))
    if not found:
        return mined.without_contrast(reasons[0])
    # An answer about something else teaches less than a wrong one about the same.
    near = [one for one in found if _on_topic(mined, one.rejected.text)]
    return replace(mined, contrast=max(near or found, key=lambda one: one.margin))


def why_not(mined: Mined, chosen: Candidate, rejected: Candidate, threshold: float) -> str | None:
    """Why these two make no triple, or None."""
    if chosen.text == rejected.text:
        return "all answers are the same"
    if chosen.score < mined.anchor - threshold:
        return (
            f"the best answer scores {chosen.score:.2f}, and the one of the document "
            f"{mined.anchor:.2f}"
        )
    if reason := same_content(mined.prompt, chosen.text, rejected.text, mined.answer):
        return reason
    long, short = _length(chosen.text), _length(rejected.text)
    if max(long, short) > _MOST_TIMES * min(long, short) and abs(long - short) > _FEW_WORDS:
        return f"the lengths are too different to compare ({long} and {short} words)"
    # A longer answer has to win by more, so that length alone is never what is preferred.
    needed = threshold * max(1.0, long / short)
    if not chosen.score - rejected.score >= needed:
        margin = chosen.score - rejected.score
        return f"the margin is {margin:.2f}, and {needed:.2f} is needed"
    return None


def same_content(question: str, chosen: str, rejected: str, authored: str) -> str | None:
    """Why the rejected answer is no worse than the others in what it says, or None."""
    asked, better, worse, known = _keys(question, chosen, rejected, authored)
    if worse in (better, known):
        return "the answers differ only in wording"
    said = worse - asked
    if said and said <= (known - asked):
        return "the worst answer says only what the document says"
    return None


def _too_few(
    mined: Mined, best: list[Candidate], worst: list[Candidate], threshold: float
) -> str | None:
    if not best:
        return "no answer of the model is whole" if not mined.left else "no answer can be chosen"
    if not worst or {one.text for one in (*best, *worst)} == {best[0].text}:
        return "all answers are the same"
    if not math.isfinite(mined.anchor):
        return "the judge gave the document's answer no score"
    return None


def _on_topic(mined: Mined, text: str) -> bool:
    """Whether an answer shares a word that means something with the question or its answer."""
    asked, known, said = _keys(mined.prompt, mined.answer, text)
    return bool(said & (asked | known))


def _keys(*texts: str) -> list[frozenset[str]]:
    """Of each text, the words that carry meaning; numbers by their value, others by their stem."""
    names = names_in("\n".join(texts))
    return [frozenset(word.key.lower() for word in content(words(text, names))) for text in texts]


def _length(text: str) -> int:
    return max(1, len(text.split()))
