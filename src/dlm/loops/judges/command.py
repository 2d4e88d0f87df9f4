"""A judge that is any program: one process a candidate, JSON in and JSON out.

stdin   {"prompt", "candidate"}, with "passage" and "reference" where there are any
stdout  {"score": 0.7, "reasoning": "…"}
"""

from __future__ import annotations

import json
import math
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from typing import Final

from dlm.errors import JudgeError
from dlm.loops.judges.protocol import Judge, Question

TIMEOUT: Final = 120.0  # seconds a candidate
_PATIENCE: Final = 3  # failures in a row


class CommandJudge(Judge):
    """Runs `command`, split as a shell would but without one; it scores from 0 to 1."""

    threshold = 0.5

    def __init__(self, command: str, *, timeout: float = TIMEOUT) -> None:
        """Raises JudgeError when there is no such command."""
        self.name = f"cli:{command}"
        self.reasoning: dict[tuple[str, str], str] = {}
        self._timeout = timeout
        self._arguments = _split(command)
        self._failures = 0

    def score_all(self, questions: Sequence[Question]) -> list[list[float]]:
        """One process a candidate; one that fails, hangs or prints something else scores NaN."""
        return [
            [self._ask(question, text) for text in question.candidates] for question in questions
        ]

    def _ask(self, question: Question, candidate: str) -> float:
        told = {"prompt": question.prompt, "candidate": candidate}
        told |= {"passage": question.passage} if question.passage else {}
        told |= {"reference": question.reference} if question.reference else {}
        try:
            done = subprocess.run(
                self._arguments,
                input=json.dumps(told).encode(),
                capture_output=True,
                timeout=self._timeout,
                check=True,
            )
            score, reasoning = _read(done.stdout)
        except (OSError, ValueError, KeyError, TypeError, subprocess.SubprocessError) as error:
            self._failures += 1
            if self._failures >= _PATIENCE:
                raise JudgeError(
                    f"{self.name} failed {self._failures} times in a row; the last time: "
                    f"{_shown(str(error))}",
                    hint='it reads JSON with "prompt" and "candidate", and prints {"score": 0.7}',
                ) from error
            return math.nan
        self._failures = 0
        self.reasoning[question.prompt, candidate] = reasoning
        return score


def _read(output: bytes) -> tuple[float, str]:
    found = json.loads(output)
    score = found["score"]
    if isinstance(score, bool) or not isinstance(score, int | float) or not math.isfinite(score):
        raise ValueError("its score is no number")
    return float(score), str(found.get("reasoning", ""))


def _split(command: str) -> list[str]:
    try:
        arguments = shlex.split(command)
    except ValueError as error:
        raise JudgeError(f"cli:{command} has a quotation mark without its partner") from error
    if not arguments:
        raise JudgeError("cli: names no command", hint='as in --judge "cli:./judge.py"')
    if shutil.which(arguments[0]) is None:
        raise JudgeError(
            f"there is no command {arguments[0]!r} that can be run",
            hint="check its path, and that it may be executed (chmod +x)",
        )
    return arguments


def _shown(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text)[:200].strip()
