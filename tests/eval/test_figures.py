"""Intervals against published values, and the laws they keep."""

from __future__ import annotations

import pytest
from hypothesis import given, settings, strategies as st

from dlm.eval.figures import Figure, bootstrap, mean, share, wilson


def test_wilson_gives_the_published_interval() -> None:
    # Newcombe (1998), table I, method 3: 81 of 263 at 95 %.
    assert wilson(81, 263, z=1.959964) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    low, high = wilson(81, 263)
    assert 0.2553 < low < 81 / 263 < high < 0.3662


@settings(deadline=None)
@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_holds_the_share_and_stays_between_0_and_1(trial: tuple[int, int]) -> None:
    hits, n = trial
    low, high = wilson(hits, n)
    assert 0 <= low <= hits / n + 1e-12
    assert hits / n - 1e-12 <= high <= 1
    assert low < high


@settings(deadline=None)
@given(st.lists(st.floats(-5, 5), min_size=2, max_size=40))
def test_a_bootstrap_interval_is_the_same_each_time_and_within_the_values(
    values: list[float],
) -> None:
    weights = [1.0] * len(values)
    low, high = bootstrap(values, weights)
    assert bootstrap(values, weights) == (low, high)
    assert min(values) - 1e-9 <= low <= high <= max(values) + 1e-9


def test_few_things_have_a_value_and_no_interval() -> None:
    figure = share([True] * 8 + [False])
    assert (figure.value, figure.n, figure.low) == (8 / 9, 9, None)
    assert share([True] * 10).low is not None


def test_nothing_to_count_is_absent_and_says_why() -> None:
    assert share([], why_none="no pairs") == Figure(None, note="no pairs")
    assert mean([], why_none="no prose").note == "no prose"


def test_weights_count() -> None:
    assert mean([1.0, 3.0], [3.0, 1.0]).value == 1.5


@settings(deadline=None)
@given(st.builds(Figure, st.none() | st.floats(-1, 1), st.integers(0, 9), note=st.text()))
def test_a_figure_survives_json(figure: Figure) -> None:
    assert Figure.from_json(figure.to_json()) == figure
