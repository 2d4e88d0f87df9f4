"""Grades of a language model behind servers, for one answer at a time (Zheng et al., 2023).

Each candidate is a request of its own, greedy and with one seed, so that neither order nor
neighbours decide; many are under way together, at however many servers there are.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from typing import Final

from dlm.data.completion import Refused, Request
from dlm.errors import JudgeError, TeacherError
from dlm.loops.judges import Judge, Question
from dlm.loops.teachers.protocol import Teacher
from dlm.text.words import one_line

_SYSTEM: Final = (
    "You grade answers to questions. Be strict: an answer that is wrong, or says what the text "
    "does not, gets a low grade, however well it reads; length is no merit."
)
_ASK: Final = (
    '{known}Question: {prompt}\n\nAnswer: {candidate}\n\nReply with JSON alone: {{"reasoning": '
    '"one short sentence", "grade": a whole number from 0 (wrong) to 10 (right and complete)}}'
)
_GRADE: Final = re.compile(
    r"(?:grade|score|rating)\W{0,6}(?:is|of)?\W{0,6}(\d+(?:\.\d+)?)|(\d+(?:\.\d+)?) ?/ ?10\b",
    re.IGNORECASE,
)
_BEST: Final = 10
_TOKENS: Final = 512  # a thinking model needs most of them
_PATIENCE: Final = 3  # answers without a grade, where there is no other


class GradeJudge(Judge):
    """A language model behind servers; scores are its grades, from 0 to 1."""

    threshold = 0.6
    margin = 0.2

    def __init__(self, teacher: Teacher) -> None:
        self.name = teacher.name
        self._teacher = teacher
        self._said: dict[tuple[str, str], str] = {}

    def score_all(self, questions: Sequence[Question]) -> list[list[float]]:
        """Many requests at once; an answer without a grade scores NaN.

        Raises JudgeError when the servers fail, or no reply is a grade.
        """
        flat = [(question, text) for question in questions for text in question.candidates]
        scores = [math.nan] * len(flat)
        last = ""

        def done(index: int, texts: Sequence[str]) -> None:
            nonlocal last
            question, candidate = flat[index]
            refused = isinstance(texts, Refused)
            last = texts.reason if isinstance(texts, Refused) else next(iter(texts), "")
            grade = None if refused else grade_in(last)
            said = last if grade is None else _reasoning(last)
            scores[index] = math.nan if grade is None else grade / _BEST
            self._said[question.prompt, candidate] = said

        try:
            self._teacher.complete([_request(*one) for one in flat], done)
        except TeacherError as error:
            raise JudgeError(error.message, hint=error.hint) from error
        if len(scores) >= _PATIENCE and all(map(math.isnan, scores)):
            raise JudgeError(
                f"{self.name} gave none of {len(scores)} answers a grade; it said: "
                f"{one_line(last)[:100] or 'nothing'}",
                hint='it is asked for {"reasoning": "…", "grade": 7}; a larger model may do it',
            )
        found = iter(scores)
        return [[next(found) for _ in question.candidates] for question in questions]

    def why(self, prompt: str, candidate: str) -> str:
        """The sentence beside the grade."""
        return self._said.get((prompt, candidate), "")


def grade_in(text: str) -> float | None:
    """The grade from 0 to 10 in an answer, as JSON or in words; None where there is none."""
    found = _GRADE.search(text)
    if found is None:
        return None
    grade = float(found[1] or found[2])
    return grade if grade <= _BEST else None


def _request(question: Question, candidate: str) -> Request:
    known = f"Text:\n{question.passage}\n\n" if question.passage else ""
    if question.reference:
        known += f"An answer known to be right: {question.reference}\n\n"
    asked = _ASK.format(known=known, prompt=question.prompt, candidate=candidate)
    return Request(_SYSTEM, asked, max_new_tokens=_TOKENS, temperature=0.0)


def _reasoning(text: str) -> str:
    start, end = text.find("{"), text.rfind("}")
    try:
        value = json.loads(text[start : end + 1])
    except ValueError:
        return ""
    return str(value.get("reasoning", "")) if isinstance(value, dict) else ""
