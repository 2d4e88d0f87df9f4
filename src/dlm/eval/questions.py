"""What is asked of a version: the document's questions, rewordings of them, and general ones.

Knows no model. A document with more than 200 pairs is sampled by a hash of each question, so that
edits elsewhere do not change who is asked.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from dlm.data.general import general_questions
from dlm.data.lessons import GENERAL, Lesson, Lessons, Role
from dlm.data.rewording import reword
from dlm.eval.items import Kind
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
    """Every question of a measurement, and how many of the `pairs` of the document are asked."""

    questions: tuple[Question, ...]
    pairs: int
    asked_pairs: int


def question_sheet(lessons: Lessons) -> Sheet:
    """All that is put to a version of the document.

    Where no pair was kept from training, the first rewording of each question is asked in its
    stead. Rewordings are always scored: the learned map stands on them.
    """
    chosen = set(_sample(lessons.pairs))
    unseen = [
        *(Question(Kind.HELD_OUT, pair.question, pair) for pair in lessons.held_out),
        *(Question(Kind.EXAM, pair.question, pair) for pair in lessons.exam),
    ]
    questions: list[Question] = []
    for pair in lessons.pairs:
        asked = pair in chosen
        questions.append(Question(Kind.TRAINED, pair.question, pair, asked))
        if asked:
            questions += _reworded(pair, asked=not unseen)
    questions += unseen
    questions += _general({normalise(question.text) for question in questions})
    return Sheet(tuple(questions), len(lessons.pairs), len(chosen))


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


def _sample(pairs: Iterable[Lesson]) -> list[Lesson]:
    """All probes, and the pairs with the smallest hash up to 200 in all."""
    order = sorted(pairs, key=lambda p: (p.role is not Role.PROBE, _hash(p.question)))
    probes = sum(pair.role is Role.PROBE for pair in order)
    return order[: max(MOST_PAIRS, probes)]


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


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
