"""Answering from a passage: in a sentence, in a few words, and not at all where it does not say."""

from __future__ import annotations

import re
from collections.abc import Sequence
from statistics import fmean
from typing import Any, Final

from dlm.data.completion import Request
from dlm.engine.resident import Resident
from dlm.eval.answers import score_answer
from recipe.measures.completing import complete
from recipe.measures.material import Question

_REFUSES: Final = re.compile(
    r"\b(?:passage|text|context|notes?)\b.*\b(?:not|n't)\b|\bnot (?:in|mentioned|stated|said)\b"
    r"|\bI (?:do not|don't|cannot) (?:know|say|tell)\b|\bunknown\b",
    re.IGNORECASE,
)


def open_book(base: Resident, questions: Sequence[Question]) -> dict[str, Any]:
    """Token F1 of the answers by kind, and how often open questions, and others, are declined."""
    requests = [
        Request("", question.prompt, max_new_tokens=100, temperature=0.0) for question in questions
    ]
    told = list(zip(questions, complete(base, requests), strict=True))
    answered = [(one, text) for one, text in told if one.kind != "open"]
    return {
        "n": len(questions) // 3,
        "sentence_f1": _f1([(one, text) for one, text in answered if one.kind == "sentence"]),
        "brief_f1": _f1([(one, text) for one, text in answered if one.kind == "brief"]),
        "open_declined": _declined([text for one, text in told if one.kind == "open"]),
        "wrongly_declined": _declined([text for _, text in answered]),
    }


def _f1(told: Sequence[tuple[Question, str]]) -> float:
    return fmean(score_answer(text, one.answer).f1 for one, text in told)


def _declined(texts: Sequence[str]) -> float:
    return fmean(bool(_REFUSES.search(text)) for text in texts)
