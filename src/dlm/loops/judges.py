"""Judges: whoever scores candidate answers for the loops, behind one class.

The judge that is always there is the document's own model. It looks how far the passage, and the
adapter, sway the base to an answer. A good pair is one whose answer the frozen base finds likelier
when it may read the passage, and the adapter, which learned the document, finds likelier than the
base. Both are differences of the same answer under the same words, so that neither its length nor
its fluency counts. Programs, reward models and servers judge too.
"""

from __future__ import annotations

import asyncio
import json
import math
import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any, Final

from dlm.data.chat import Message
from dlm.data.completion import Refused, Request
from dlm.errors import JudgeError, TeacherError
from dlm.loops.programs import Program, Unusable
from dlm.text.words import one_line
from dlm.working import Tell, told, untold

if TYPE_CHECKING:
    from dlm.engine.resident import Resident, RewardModel
    from dlm.loops.teachers.protocol import Teacher

KINDS: Final = {
    "sway": "the document's own base and adapter",
    "hf:<model>": "a reward model of the hub, or of a folder as in hf:./reward",
    "cli:<command>": "a program, run once a candidate",
    "openai:<model>, openai:<model>@<url>,<url>, vllm-server:<url>, http(s)://…": (
        "a language model that grades, behind one server or several"
    ),
}
_SERVERS: Final = ("openai", "vllm-server", "http", "https")
READING: Final = (
    "Answer the question using the passage.\n\nPassage:\n{text}\n\nQuestion: {question}"
)
_LIFT_WEIGHT: Final = 0.25  # an adapter knows little yet of what no pair taught it
_TIMEOUT: Final = 120.0  # seconds a candidate
_PATIENCE: Final = 3  # failures in a row, or answers without a grade where there is no other
_SHAPE: Final = 'it reads JSON with "prompt" and "candidate", and prints {"score": 0.7}'
_GRADER: Final = (
    "You grade answers to questions. Be strict: an answer that is wrong, or says what the text "
    "does not, gets a low grade, however well it reads; length is no merit."
)
_GRADED: Final = (
    '{known}Question: {prompt}\n\nAnswer: {candidate}\n\nReply with JSON alone: {{"reasoning": '
    '"one short sentence", "grade": a whole number from 0 (wrong) to 10 (right and complete)}}'
)
_GRADE: Final = re.compile(
    r"(?:grade|score|rating)\W{0,6}(?:is|of)?\W{0,6}(\d+(?:\.\d+)?)|(\d+(?:\.\d+)?) ?/ ?10\b",
    re.IGNORECASE,
)
_BEST: Final = 10
_TOKENS: Final = 512  # a thinking model needs most of them


def open_judge(spec: str, resident: Resident, *, timeout: float | None = None) -> Judge:
    """The judge that `spec` names; a program or a server may take `timeout` seconds a candidate.

    Raises JudgeError, TeacherError or BaseModelError when there is none.
    """
    kind, _, rest = spec.strip().partition(":")
    if spec.strip() == "sway":
        return SwayJudge(resident)
    if kind == "cli":
        return CommandJudge(rest, timeout=timeout or _TIMEOUT)
    if kind == "hf" and rest:
        from dlm.engine.resident import RewardModel

        is_folder = rest.startswith(("./", "../", "~", "/"))
        return RewardJudge(RewardModel.load(rest if is_folder else spec.strip()), spec.strip())
    if kind in _SERVERS and rest:
        from dlm.loops.teachers.http import TIMEOUT
        from dlm.loops.teachers.remote import RemoteTeacher, addresses_of

        # A key goes to OpenAI alone: the variable that the owner names is the teacher's.
        servers = addresses_of(kind, spec.strip() if kind.startswith("http") else rest, None)
        return GradeJudge(RemoteTeacher(*servers, timeout=timeout or TIMEOUT))
    raise JudgeError(f"there is no judge {spec!r}", hint=f"known: {', '.join(KINDS)}")


@dataclass(frozen=True, slots=True)
class Question:
    """A prompt with the candidates that answer it.

    `passage` is the text the answer should rest on, `reference` an answer that is known to be good;
    a judge may use either.
    """

    prompt: str
    candidates: tuple[str, ...]
    reference: str | None = None
    passage: str | None = None


class Judge(ABC):
    """Scores candidates; higher is better. Scores of one judge can be compared with each other.

    `name` is for people and for provenance, `threshold` what a candidate needs unless the owner
    says otherwise, `margin` by how much one must lead another to be preferred. A judge that is not
    `repeatable` may score otherwise when asked again or after something else. One that takes a
    while says to `tell` how far it is.
    """

    name: str
    threshold: float
    margin: float
    repeatable: bool = True
    tell: Tell = staticmethod(untold)

    @abstractmethod
    def score_all(self, questions: Sequence[Question]) -> list[list[float]]:
        """A score for every candidate of every question; NaN where none could be had.

        Raises JudgeError when the judge cannot go on.
        """

    def why(self, prompt: str, candidate: str) -> str:
        """What the judge says about a candidate it scored; nothing where it only scores."""
        return ""

    def score(
        self,
        prompt: str,
        candidates: Sequence[str],
        *,
        reference: str | None = None,
        passage: str | None = None,
    ) -> list[float]:
        """The scores of the candidates for one prompt."""
        return self.score_all([Question(prompt, tuple(candidates), reference, passage)])[0]


