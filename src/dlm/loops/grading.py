"""Grades of a language model behind servers, for one answer at a time (Zheng et al., 2023).

Each candidate is a request of its own, greedy and with one seed, so that neither order nor
neighbours decide; many are under way together, at however many servers there are.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from dlm.data.completion import Refused, Request
from dlm.errors import JudgeError, TeacherError
from dlm.loops.teachers.protocol import Teacher

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


@dataclass(frozen=True, slots=True)
class Answered:
    """One answer to be graded, with what is known about the right one."""

    prompt: str
    candidate: str
    reference: str | None = None
    passage: str | None = None


@dataclass(frozen=True, slots=True)
class Grade:
    """From 0 to 1, NaN where there is none; `said` is the sentence beside it, or what came."""

    value: float
    said: str


def grades(teacher: Teacher, answers: Sequence[Answered]) -> list[Grade]:
    """One request an answer; raises JudgeError when the servers fail, or no reply is a grade."""
    found = [Grade(math.nan, "") for _ in answers]

    def done(index: int, texts: Sequence[str]) -> None:
        said = texts.reason if isinstance(texts, Refused) else next(iter(texts), "")
        grade = None if isinstance(texts, Refused) else grade_in(said)
        found[index] = (
            Grade(math.nan, said) if grade is None else Grade(grade / _BEST, _reasoning(said))
        )

    try:
        teacher.complete([_request(one) for one in answers], done)
    except TeacherError as error:
        raise JudgeError(error.message, hint=error.hint) from error
    if len(found) >= _PATIENCE and all(math.isnan(one.value) for one in found):
        raise JudgeError(
            f"{teacher.name} gave none of {len(found)} answers a grade; "
            f"it said: {_cut(found[-1].said)}",
            hint='it is asked for {"reasoning": "…", "grade": 7}; a larger model may do it',
        )
    return found


def grade_in(text: str) -> float | None:
    """The grade from 0 to 10 in an answer, as JSON or in words; None where there is none."""
    found = _GRADE.search(text)
    if found is None:
        return None
    grade = float(found[1] or found[2])
    return grade if grade <= _BEST else None


def _request(one: Answered) -> Request:
    known = f"Text:\n{one.passage}\n\n" if one.passage else ""
    known += f"An answer known to be right: {one.reference}\n\n" if one.reference else ""
    asked = _ASK.format(known=known, prompt=one.prompt, candidate=one.candidate)
    return Request(_SYSTEM, asked, max_new_tokens=_TOKENS, temperature=0.0)


def _reasoning(text: str) -> str:
    start, end = text.find("{"), text.rfind("}")
    try:
        value = json.loads(text[start : end + 1])
    except ValueError:
        return ""
    return str(value.get("reasoning", "")) if isinstance(value, dict) else ""


def _cut(text: str) -> str:
    return " ".join(text.split())[:100] or "nothing"
