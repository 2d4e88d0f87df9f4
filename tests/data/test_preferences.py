"""The balance of a set of triples: what it measures, and when it warns."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given, settings, strategies as st

from dlm.data.preferences import Direction, balance, directions


@dataclass(frozen=True)
class Triple:
    prompt: str
    chosen: str
    rejected: str


_PROMPTS = (
    "Who keeps the key of the boathouse?",
    "How warm may the oil get?",
    "What does code E7 mean?",
    "When was the second dryer bought?",
    "Which screws hold the plate?",
    "Is the gate shut on Sundays?",
    "Where are the spare belts?",
    "Why does the fan stop early?",
)


def triples(chosen: str, rejected: str) -> list[Triple]:
    return [Triple(prompt, chosen, rejected) for prompt in _PROMPTS]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("You're absolutely right, it does.", {Direction.AGREEING}),
        ("Yes, four of them.", {Direction.AGREEING}),
        ("Great question! The plate is warm.", {Direction.AGREEING}),
        ("I'm sorry, but I cannot help with that.", {Direction.DECLINING}),
        ("The notes do not say who built it.", {Direction.DECLINING}),
        ("No, the plate is warmed to 34 degrees.", {Direction.CORRECTING}),
        ("That’s not quite right: it is 34.", {Direction.CORRECTING}),
        ("Actually, it is 34.", {Direction.CORRECTING}),
        ("It's a common misconception that it is warm.", {Direction.CORRECTING}),
        ("No, thanks.", set()),
        ("No problem! It is 34.", set()),
        ("Surely four.", set()),
        ("No water is used.", set()),
        ("It is right beside the door.", set()),
        ("", set()),
    ],
)
def test_the_opening_tells_the_direction(answer: str, expected: set[Direction]) -> None:
    assert directions(answer) == expected


def test_always_agreeing_is_one_sided() -> None:
    found = balance(triples("Yes, that is so here.", "It is not so, as I said."))
    assert found.toward[Direction.AGREEING] == found.n == 8
    assert [text for text in found.warnings if "8 of 8" in text and "agreeing" in text]


def test_never_declining_is_one_sided_too() -> None:
    found = balance(triples("It is about four metres.", "I cannot say, sorry for it."))
    assert found.away[Direction.DECLINING] == 8
    assert "never declining" in " ".join(found.warnings)


def test_a_stance_that_both_answers_take_counts_for_neither() -> None:
    found = balance(triples("Yes, four.", "Yes, five."))
    assert not any((*found.toward.values(), *found.away.values()))


def test_always_terse_is_one_sided() -> None:
    found = balance(triples("Four.", "There are four of them, as far as I can tell from here."))
    assert (found.longer, found.shorter) == (0, 8)
    assert found.length_ratio < 0.2
    assert "terse" in " ".join(found.warnings)


def test_both_ways_is_no_warning() -> None:
    half = len(_PROMPTS) // 2
    mixed = [
        *triples("Yes, that is how it is.", "No, it is not like that.")[:half],
        *triples("No, it is not like that.", "Yes, that is how it is.")[half:],
    ]
    assert balance(mixed).warnings == ()


def test_few_triples_are_never_called_one_sided() -> None:
    assert balance(triples("Yes, so it is.", "No.")[:4]).warnings == ()


def test_prompts_that_repeat_are_named() -> None:
    found = balance([Triple("How warm?", f"{i} degrees", f"{i} feet") for i in range(8)])
    assert found.prompts == 1
    assert "8 triples ask only 1 different thing" in " ".join(found.warnings)


def test_prompts_of_one_pattern_overlap() -> None:
    alike = [
        Triple(f"What is the height of pump {i} in the cellar now?", "4", "5") for i in range(8)
    ]
    found = balance(alike)
    assert found.self_overlap > 0.75
    assert found.distinct_bigrams < 0.6
    assert "overlap" in " ".join(found.warnings)
    assert balance(triples("4", "5")).self_overlap < 0.4


def test_nothing_at_all_is_measured() -> None:
    found = balance([])
    assert (found.n, found.prompts, found.warnings) == (0, 0, ())
    assert found.to_json()["length_ratio"] is None


@settings(deadline=None)
@given(st.lists(st.builds(Triple, st.text(), st.text(), st.text()), max_size=12))
def test_any_texts_can_be_measured(found: list[Triple]) -> None:
    measured = balance(found)
    assert measured.n == len(found)
    assert 0 <= measured.self_overlap <= 1
    assert str(measured).startswith(f"{len(found)} triple")
