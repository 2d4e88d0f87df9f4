"""Variety: what repeats or floods falls below the bounds, what a person would write does not."""

from __future__ import annotations

from hypothesis import given, strategies as st

from dlm.loops.improve.options import round_name
from dlm.loops.improve.writing import FEWEST, Diversity, collapsed, diversity

VARIED = [
    ("Who built the ferry?", "Osric Tennant built it."),
    ("What is the hull made of?", "The hull is made of larch."),
    ("How long does a crossing take?", "It takes eleven minutes."),
    ("When does the last boat leave?", "It leaves at half past nine."),
    ("Where are season tickets sold?", "They are sold in the yellow kiosk."),
    ("Which animals need a ticket?", "Dogs need one."),
    ("Why does the ferry stay in port?", "Because the wind is too strong."),
    ("How many passengers fit?", "Forty passengers fit."),
]
pairs = st.lists(st.tuples(st.text(max_size=30), st.text(max_size=30)), max_size=12)


def test_what_a_person_would_write_is_varied_enough() -> None:
    assert collapsed(diversity(VARIED), None) is None


def test_one_pair_again_and_again_is_repetition() -> None:
    found = collapsed(diversity(VARIED[:1] * 8), None)
    assert found is not None
    assert "distinct-2 is 0." in found


def test_the_same_question_about_everything_is_a_flood() -> None:
    flood = [(f"What is the {name}?", f"It is {name}.") for name in "abcdefghij"]
    found = collapsed(diversity(flood), None)
    assert found is not None
    assert "question types have 0.00 bits" in found


def test_a_fall_against_the_first_round_stops_though_the_bound_holds() -> None:
    now = diversity(VARIED)
    before = Diversity(20, min(1.0, now.distinct), 0.1, now.types * 2.1)
    found = collapsed(now, before)
    assert found is not None
    assert "fell from" in found
    assert collapsed(now, before, kinds=False) is None


def test_many_varied_pairs_are_as_varied_as_few() -> None:
    topics = [f"{a}{b}" for a in "bcdfghjklm" for b in ("arn", "elt", "ond", "isk", "uft")]
    many = [
        (question.replace("ferry", topic), answer)
        for topic in topics
        for question, answer in VARIED[:1]
    ] + VARIED * 1
    few = diversity(many[:24])
    assert diversity(many).distinct > 0.8 * few.distinct


def test_a_few_pairs_said_of_everything_are_repetition_however_often() -> None:
    found = collapsed(diversity(VARIED[:5] * 20), None)
    assert found is not None
    assert "distinct-2" in found


def test_too_few_pairs_say_nothing() -> None:
    assert collapsed(diversity(VARIED[:1] * (FEWEST - 1)), None) is None


@given(pairs)
def test_every_figure_is_within_its_bounds(found: list[tuple[str, str]]) -> None:
    one = diversity(found)
    assert 0 <= one.distinct <= 1
    assert 0 <= one.overlap <= 1
    assert one.types >= 0
    assert Diversity.from_json(one.to_json()) == one


@given(pairs)
def test_writing_everything_twice_never_looks_more_varied(found: list[tuple[str, str]]) -> None:
    once, twice = diversity(found), diversity(found * 2)
    assert twice.distinct <= once.distinct
    assert twice.overlap >= once.overlap


def test_names_are_kept_in_mind_and_never_the_same() -> None:
    names = [round_name("01HZX5N3Q8", n) for n in range(1, 200)]
    assert len(set(names)) == len(names)
    assert names == [round_name("01HZX5N3Q8", n) for n in range(1, 200)]
