"""Which two answers make a triple: pure rules over texts and scores."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings, strategies as st

from dlm.data.lessons import Lesson
from dlm.loops.mine.candidates import Candidate, Drop, Mined, funnel_of
from dlm.loops.mine.run import contrasted

ASKED = "How long does the dryer take to warm up?"
KNOWN = "The dryer takes nine minutes to warm up."
THRESHOLD = 0.5


def mined(*answers: tuple[str, float], known: float = 3.0, asked: str = ASKED) -> Mined:
    lesson = Lesson(KNOWN, asked, line=1, section_id="0" * 16)
    found = tuple(Candidate(text, "self:v0001", True, True, score=score) for text, score in answers)
    return Mined(lesson, found, anchor=known)


def result(*answers: tuple[str, float], known: float = 3.0) -> tuple[str, str] | str:
    found = contrasted(mined(*answers, known=known), THRESHOLD)
    if found.contrast is None:
        return found.reason
    return found.contrast.chosen.text, found.contrast.rejected.text


def test_the_best_and_the_worst_become_a_triple() -> None:
    wrong, worse = (
        "The dryer takes eight minutes to warm up.",
        "The dryer takes four years to warm.",
    )
    assert result((wrong, 2.0), (KNOWN, 3.0), (worse, 0.2)) == (KNOWN, worse)


@pytest.mark.parametrize(
    ("other", "score", "reason"),
    [
        (KNOWN, 3.0, "all answers are the same"),
        ("The dryer will take nine minutes to warm up!", 0.1, "differ only in wording"),
        ("A dryer takes 9 minutes to warm up.", 0.1, "differ only in wording"),
        ("Nine minutes.", 0.1, "only what the document says"),
        ("The dryer takes eight minutes to warm up.", 2.8, "the margin is 0.20"),
        ("It is " + "very " * 30 + "slow.", 0.0, "lengths are too different"),
    ],
)
def test_what_is_no_contrast_says_why(other: str, score: float, reason: str) -> None:
    found = result((KNOWN, 3.0), (other, score))
    assert isinstance(found, str), found
    assert reason in found


def test_the_chosen_is_as_good_as_the_documents_own() -> None:
    bad, worse = "The dryer takes eight minutes to warm up.", "The dryer takes four years to warm."
    assert "the one of the document 3.00" in result((bad, 2.0), (worse, 0.0))
    assert "no score" in result((bad, 2.0), (worse, 0.0), known=math.nan)


def test_a_longer_answer_has_to_win_by_more() -> None:
    short, long = "The dryer takes ages.", "The old dryer takes nine slow minutes to warm up."
    assert result((long, 3.0), (short, 2.2), known=3.0) == (
        "the margin is 0.80, and 1.25 is needed"
    )
    assert result((short, 3.0), (long, 2.2), known=3.0) == (short, long)


def test_a_wrong_answer_to_the_question_goes_before_one_about_something_else() -> None:
    wrong, other = "The dryer takes eight minutes to warm up.", "Marigold is kind to Selma there."
    assert result((KNOWN, 3.0), (other, -2.0), (wrong, 1.0)) == (KNOWN, wrong)
    assert result((KNOWN, 3.0), (other, -2.0)) == (KNOWN, other)


def test_roles_are_kept_to() -> None:
    good = Candidate(KNOWN, "self:v0002", better=True, worse=False, score=3.0)
    base = Candidate("The dryer takes a day.", "base:pocket", better=False, worse=True, score=9.0)
    lesson = mined().lesson
    found = contrasted(Mined(lesson, (good, base), anchor=3.0), THRESHOLD)
    assert "the margin is -6.00" in found.reason
    found = contrasted(Mined(lesson, (base,), anchor=3.0), THRESHOLD)
    assert found.reason == "no answer can be chosen"


def test_the_funnel_counts_answers_then_distinct_ones_then_prompts() -> None:
    one = Candidate("a", "self:v0001", True, True, times=3, score=1.0)
    cut = Candidate("b", "self:v0001", True, True, times=2).drop(Drop.WHOLE, "it was cut off")
    again = Candidate("c", "base", True, True).drop(Drop.DISTINCT, "said before")
    mute = Candidate("d", "base", True, True).drop(Drop.JUDGED, "no score")
    funnel = funnel_of([Mined(mined().lesson, (one, cut, again, mute)), mined()])
    assert str(funnel) == (
        "prompts 2 → candidates 7 → whole 5 → distinct 2 → judged 1 → cleared 0 → kept 0"
    )


@settings(deadline=None)
@given(st.lists(st.tuples(st.text(), st.floats()), max_size=5), st.text(), st.floats())
def test_any_answers_can_be_compared(
    answers: list[tuple[str, float]], asked: str, known: float
) -> None:
    found = contrasted(mined(*answers, known=known, asked=asked), THRESHOLD)
    assert bool(found.contrast) != bool(found.reason)
    if found.contrast:
        assert found.contrast.margin >= THRESHOLD
