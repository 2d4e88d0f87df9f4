"""What a retraining learns, replays and forgets, before any row is made."""

from __future__ import annotations

from dataclasses import replace

from dlm.data.lessons import Lesson, Role
from dlm.store.records import Remembered
from dlm.train.known import compare, everything

OLD = [Lesson(f"Answer {n} stands.", f"Question number {n}?", line=n) for n in range(4)]


def remembered(item: Lesson, *, exact: bool = True, nll: float = 0.01) -> Remembered:
    return Remembered(item, since="v0001", seen="v0001", nll=nll, exact=exact)


MEMORY = [remembered(item) for item in OLD]


def test_nothing_is_to_be_done_where_all_sits() -> None:
    known = compare(MEMORY, OLD, forget=False)
    assert known.nothing_to_do
    assert [one.lesson for one in known.unchanged] == [
        replace(one, role=Role.REPLAY) for one in OLD
    ]


def test_an_answer_that_does_not_sit_is_learned_again() -> None:
    memory = [remembered(OLD[0], exact=False, nll=1.2), *MEMORY[1:]]
    known = compare(memory, OLD, forget=False)
    assert known.unlearned == (OLD[0],)
    assert known.nothing_changed
    assert not known.nothing_to_do


def test_one_that_is_nearly_word_for_word_is_not() -> None:
    memory = [remembered(OLD[0], exact=False, nll=0.1), *MEMORY[1:]]
    assert compare(memory, OLD, forget=False).nothing_to_do


def test_what_was_removed_stays_unless_it_is_to_be_forgotten() -> None:
    kept = compare(MEMORY, OLD[1:], forget=False)
    assert [one.lesson for one in kept.kept] == OLD[:1]
    assert kept.nothing_to_do
    gone = compare(MEMORY, OLD[1:], forget=True)
    assert (gone.kept, gone.forgotten) == ((), (replace(OLD[0], role=Role.FORGET),))
    assert not gone.nothing_to_do


def test_a_superseded_form_is_neither_kept_nor_forgotten() -> None:
    new = Lesson("Answer 0 stands no more.", "Question number 0?")
    for forget in (False, True):
        known = compare(MEMORY, [new, *OLD[1:]], forget=forget)
        assert known.new == (new,)
        assert [one.old for one in known.superseded] == [OLD[0]]
        assert (known.kept, known.forgotten) == ((), ())


def test_what_comes_back_is_known_still() -> None:
    away = Remembered(OLD[0], "v0001", "v0002", removed=True, nll=0.01, exact=True)
    known = compare([*MEMORY[1:], away], OLD, forget=False)
    assert known.nothing_to_do
    assert len(known.unchanged) == 4


def test_a_training_from_the_base_learns_each_thing_once() -> None:
    assert everything([*OLD, OLD[0]]).new == tuple(OLD)


def test_a_pair_that_the_document_repeats_is_learned_again_once() -> None:
    repeated = Lesson(OLD[1].text, OLD[1].question, origin="harvested", line=40)
    known = compare(MEMORY, [*OLD, repeated], forget=False)
    assert known.raised == (OLD[1],)
    assert not known.nothing_changed
    assert len(known.unchanged) == 3
    trained = [replace(MEMORY[1], times=2) if n == 1 else one for n, one in enumerate(MEMORY)]
    assert compare(trained, [*OLD, repeated], forget=False).nothing_to_do
    assert compare(trained, OLD, forget=False).nothing_to_do
