"""Puts every question and text to a loaded model, with its adapter and without.

The only part of the evaluation that runs a model; what comes of it are plain items.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dlm.data.chat import Codec, Encoded
from dlm.data.lessons import Lesson, Lessons
from dlm.data.rows import prose_rows
from dlm.engine.decoding import generate
from dlm.engine.model import Model, Score
from dlm.eval.answers import score_answer
from dlm.eval.drift import DriftGauge
from dlm.eval.items import Fit, Item, Kind, Said, opening
from dlm.eval.questions import Question, question_sheet
from dlm.eval.scorecard import Scorecard, scorecard
from dlm.text.near import repetition

_BOUNDS = (32, 64, 128, 256, 512)  # tokens an answer may take: the first that is long enough
_ROOM = 1.5  # times the length of the reference


def measure(
    model: Model,
    codec: Codec,
    lessons: Lessons,
    gauge: DriftGauge,
    *,
    document_sha256: str,
    sequence_length: int,
) -> Scorecard:
    """Ask and score everything; the model is left as it was.

    A pair that the base cannot read at once is left out, and the scorecard counts it.
    """
    sheet = question_sheet(lessons)
    asked = ask(model, codec, sheet.questions)
    prose = _prose(codec, lessons, sequence_length)
    items = [*asked, *_Examiner(model, codec).prose(prose), *gauge.items()]
    return scorecard(
        items,
        document_sha256=document_sha256,
        pairs=sheet.pairs,
        asked_pairs=sheet.asked_pairs,
        too_long=len(sheet.questions) - len(asked),
    )


def ask(model: Model, codec: Codec, questions: Sequence[Question]) -> list[Item]:
    """The items of these questions, without those that the base cannot read at once."""
    asked = [_asked(codec, question) for question in questions]
    fitting = [one for one in asked if len(one.row.ids) <= codec.context_length]
    return _Examiner(model, codec).questions(fitting)


@dataclass(frozen=True, slots=True)
class _Asked:
    """A question as tokens: its prompt, and the row that holds the reference."""

    question: Question
    prompt: list[int]
    row: Encoded

    @property
    def bound(self) -> int:
        """How many tokens its answer may take."""
        wanted = int(_ROOM * sum(self.row.supervised)) + 1
        return next((bound for bound in _BOUNDS if bound >= wanted), wanted)


@dataclass(frozen=True, slots=True)
class _Prose:
    """A prose section as token rows."""

    lesson: Lesson
    rows: list[Encoded]


class _Examiner:
    """A model and how to talk to it."""

    def __init__(self, model: Model, codec: Codec) -> None:
        self._model, self._codec = model, codec

    def questions(self, all_: Sequence[_Asked]) -> list[Item]:
        """The losses of every question, and the answers to those that are asked."""
        fits = self._fits([one.row for one in all_])
        asked = [one for one in all_ if one.question.asked]
        general = [one for one in asked if one.question.kind is Kind.GENERAL]
        answers = self._answers(asked)
        with self._model.base_only():
            said = self._judged(asked, answers)
            base_said = self._judged(general, self._answers(general))
        mine = {id(one): answer for one, answer in zip(asked, said, strict=True)}
        base = {id(one): answer for one, answer in zip(general, base_said, strict=True)}
        return [
            _item(one.question, fit, mine.get(id(one)), base.get(id(one)))
            for one, fit in zip(all_, fits, strict=True)
        ]

    def prose(self, sections: Sequence[_Prose]) -> list[Item]:
        """The losses of prose, each section's over all of its rows."""
        fits = iter(self._fits([row for section in sections for row in section.rows]))
        return [
            Item(
                kind=Kind.PROSE,
                question="",
                reference=opening(section.lesson.text),
                fit=_joined([next(fits) for _ in section.rows]),
                section_id=section.lesson.section_id,
                line=section.lesson.line,
                lesson_id=section.lesson.id,
            )
            for section in sections
        ]

    def _fits(self, rows: list[Encoded]) -> list[Fit]:
        with_adapter = self._scores(rows)
        with self._model.base_only():
            without = self._scores(rows)
        return [
            Fit(one.nll, base.nll, one.tokens, one.exact)
            for one, base in zip(with_adapter, without, strict=True)
        ]

    def _answers(self, asked: Sequence[_Asked]) -> list[list[int]]:
        """Greedy answers; questions with the same bound are asked in one batch."""
        answers: list[list[int]] = [[] for _ in asked]
        for bound in sorted({one.bound for one in asked}):
            group = [index for index, one in enumerate(asked) if one.bound == bound]
            found = generate(
                self._model,
                [asked[index].prompt for index in group],
                max_new_tokens=bound,
                stop_ids=self._codec.stop_ids,
                pad_id=self._codec.pad_id,
            )
            for index, ids in zip(group, found, strict=True):
                answers[index] = ids
        return answers

    def _judged(self, asked: Sequence[_Asked], answers: Sequence[list[int]]) -> list[Said]:
        """Compare answers with their references, and score them as the model stands."""
        rows = []
        for one, ids in zip(asked, answers, strict=True):
            # The row of the reference ends with the token that ends a turn.
            spoken = ids if len(ids) == one.bound else [*ids, one.row.ids[-1]]
            mask = [False] * len(one.prompt) + [True] * len(spoken)
            rows.append(Encoded([*one.prompt, *spoken], mask))
        return [
            self._said(one, ids, score)
            for one, ids, score in zip(asked, answers, self._scores(rows), strict=True)
        ]

    def _said(self, one: _Asked, ids: list[int], score: Score) -> Said:
        text = self._codec.decode(ids).strip()
        near = score_answer(text, one.question.reference, one.question.text)
        return Said(
            text=text,
            exact=near.exact,
            contains=near.contains,
            f1=near.f1,
            finished=len(ids) < one.bound,
            repetition=repetition(text),
            base_nll=score.nll,
        )

    def _scores(self, rows: list[Encoded]) -> list[Score]:
        return self._model.score(rows, pad_id=self._codec.pad_id)


def _asked(codec: Codec, question: Question) -> _Asked:
    prompt = codec.prompt_ids([{"role": "user", "content": question.text}])
    return _Asked(question, prompt, codec.pair(question.text, question.reference))


def _prose(codec: Codec, lessons: Lessons, sequence_length: int) -> list[_Prose]:
    sections = [
        _Prose(lesson, [row.encoded for row in prose_rows(lesson, codec, sequence_length)])
        for lesson in lessons.prose
    ]
    return [section for section in sections if section.rows]


def _item(question: Question, fit: Fit, said: Said | None, base_said: Said | None) -> Item:
    return Item(
        kind=question.kind,
        question=question.text,
        reference=question.reference,
        fit=fit,
        section_id=question.lesson.section_id,
        line=question.lesson.line,
        probe=question.probe,
        lesson_id=question.lesson.id,
        said=said,
        base_said=base_said,
    )


def _joined(parts: Sequence[Fit]) -> Fit:
    """Several rows as one: means over all tokens."""
    tokens = sum(part.tokens for part in parts)
    return Fit(
        nll=sum(part.nll * part.tokens for part in parts) / tokens,
        base_nll=sum(part.base_nll * part.tokens for part in parts) / tokens,
        tokens=tokens,
        exact=all(part.exact for part in parts),
    )
