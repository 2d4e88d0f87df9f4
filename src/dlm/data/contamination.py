"""Keeps the sealed exam sealed: a training question that nearly repeats one of it is refused.

Near means, after normalisation: the same words, or one question within the other; or character
trigrams that agree (Dice of 0.85 or more); or the same content words (Jaccard of 0.8 or more) with
the same question word or an answer that agrees. The same fact in really other words is what an
exam is for, and passes.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from dlm.data.examples import Example
from dlm.errors import TrainingError

_TRIGRAM_DICE = 0.85
_CONTENT_JACCARD = 0.8
_ANSWER_JACCARD = 0.5
_QUESTIONS = "what when where which who whom whose why how"
_FUNCTIONS = (
    "a an and are as at be by can could did do does for from had has have i in is it its me much "
    "many of on or please should tell that the there this to was were will with would you your"
)
_QUESTION_WORDS = frozenset(_QUESTIONS.split())
_FUNCTION_WORDS = frozenset(_FUNCTIONS.split()) | _QUESTION_WORDS


@dataclass(frozen=True, slots=True)
class Asked:
    """A question as it is compared: its words, content words, trigrams and question word."""

    words: tuple[str, ...]
    content: frozenset[str]
    trigrams: frozenset[str]
    opening: str | None
    answer: frozenset[str]
    line: int


def refuse_contamination(train: Sequence[Example], exam: Sequence[Example], path: str) -> None:
    """Raise TrainingError, naming both lines, at the first training question that is too near."""
    if not exam:
        return
    exam_questions = [_asked(item) for item in exam]
    for example in train:
        if example.question is None:
            continue
        trained = _asked(example)
        for sealed in exam_questions:
            if near(trained, sealed):
                raise TrainingError(
                    f"{path}:{trained.line}: this question nearly repeats the sealed exam question "
                    f"of line {sealed.line}, so the exam would measure nothing",
                    hint="reword or remove one of them, or drop the !exam mark",
                )


def asked(question: str, answer: str, line: int = 0) -> Asked:
    """A question with its answer, made ready to be compared."""
    words = _words(question)
    text = f" {' '.join(words)} "
    return Asked(
        words=words,
        content=frozenset(words) - _FUNCTION_WORDS,
        trigrams=frozenset(text[i : i + 3] for i in range(len(text) - 2)),
        opening=next((word for word in words if word in _QUESTION_WORDS), None),
        answer=frozenset(_words(answer)) - _FUNCTION_WORDS,
        line=line,
    )


def near(one: Asked, other: Asked) -> bool:
    """Whether two questions ask the same in nearly the same words."""
    if one.words == other.words or _holds(one.words, other.words):
        return True
    if _dice(one.trigrams, other.trigrams) >= _TRIGRAM_DICE:
        return True
    if _jaccard(one.content, other.content) < _CONTENT_JACCARD:
        return False
    same_opening = one.opening is not None and one.opening == other.opening
    return same_opening or _jaccard(one.answer, other.answer) >= _ANSWER_JACCARD


def _holds(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    """Whether the shorter question stands whole in the longer one."""
    short, long = sorted((one, other), key=len)
    return len(short) >= 4 and f" {' '.join(short)} " in f" {' '.join(long)} "


def _asked(example: Example) -> Asked:
    return asked(example.question or "", example.text, example.line)


def _words(text: str) -> tuple[str, ...]:
    return tuple(re.findall(r"\w+", text.lower()))


def _jaccard(one: frozenset[str], other: frozenset[str]) -> float:
    union = len(one | other)
    return len(one & other) / union if union else 0.0


def _dice(one: frozenset[str], other: frozenset[str]) -> float:
    total = len(one) + len(other)
    return 2 * len(one & other) / total if total else 0.0
