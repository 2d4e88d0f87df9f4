"""The paired test: exact where it can be, and never sure of too little."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given, strategies as st

from dlm.eval.exam import (
    CHANCE,
    FEWEST,
    ExamAnswer,
    ExamResult,
    contest,
    randomisation,
)
from dlm.eval.figures import binomial_tail

differences = st.lists(st.integers(-5, 5).map(lambda n: n / 4), max_size=8)


def result(*answers: tuple[bool, float]) -> ExamResult:
    """An exam of (right, loss of the reference)."""
    return ExamResult(
        tuple(
            ExamAnswer(f"q{n}", "ref", n, "said", right, True, nll, 0.0, 0.0)
            for n, (right, nll) in enumerate(answers)
        )
    )


@given(differences)
def test_every_sign_is_tried(values: list[float]) -> None:
    seen = sum(values)
    changed = [value for value in values if value]
    sums = [
        sum(sign * abs(value) for sign, value in zip(signs, changed, strict=True))
        for signs in product((1, -1), repeat=len(changed))
    ]
    expected = sum(one >= seen - 1e-9 for one in sums) / len(sums)
    assert randomisation(values) == pytest.approx(expected)


@given(differences)
def test_what_is_better_is_not_also_worse(values: list[float]) -> None:
    assert randomisation(values) + randomisation([-value for value in values]) >= 1 - 1e-9


def test_drawn_signs_come_near_to_all_of_them() -> None:
    values = [0.1 * n for n in range(-7, 9)]
    assert randomisation(values) == pytest.approx(randomisation([*values, 1e-8]), abs=0.01)


def test_too_few_questions_can_never_exclude_chance() -> None:
    assert randomisation([9.0] * (FEWEST - 1)) >= CHANCE
    assert randomisation([9.0] * FEWEST) < CHANCE


def test_no_difference_is_no_evidence() -> None:
    assert randomisation([]) == randomisation([0.0] * 20) == 1.0


@pytest.mark.parametrize(
    ("gained", "lost", "p"), [(0, 0, 1.0), (5, 0, 1 / 32), (1, 1, 0.75), (3, 1, 5 / 16)]
)
def test_the_binomial_tail_is_that_of_a_fair_coin(gained: int, lost: int, p: float) -> None:
    assert binomial_tail(gained, gained + lost) == pytest.approx(p)


def test_a_contest_names_what_was_gained_and_lost() -> None:
    before = result((False, 3.0), (True, 1.0), (False, 4.0), (False, 2.0))
    after = result((True, 1.0), (False, 2.0), (True, 1.0), (False, 2.0))
    found = contest(before, after)
    assert (found.gained, found.lost) == (("q0", "q2"), ("q1",))
    assert found.loss.value == pytest.approx(-1.0)
    assert found.difference.value == pytest.approx(0.1)
    assert found.p == 4 / 8  # of three equal differences, two or three go up
    assert found.p_harm == 7 / 8  # the two larger must not both fall
    assert (found.better, found.worse, found.decidable) == (2, 1, False)


def test_results_of_two_exams_are_not_compared() -> None:
    other = ExamResult((ExamAnswer("another", "ref", 1, "said", True, True, 1.0, 0.0, 0.0),))
    with pytest.raises(ValueError, match="two exams"):
        contest(result((True, 1.0)), other)


def test_a_paper_survives_json_and_says_what_it_stands_on() -> None:
    one = result(*[(n % 2 == 0, 1.0) for n in range(12)])
    assert ExamResult.from_json(one.to_json()) == one
    assert one.overall.n == 12
    assert one.overall.value == pytest.approx(0.4 * 0.5 + 0.3)
    assert one.overall.low is not None


def test_words_alone_are_scored_by_f1_instead_of_loss() -> None:
    answer = ExamAnswer("q", "ref", 1, "said", True, False, None, None, 0.5)
    assert answer.score == answer.spoken_score == pytest.approx(0.4 + 0.15)
    assert ExamResult((answer,)).knowledge.value is None
