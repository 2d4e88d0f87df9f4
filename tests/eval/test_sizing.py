"""How much of a sheet is measured where time is short."""

from __future__ import annotations

from hypothesis import given, strategies as st

from dlm.data.lessons import Lesson, Lessons, Role
from dlm.eval.answers import Kind
from dlm.eval.probes import Question, Sheet, question_sheet
from dlm.eval.sizing import Costs, sized

COSTS = Costs(lambda one: 100 if one.asked else 40, 60, lambda one: len(one.text))


def _sheet(pairs: int, *, sealed: int = 0) -> Sheet:
    def pair(number: int, role: Role) -> Lesson:
        question = f"How many grams does part {number} of the {role.value} kind weigh?"
        return Lesson(f"It weighs {number} grams.", question, line=number, role=role)

    train = [pair(number, Role.TRAIN) for number in range(pairs)]
    prose = [Lesson("word " * 40, line=900 + number) for number in range(6)]
    exam = tuple(pair(number, Role.EXAM) for number in range(sealed))
    return question_sheet(Lessons(train=(*train, *prose), exam=exam))


def _cost(sheet: Sheet) -> int:
    asked = sum(map(COSTS.question, sheet.questions))
    return asked + COSTS.text * sheet.texts + sum(map(COSTS.prose, sheet.prose))


def _count(sheet: Sheet, kind: Kind) -> int:
    return sum(one.kind is kind for one in sheet.questions)


def test_a_sheet_that_is_cheap_enough_is_measured_whole() -> None:
    sheet = _sheet(14)
    assert sized(sheet, _cost(sheet), COSTS) == sheet


def test_what_was_trained_and_what_is_sealed_is_always_asked() -> None:
    sheet = _sheet(50, sealed=30)
    least = sized(sheet, 0, COSTS)
    for kind in (Kind.TRAINED, Kind.EXAM):
        assert _count(least, kind) == _count(sheet, kind)


def test_of_all_else_enough_is_measured_for_an_interval() -> None:
    least = sized(_sheet(50), 0, COSTS)
    asked = [one for one in least.questions if one.kind is Kind.REWORDED and one.asked]
    assert (len(asked), _count(least, Kind.GENERAL), least.texts) == (10, 10, 10)
    assert len(least.prose) == 6


def test_every_pair_is_told_by_a_rewording_never_by_its_own_words_alone() -> None:
    for sealed in (0, 3):
        least = sized(_sheet(50, sealed=sealed), 0, COSTS)
        reworded = {one.lesson for one in least.questions if one.kind is Kind.REWORDED}
        trained = {one.lesson for one in least.questions if one.kind is Kind.TRAINED}
        assert reworded == trained


def test_of_much_prose_the_same_part_is_measured_wherever_it_stands() -> None:
    prose = tuple(Lesson(f"part {number} " * 40, line=number) for number in range(40))
    part = sized(Sheet((), 0, prose), 0, COSTS).prose
    moved = sized(Sheet((), 0, tuple(reversed(prose))), 0, COSTS).prose
    assert len(part) == 10
    assert set(part) == set(moved)
    assert list(part) == [one for one in prose if one in part]


@given(more=st.integers(0, 30_000), pairs=st.integers(1, 60))
def test_more_time_measures_the_same_and_more_within_its_bounds(more: int, pairs: int) -> None:
    sheet = _sheet(pairs)
    floor = _cost(sized(sheet, 0, COSTS))
    small, large = (sized(sheet, tokens, COSTS) for tokens in (floor, floor + more))
    assert _cost(large) <= floor + more
    asked: set[Question] = {one for one in large.questions if one.asked}
    assert asked.issuperset(one for one in small.questions if one.asked)
    assert {one.text for one in large.questions} >= {one.text for one in small.questions}
    assert large.texts >= small.texts
    assert set(large.prose) >= set(small.prose)
