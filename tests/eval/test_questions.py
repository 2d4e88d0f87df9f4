"""What is asked, how a large document is sampled, and how questions are reworded."""

from __future__ import annotations

from dataclasses import replace

from dlm.data.general import general_questions, held_out_texts
from dlm.data.lessons import Lesson, Lessons, Role
from dlm.eval.answers import Kind
from dlm.eval.probes import MOST_PAIRS, question_sheet, rewordings
from dlm.text.words import normalise


def _pair(number: int, role: Role = Role.TRAIN) -> Lesson:
    text = f"How many grams does the part number {number} weigh?"
    return Lesson(f"It weighs {number} grams.", text, line=number, role=role)


def _lessons(*pairs: Lesson, exam: tuple[Lesson, ...] = ()) -> Lessons:
    return Lessons(train=pairs, exam=exam)


def _kinds(lessons: Lessons, *, asked: bool = True) -> list[Kind]:
    return [one.kind for one in question_sheet(lessons).questions if one.asked or not asked]


def test_at_least_a_hundred_general_items_ship() -> None:
    assert len(general_questions()) == 100
    assert len({question for question, _ in general_questions()}) == 100
    assert len(general_questions()) + len(held_out_texts()) >= 160


def test_rewordings_are_asked_only_where_nothing_was_kept_from_training() -> None:
    assert _kinds(_lessons(_pair(1))).count(Kind.REWORDED) == 1
    sealed = _lessons(_pair(1), exam=(_pair(2, Role.EXAM),))
    assert Kind.REWORDED not in _kinds(sealed)
    assert _kinds(sealed, asked=False).count(Kind.REWORDED) == 2
    assert Kind.EXAM in _kinds(sealed)


def test_held_out_pairs_are_asked() -> None:
    lessons = _lessons(_pair(1))._replace(held_out=(_pair(2),))
    found = [one for one in question_sheet(lessons).questions if one.kind is Kind.HELD_OUT]
    assert [one.lesson.line for one in found] == [2]


def test_a_large_document_is_sampled_the_same_way_after_an_edit() -> None:
    many = [_pair(number) for number in range(500)]
    first = question_sheet(_lessons(*many))
    assert (first.pairs, first.asked_pairs) == (500, MOST_PAIRS)
    moved = [replace(pair, line=pair.line + 7) for pair in many[1:]]
    second = question_sheet(_lessons(*moved))
    asked = [
        {one.text for one in sheet.questions if one.asked and one.kind is Kind.TRAINED}
        for sheet in (first, second)
    ]
    assert len(asked[0] ^ asked[1]) <= 2


def test_every_probe_of_a_large_document_is_asked() -> None:
    probes = [_pair(number, Role.PROBE) for number in range(210)]
    plain = [_pair(number) for number in range(300, 400)]
    sheet = question_sheet(_lessons(*plain, *probes))
    asked = [one for one in sheet.questions if one.asked and one.kind is Kind.TRAINED]
    assert sum(one.probe for one in asked) == 210


def test_a_rewording_is_never_the_question_and_always_the_same() -> None:
    question = "What does the amber light on the dryer mean?"
    found = rewordings(question)
    assert len(found) == 2
    assert found == rewordings(question)
    assert normalise(question) not in map(normalise, found)
    assert rewordings("Why?") == []


def test_a_general_question_that_the_document_answers_is_not_drift() -> None:
    question, answer = general_questions()[0]
    own = Lesson(answer, question)
    general = [q for q in question_sheet(_lessons(own)).questions if q.kind is Kind.GENERAL]
    assert question not in [one.text for one in general]
    assert len(general) == 99
