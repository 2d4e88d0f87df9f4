"""Scoring answers against references."""

from __future__ import annotations

import pytest

from dlm.eval.answers import has_key, normalise, score_answer


def test_case_punctuation_and_articles_do_not_matter() -> None:
    assert normalise("The Skylark weighs 214 grams!") == "skylark weighs 214 grams"
    assert score_answer("the skylark weighs 214 grams", "The Skylark weighs 214 grams.").exact


def test_containment_is_of_whole_words() -> None:
    assert score_answer("It weighs 214 grams in all.", "214 grams").contains
    assert not score_answer("It weighs 1214 grams.", "214 grams").contains


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
    assert score_answer(answer, reference).f1 == pytest.approx(f1)


def test_any_key_counts_whatever_the_case_and_spacing() -> None:
    assert has_key("Hold the COPPER\n button.", ["amber", "copper button"])
    assert not has_key("Hold it.", ["amber", "copper button"])