@dataclass(frozen=True, slots=True)
class Sway:
    """Losses in nats per token of one answer; NaN where there is no passage or no adapter."""

    alone: float
    reading: float
    adapted: float

    @property
    def support(self) -> float:
        """What reading the passage saves the base."""
        return self.alone - self.reading

    @property
    def lift(self) -> float:
        """What the adapter saves over the base, without the passage."""
        return self.alone - self.adapted

    @property
    def score(self) -> float:
        """Support and a share of lift; what is not known counts nothing, and nothing is NaN."""
        if self.support != self.support:
            return self.lift
        return self.support + (_LIFT_WEIGHT * self.lift if self.lift == self.lift else 0.0)


class SwayJudge(Judge):
    """The base and the current adapter of the document."""

    name = "sway"
    threshold = 0.5  # nats per token
    margin = 0.5

    def __init__(self, resident: Resident) -> None:
        self._resident = resident

    def score_all(self, questions: Sequence[Question]) -> list[list[float]]:
        """Support of the passage, or of the reference, and lift of the adapter, in nats a token."""
        return [[sway.score for sway in row] for row in self.sway(questions)]

    def sway(self, questions: Sequence[Question]) -> list[list[Sway]]:
        """The losses behind the scores."""
        from dlm.engine.resident import Scored

        flat = [(question, text) for question in questions for text in question.candidates]
        alone = [Scored(asked(question.prompt), text) for question, text in flat]
        reading = [
            Scored(asked_with(known, question.prompt), text)
            for question, text in flat
            if (known := _known(question))
        ]
        resident, tell = self._resident, self.tell
        scores = [
            score.nll for score in resident.score([*alone, *reading], adapter=False, tell=tell)
        ]
        adapted = (
            [score.nll for score in resident.score(alone, adapter=True, tell=tell)]
            if (resident.version)
            else [float("nan")] * len(flat)
        )
        read = iter(scores[len(flat) :])
        swayed = iter(
            Sway(one, next(read) if _known(question) else float("nan"), other)
            for (question, _), one, other in zip(flat, scores, adapted, strict=False)
        )
        return [[next(swayed) for _ in question.candidates] for question in questions]


class CommandJudge(Judge):
    """Runs a command once a candidate; it scores from 0 to 1.

    stdin   {"prompt", "candidate"}, with "passage" and "reference" where there are any
    stdout  {"score": 0.7, "reasoning": "…"}
    """

    threshold = 0.5
    margin = 0.2
    repeatable = False

    def __init__(self, command: str, *, timeout: float = _TIMEOUT) -> None:
        """Raises JudgeError when there is no such command."""
        self.name = f"cli:{command}"
        self._reasoning: dict[tuple[str, str], str] = {}
        example = '--judge "cli:./judge.py"'
        self._program = Program(command, JudgeError, example=example, timeout=timeout)
        self._failures = 0

    def score_all(self, questions: Sequence[Question]) -> list[list[float]]:
        """One process a candidate; one that fails, hangs or prints something else scores NaN."""
        each = told(f"judging with {self.name}", questions, self.tell, every=1)
        return [[self._ask(question, text) for text in question.candidates] for question in each]

    def why(self, prompt: str, candidate: str) -> str:
        """The "reasoning" that the program printed with its last score."""
        return self._reasoning.get((prompt, candidate), "")

    def _ask(self, question: Question, candidate: str) -> float:
        told = {"prompt": question.prompt, "candidate": candidate}
        told |= {"passage": question.passage} if question.passage else {}
        told |= {"reference": question.reference} if question.reference else {}
        try:
            asking = self._program.ask(told, _score, '{"score": 0.7}')
            score, reasoning = asyncio.run(asking)
        except Unusable as error:
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


class GradeJudge(Judge):
    """A language model behind servers; scores are its grades, from 0 to 1 (Zheng et al., 2023).

    Each candidate is a request of its own, greedy and with one seed, so that neither order nor
    neighbours decide; many are under way together, at however many servers there are.
    """

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
        last, given = "", count(1)

        def done(index: int, texts: Sequence[str]) -> None:
            nonlocal last
            self.tell(f"judging with {self.name}", next(given), len(flat))
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
        rewards = iter(self._model.rewards(rows, self.tell))
        return [[next(rewards, math.nan) for _ in q.candidates] for q in questions]


def asked(question: str) -> list[Message]:
    """A question as `dlm prompt` asks it."""
    return [{"role": "user", "content": question}]


def asked_with(passage: str, question: str) -> list[Message]:
    """A question with the passage that is to answer it."""
    text = READING.replace("{question}", question).replace("{text}", passage)
    return [{"role": "user", "content": text}]


def grade_in(text: str) -> float | None:
    """The grade from 0 to 10 in an answer, as JSON or in words; None where there is none."""
    found = _GRADE.search(text)
    if found is None:
        return None
    grade = float(found[1] or found[2])
    return grade if grade <= _BEST else None


def _known(question: Question) -> str | None:
    """What the base may read: the passage, or in its place the answer that is known to be good."""
    return question.passage or question.reference


def _score(value: Any) -> tuple[float, str]:
    """Score and reasoning; raises TypeError where there is no finite number."""
    score = value["score"]
    if isinstance(score, bool) or not isinstance(score, int | float) or not math.isfinite(score):
        raise TypeError
    return float(score), str(value.get("reasoning", ""))


def _request(question: Question, candidate: str) -> Request:
    known = f"Text:\n{question.passage}\n\n" if question.passage else ""
    if question.reference:
        known += f"An answer known to be right: {question.reference}\n\n"
    asked = _GRADED.format(known=known, prompt=question.prompt, candidate=candidate)
    return Request(_GRADER, asked, max_new_tokens=_TOKENS, temperature=0.0)


def _reasoning(text: str) -> str:
    start, end = text.find("{"), text.rfind("}")
    try:
        value = json.loads(text[start : end + 1])
    except ValueError:
        return ""
    return str(value.get("reasoning", "")) if isinstance(value, dict) else ""
