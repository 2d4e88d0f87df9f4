"""When the auto budget stops, and what it says."""

from __future__ import annotations

from dlm.engine.model import Score
from dlm.train.figures import EpochFigures
from dlm.train.verdict import Budget, Limits

LIMITS = Limits(min_epochs=3, max_epochs=20, patience=3, prose_epochs=4)
KNOWN = Score(nll=0.01, tokens=9, exact=True)
UNSURE = Score(nll=0.4, tokens=9, exact=True)
UNKNOWN = Score(nll=2.0, tokens=9, exact=False)


def _figures(epoch: int, *scores: Score, drift: float | None = None) -> EpochFigures:
    return EpochFigures(epoch, scores, drift)


def test_it_stops_when_every_answer_is_learned() -> None:
    assert Budget(LIMITS).verdict(_figures(3, KNOWN, KNOWN)) == "every answer is learned"


def test_one_unknown_or_unsure_answer_goes_on() -> None:
    assert Budget(LIMITS).verdict(_figures(3, KNOWN, UNKNOWN)) is None
    assert Budget(LIMITS).verdict(_figures(3, KNOWN, UNSURE)) is None


def test_it_takes_the_least_number_of_epochs_before_it_believes() -> None:
    assert Budget(LIMITS).verdict(_figures(2, KNOWN)) is None


def test_drift_past_the_bound_stops_it() -> None:
    verdict = Budget(LIMITS).verdict(_figures(4, UNKNOWN, drift=LIMITS.max_drift + 0.01))
    assert verdict is not None
    assert "drift" in verdict


def test_it_stops_when_nothing_improves_any_more() -> None:
    budget = Budget(LIMITS)
    verdicts = [budget.verdict(_figures(epoch, UNKNOWN)) for epoch in range(1, 8)]
    assert verdicts[:3] == [None, None, None]
    assert any(verdict and "not improved for 3 epochs" in verdict for verdict in verdicts)


def test_steady_improvement_is_never_called_stalled() -> None:
    budget = Budget(LIMITS)
    for epoch in range(1, 15):
        score = Score(nll=2.0 * 0.9**epoch, tokens=9, exact=False)
        assert budget.verdict(_figures(epoch, score)) is None


def test_prose_without_pairs_has_a_fixed_measure() -> None:
    assert Budget(LIMITS).verdict(_figures(3)) is None
    assert Budget(LIMITS).verdict(_figures(4)) is not None


def test_where_the_last_answers_only_change_places_the_rate_is_halved() -> None:
    budget = Budget(Limits(min_epochs=3, max_epochs=40, patience=30))
    rates = []
    for epoch in range(1, 13):
        budget.verdict(_figures(epoch, *[KNOWN] * 9, UNKNOWN))
        rates.append(budget.rate)
    assert rates == [1, 1, 0.5, 0.5, 0.25, 0.25, *[0.125] * 6]


def test_while_more_becomes_known_or_much_is_missing_the_rate_stays() -> None:
    budget = Budget(LIMITS)
    for epoch, known in enumerate((0, 6, 6, 6, 6, 7, 8, 8, 9, 9, 10), 1):
        budget.verdict(_figures(epoch, *[KNOWN] * known, *[UNKNOWN] * (10 - known)))
        assert budget.rate == 1


def test_where_known_ones_are_lost_and_stay_so_the_rate_is_halved_too() -> None:
    budget = Budget(Limits(min_epochs=3, max_epochs=40, patience=30))
    rates = []
    for epoch, lost in enumerate((None, None, 3, 2, 3, 2, 1, 1, 1), 1):
        figures = EpochFigures(epoch, (KNOWN,) * 4, lost=lost, guarded=20)
        assert budget.verdict(figures) is None
        rates.append(budget.rate)
    assert rates == [1, 1, 1, 1, 1, 0.5, 0.5, 0.5, 0.25]
