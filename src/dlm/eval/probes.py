"""What is asked of a version: the document's questions, rewordings of them, and general ones.

Knows no model. A document with more than 200 pairs is sampled by a hash of each question, so that
edits elsewhere do not change who is asked.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from dlm.data.general import general_questions, held_out_texts
from dlm.data.lessons import GENERAL, Lesson, Lessons, Role
from dlm.data.wording import reword
from dlm.doc.document import Document
from dlm.doc.sections import PairRole
from dlm.eval.answers import Kind
from dlm.text.words import normalise

MOST_PAIRS = 200
_REWORDINGS = 2
_TRIES = 12
_GENERAL_ASKED = 30


@dataclass(frozen=True, slots=True)
class Question:
    """A lesson put as `text`; only those with `asked` are answered, all are scored."""

    kind: Kind
    text: str
    lesson: Lesson
    asked: bool = True

    @property
    def reference(self) -> str:
        return self.lesson.text

    @property
    def probe(self) -> bool:
        return self.lesson.role is Role.PROBE and self.kind is Kind.TRAINED


@dataclass(frozen=True, slots=True)
class Sheet:
    """What is put to a version: questions, prose, and so many general `texts`, for the drift.

    `pairs` is how many of the document's pairs it stands for.
    """

    questions: tuple[Question, ...]
    pairs: int
    prose: tuple[Lesson, ...] = ()
    texts: int = 0

    @property
    def asked_pairs(self) -> int:
        """How many of the pairs are asked."""
        return sum(one.asked and one.kind is Kind.TRAINED for one in self.questions)


@dataclass(frozen=True, slots=True)
class Budget:
    """How many `answers` are generated, each of at most `longest` tokens; None is no bound.

    With `tokens`, a part of the sheet is measured that costs about as much as reading so many.
    """

    answers: int | None = None
    longest: int | None = None
    tokens: int | None = None


FULL: Final = Budget()
QUICK: Final = Budget(answers=16, longest=96)
"""For what is looked at between two saves."""


@dataclass(frozen=True, slots=True)
class Probe:
    """A prompt with its reference answer; `sealed` ones were never trained on."""

    prompt: str
    reference: str
    section_id: str
    line: int
    sealed: bool


def question_sheet(lessons: Lessons) -> Sheet:
    """All that is put to a version of the document.

    Where no pair was kept from training, the first rewording of each question is asked in its
    stead. Rewordings are always scored: the learned map stands on them.
    """
    chosen = set(_sample(lessons.pairs))
    unseen = _unseen(lessons)
    questions: list[Question] = []
    for pair in lessons.pairs:
        asked = pair in chosen
        questions.append(Question(Kind.TRAINED, pair.question, pair, asked))
        if asked:
            questions += _reworded(pair, asked=not unseen)
    questions += unseen
    questions += _general({normalise(question.text) for question in questions})
    return Sheet(tuple(questions), len(lessons.pairs), lessons.prose, len(held_out_texts()))


def quick_sheet(lessons: Lessons, is_new: Callable[[Lesson], bool]) -> Sheet:
    """The pairs that are new, and up to 200 others, probes first; only probes are asked."""
    others = [pair for pair in lessons.pairs if not is_new(pair)]
    others.sort(key=lambda pair: pair.role is not Role.PROBE)
    chosen = set(others[:MOST_PAIRS])
    questions = [
        Question(Kind.TRAINED, pair.question, pair, asked=pair.role is Role.PROBE)
        for pair in lessons.pairs
        if pair in chosen or is_new(pair)
    ]
    return Sheet(tuple(questions), len(questions))


def exam_questions(lessons: Lessons, most: int) -> tuple[Question, ...]:
    """The sealed and the held-out pairs, those with the smallest hash where there are more."""
    found = _unseen(lessons)
    chosen = {id(one) for one in sorted(found, key=lambda one: _hash(one.text))[:most]}
    return tuple(one for one in found if id(one) in chosen)


def rewordings(question: str) -> list[str]:
    """Up to two variants by rule, none of which is the question itself.

    The rule is that of training, the seed is not; where a question is short, a variant may be one
    that training has shown.
    """
    rng = random.Random(f"measured:{question}")
    found: dict[str, str] = {}
    for _ in range(_TRIES):
        variant = reword(question, rng)
        if normalise(variant) != normalise(question):
            found.setdefault(normalise(variant), variant)
        if len(found) == _REWORDINGS:
            break
    return list(found.values())


def extract_probes(document: Document) -> tuple[Probe, ...]:
    """Every pair marked `!probe` or `!exam`, in document order."""
    return tuple(
        Probe(pair.question, pair.answer, section.section_id, pair.line, pair.role is PairRole.EXAM)
        for section, pair in document.pairs()
        if pair.role is not PairRole.TRAIN
    )


def _unseen(lessons: Lessons) -> list[Question]:
    return [
        *(Question(Kind.EXAM, pair.question, pair) for pair in lessons.exam),
        *(Question(Kind.HELD_OUT, pair.question, pair) for pair in lessons.held_out),
    ]


def _sample(pairs: Iterable[Lesson]) -> list[Lesson]:
    """All probes, and the pairs with the smallest hash up to 200 in all."""
    order = sorted(pairs, key=lambda p: (p.role is not Role.PROBE, _hash(p.question)))
    probes = sum(pair.role is Role.PROBE for pair in order)
    return order[: max(MOST_PAIRS, probes)]


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _reworded(pair: Lesson, *, asked: bool) -> Iterator[Question]:
    for number, text in enumerate(rewordings(pair.question)):
        yield Question(Kind.REWORDED, text, pair, asked and number == 0)


def _general(own: Collection[str]) -> Iterator[Question]:
    """Questions of everyday knowledge, but none that the document answers itself."""
    order = sorted(general_questions(), key=lambda pair: _hash(pair[0]))
    others = [pair for pair in order if normalise(pair[0]) not in own]
    for number, (question, answer) in enumerate(others):
        general = Lesson(answer, question, origin=GENERAL, role=Role.REHEARSE)
        yield Question(Kind.GENERAL, question, general, asked=number < _GENERAL_ASKED)
