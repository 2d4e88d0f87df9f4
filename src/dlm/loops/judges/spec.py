"""From what the owner writes (`--judge …`) to an open judge: a program, or a reward model.

A program is run once a candidate, JSON in and JSON out:

stdin   {"prompt", "candidate"}, with "passage" and "reference" where there are any
stdout  {"score": 0.7, "reasoning": "…"}
"""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from dlm.errors import JudgeError
from dlm.loops import programs
from dlm.loops.judges.judge import Judge, Question, SwayJudge, asked, asked_with

if TYPE_CHECKING:
    from dlm.engine.resident import Resident, RewardModel

KINDS: Final = {
    "sway": "the document's own base and adapter",
    "hf:<model>": "a reward model of the hub, or of a folder as in hf:./reward",
    "cli:<command>": "a program, run once a candidate",
}
TIMEOUT: Final = 120.0  # seconds a candidate
_PATIENCE: Final = 3  # failures in a row
_SHAPE: Final = 'it reads JSON with "prompt" and "candidate", and prints {"score": 0.7}'


def open_judge(spec: str, resident: Resident, *, timeout: float | None = None) -> Judge:
    """The judge that `spec` names; a program may take `timeout` seconds a candidate.

    Raises JudgeError or BaseModelError when there is none.
    """
    kind, _, rest = spec.strip().partition(":")
    if spec.strip() == "sway":
        return SwayJudge(resident)
    if kind == "cli":
        return CommandJudge(rest, timeout=timeout or TIMEOUT)
    if kind == "hf" and rest:
        from dlm.engine.resident import RewardModel

        is_folder = rest.startswith(("./", "../", "~", "/"))
        return RewardJudge(RewardModel.load(rest if is_folder else spec.strip()), spec.strip())
    raise JudgeError(f"there is no judge {spec!r}", hint=f"known: {', '.join(KINDS)}")


class CommandJudge(Judge):
    """Runs `command`, split as a shell would but without one; it scores from 0 to 1."""

    threshold = 0.5
    margin = 0.2
    repeatable = False

    def __init__(self, command: str, *, timeout: float = TIMEOUT) -> None:
        """Raises JudgeError when there is no such command."""
        self.name = f"cli:{command}"
        self._reasoning: dict[tuple[str, str], str] = {}
        self._timeout = timeout
        self._arguments = programs.split_command(
            command, JudgeError, example='--judge "cli:./judge.py"'
        )
        self._failures = 0

    def score_all(self, questions: Sequence[Question]) -> list[list[float]]:
        """One process a candidate; one that fails, hangs or prints something else scores NaN."""
        return [
            [self._ask(question, text) for text in question.candidates] for question in questions
        ]

    def why(self, prompt: str, candidate: str) -> str:
        """The "reasoning" that the program printed with its last score."""
        return self._reasoning.get((prompt, candidate), "")

    def _ask(self, question: Question, candidate: str) -> float:
        told = {"prompt": question.prompt, "candidate": candidate}
        told |= {"passage": question.passage} if question.passage else {}
        told |= {"reference": question.reference} if question.reference else {}
        text = json.dumps(told).encode()
        try:
            output = asyncio.run(programs.ask(self._arguments, text, timeout=self._timeout))
            score, reasoning = _read(output)
        except OSError as error:
            raise JudgeError(
                f"{self._arguments[0]} does not start: {error.strerror}",
                hint="a script needs its first line (#!) and the right to be executed",
            ) from error
        except programs.Unusable as error:
            self._failures += 1
            if self._failures >= _PATIENCE:
                raise JudgeError(
                    f"{self.name} failed {self._failures} times in a row; the last time it {error}",
                    hint=_SHAPE,
                ) from error
            return math.nan
        self._failures = 0
        self._reasoning[question.prompt, candidate] = reasoning
        return score


class RewardJudge(Judge):
    """Scores are the logits of the model, whose zero is its own."""

    threshold = 0.0
    margin = 0.5

    def __init__(self, model: RewardModel, name: str) -> None:
        self._model, self.name = model, name

    def score_all(self, questions: Sequence[Question]) -> list[list[float]]:
        """The reward of each candidate, read after its passage where there is one."""
        rows = [
            (asked_with(q.passage, q.prompt) if q.passage else asked(q.prompt), text)
            for q in questions
            for text in q.candidates
        ]
        rewards = iter(self._model.rewards(rows))
        return [[next(rewards, math.nan) for _ in q.candidates] for q in questions]


def _read(output: bytes) -> tuple[float, str]:
    try:
        found = json.loads(output)
        score = found["score"]
        if isinstance(score, bool) or not isinstance(score, int | float):
            raise TypeError
        number = float(score)
        if not math.isfinite(number):
            raise TypeError
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError) as error:
        but = programs.printed(output)
        raise programs.Unusable(f'did not print {{"score": 0.7}}, {but}') from error
    return number, str(found.get("reasoning", ""))
