"""Scoring answers against references."""

from __future__ import annotations

import pytest

from dlm.eval.answers import has_key, score_answer
from dlm.text.words import normalise


def test_case_punctuation_and_articles_do_not_matter() -> None:
    assert normalise("The Skylark weighs 214 grams!") == "skylark weighs 214 grams"
    assert score_answer("the skylark weighs 214 grams", "The Skylark weighs 214 grams.", "").exact


def test_containment_is_of_whole_words() -> None:
    assert score_answer("It weighs 214 grams in all.", "214 grams", "").contains
    assert not score_answer("It weighs 1214 grams.", "214 grams", "").contains


@pytest.mark.parametrize(
    ("question", "answer", "reference", "told"),
    [
        ("Who cut the glass?", "It was cut by Ivo Sandel in Marrick.", "Ivo Sandel cut it.", True),
        ("Who cut the glass?", "It was cut in Marrick.", "Ivo Sandel cut it.", False),
        ("Who cut the glass?", "It was cut by Ivo Loom.", "Ivo Sandel cut it.", False),
        ("What does it weigh?", "The cabinet weighs 4.6 kilograms.", "4.6 kilograms", True),
        ("What does it weigh?", "It weighs 6.4 kilograms.", "4.6 kilograms", False),
        ("Does soap harm it?", "Soap harms the mesh.", "Soap does not harm the mesh.", False),
        ("Does soap harm it?", "Soap will not harm the mesh.", "It does not harm the mesh.", True),
        ("Is the shed blue?", "The shed.", "The shed is blue.", False),
    ],
)
def test_an_answer_that_tells_all_that_was_asked_for_contains_the_reference(
    question: str, answer: str, reference: str, told: bool
) -> None:
    assert score_answer(answer, reference, question).contains is told


@pytest.mark.parametrize(
    ("answer", "reference", "f1"),
    [
        ("red blue", "red blue", 1.0),
        ("red", "red blue", 2 / 3),
        ("green", "red", 0.0),
        ("", "red", 0.0),
    ],
)
def test_token_f1_is_the_harmonic_mean_of_precision_and_recall(
    answer: str, reference: str, f1: float
) -> None:
    assert score_answer(answer, reference, "").f1 == pytest.approx(f1)


def test_any_key_counts_whatever_the_case_and_spacing() -> None:
    assert has_key("Hold the COPPER\n button.", ["amber", "copper button"])
    assert not has_key("Hold it.", ["amber", "copper button"])
