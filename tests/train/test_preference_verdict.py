"""When a preference phase stops, and what refuses it; how both are told on the terminal."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from dlm.cli.train_report import preference_rows, refusal_error
from dlm.data.lessons import Lesson, contradictions, distinct
from dlm.data.preferences import balance
from dlm.doc.parser import parse_text
from dlm.eval.comparison import compare
from dlm.eval.scorecard import scorecard
from dlm.store.records import Version, now
from dlm.train.figures import PairEpoch, PairScore, PhaseFigures, Standing, standing
from dlm.train.report import Refusal
from dlm.train.verdict import Bounds, Stop, by_chance, contradicting, reasons

TRIPLES = [
    Lesson("Yes.", f"Is it {word}?", "Well, that depends.", line=10 + place)
    for place, word in enumerate(("lit", "warm", "far"))
]


def epoch(number: int, **changed: float | int | None) -> PairEpoch:
    made = PairEpoch(number, n=40, preferred=10, gained=30, margin=-0.5, chosen_nll=1.0)
    return replace(made, **changed)  # type: ignore[arg-type]


def figures(seen_right: int, seen: int, gained: int = 20) -> PhaseFigures:
    before = Standing(40, 3, -1.25, 2.0, 0.5, 40.0)
    after = Standing(40, 38, 0.5, 0.25, 0.75, 8.5)
    return PhaseFigures("dpo", 40, 2, before, after, gained, seen_right, seen, (), balance(TRIPLES))


def stop(*, open_end: bool = True) -> Stop:
    return Stop(Bounds(), 2.0, open_end=open_end)


def test_it_stops_when_the_answers_are_told_apart_and_nothing_known_is_lost() -> None:
    there = epoch(3, preferred=39, margin=0.3, guarded=20, lost=0)
    assert stop().verdict(there) == (
        "39 of 40 chosen answers are preferred, and 20 known ones still are given"
    )
    assert stop().verdict(replace(there, margin=0.01)) is None, "by a hair"
    assert stop().verdict(replace(there, lost=5)) is None, "rehearsal may bring them back"
    assert stop(open_end=False).verdict(there) is None, "the owner said how long"


def test_it_stops_when_what_was_lost_does_not_come_back() -> None:
    judge = stop()
    told = [judge.verdict(epoch(n, preferred=40, margin=0.3, guarded=20, lost=5)) for n in range(9)]
    assert told.index(next(one for one in told if one)) == 4
    assert "5 known ones were lost and did not come back" in str(told[4])


def test_it_stops_when_the_margin_stands_still() -> None:
    judge = stop()
    assert [judge.verdict(epoch(n)) is None for n in range(6)] == [True] * 4 + [False] * 2
    growing = stop()
    assert all(growing.verdict(epoch(n, margin=n / 10 - 2)) is None for n in range(19))


@pytest.mark.parametrize("open_end", [True, False])
def test_it_stops_at_harm_whatever_was_wanted(open_end: bool) -> None:
    less_likely = stop(open_end=open_end).verdict(epoch(1, chosen_nll=2.01))
    assert less_likely == "the chosen answers became less likely than they were before"
    assert "drift" in str(stop(open_end=open_end).verdict(epoch(1, drift=0.51)))


def test_agreement_is_told_from_chance() -> None:
    unknown = Standing(40, 20, 0.0, 2.0, 2.0)
    assert by_chance(unknown, 26, 36) is None
    assert "18 of 36" in str(by_chance(unknown, 18, 36))
    assert by_chance(unknown, 23, 36), "5 % and a bit"
    assert by_chance(unknown, 0, 7) is None, "too few to tell"
    assert by_chance(unknown, 5, 8) is None, "as many as four in five would often give"
    assert by_chance(unknown, 3, 8), "fewer than four in five would give"
    assert by_chance(replace(unknown, preferred=30), 18, 36) is None, "facts it knows"


def after_phase(before: Standing, after: Standing, *, gained: int) -> tuple[str, ...]:
    nothing = scorecard([], document_sha256="0" * 64, pairs=0, asked_pairs=0)
    found = PhaseFigures("orpo", after.n, 0, before, after, gained, 0, 0, (), balance([]))
    return reasons(found, nothing, nothing, compare("v0001", nothing, nothing))


@pytest.mark.parametrize("n", [1, 3, 7, 8, 40])
def test_a_hair_of_a_margin_refuses_nothing(n: int) -> None:
    known = Standing(n, n, 3.03, 0.1, 3.1)
    assert after_phase(known, replace(known, margin=3.0299), gained=0) == ()
    assert after_phase(known, replace(known, margin=2.5), gained=0) == (), "all are preferred"
    unsure = Standing(n, n - 1, 0.2, 1.0, 1.2)
    assert after_phase(unsure, replace(unsure, margin=0.199), gained=n // 2) == ()


def test_few_triples_are_refused_for_harm_alone() -> None:
    before = Standing(5, 3, -0.1, 1.0, 0.9)
    assert after_phase(before, before, gained=2) == (), "nothing was learned, and nothing lost"
    (fewer,) = after_phase(before, replace(before, preferred=2), gained=3)
    assert fewer == "2 of 5 chosen answers are preferred, 3 were before"
    (fell,) = after_phase(before, replace(before, margin=-0.3), gained=1)
    assert fell == "the margin of the chosen answers fell from -0.100 to -0.300 nats a token"


def test_many_triples_are_refused_when_most_moved_the_wrong_way() -> None:
    before = Standing(20, 4, -0.5, 1.0, 0.5)
    worse = replace(before, margin=-0.6)
    assert "15 of 20 triples moved the wrong way" in after_phase(before, worse, gained=5)[0]
    (why,) = after_phase(before, worse, gained=9)
    assert why == "no more chosen answers are preferred than before: 4 of 20"


def test_opposite_triples_are_found_and_copies_count_once() -> None:
    turned = replace(TRIPLES[0], text="Well, that depends. ", rejected="Yes.", line=44)
    copy = replace(TRIPLES[1], line=50, weight=0.5)
    assert contradicting([*TRIPLES, copy]) is None
    assert "lines 10 and 44" in str(contradicting([*TRIPLES, turned]))
    assert len(contradictions([*TRIPLES, turned])) == 1
    assert distinct([*TRIPLES, copy]) == tuple(TRIPLES)


def test_margins_are_means_over_tokens() -> None:
    short, long = PairScore(-1.0, -8.0, 2, 40), PairScore(-6.0, -8.0, 2, 2)
    assert (short.margin, long.margin) == (pytest.approx(-0.3), 1.0)
    both = standing([short, long])
    assert (both.preferred, both.margin) == (1, pytest.approx(0.35))
    assert (both.chosen_nll, both.rejected_nll) == (pytest.approx(1.75), pytest.approx(2.1))
    assert short.gain((-2.0, -8.0)) == 1.0


def test_the_report_says_what_changed() -> None:
    rows = preference_rows(figures(34, 36))
    assert rows["triples"] == "40 triples, 2 known ones replayed, dpo"
    assert rows["preferred"].startswith("3 → 38 of 40 chosen answers; margin -1.25 → +0.50")
    assert rows["agreement"].startswith("34 of 36")
    assert rows["answers"] == "40.0 → 8.5 tokens long"
    assert rows["balance"].startswith("3 triples on 3 prompts")


def test_a_refusal_names_its_reasons_and_what_stays() -> None:
    version = Version(2, "v0002", Path("v0002"), "0" * 64, now(), "r")
    document = parse_text(
        "---\ndlm_id: 01J9ZQ6W3N8R2T4V6X8Y0A1B2C\nbase_model: pocket\n---\n\nText.\n"
    )
    error = refusal_error(document, Refusal(version, ("one thing", "another")))
    assert error.message == (
        "the preference phase is refused: one thing; another. v0002 stays current"
    )
    assert "--force" in str(error.hint)
    assert (
        "was refused before"
        in refusal_error(document, Refusal(version, ("x",), before=True)).message
    )
