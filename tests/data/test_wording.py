"""Reworded questions keep what the question is about."""

from __future__ import annotations

import random

from hypothesis import given, strategies as st

from dlm.data.wording import reword

QUESTION = "How long does the battery of the Skylark last?"


def test_variants_differ_from_each_other() -> None:
    variants = {reword(QUESTION, random.Random(seed)) for seed in range(50)}
    assert len(variants) > 25


def test_a_variant_has_no_word_that_the_question_lacks_after_its_opening() -> None:
    words = {word.lower() for word in QUESTION.split()}
    for seed in range(200):
        variant = reword(QUESTION, random.Random(seed)).lower()
        body = variant.rsplit(": ", 1)[-1]
        assert set(body.split()) <= words


def test_the_subject_survives_in_most_variants() -> None:
    kept = sum("skylark" in reword(QUESTION, random.Random(seed)).lower() for seed in range(200))
    assert kept > 150


def test_the_same_generator_state_gives_the_same_variant() -> None:
    assert reword(QUESTION, random.Random(5)) == reword(QUESTION, random.Random(5))


@given(question=st.text(min_size=1), seed=st.integers(0, 5))
def test_any_text_gives_a_text_that_is_not_blank_unless_it_was(question: str, seed: int) -> None:
    variant = reword(question, random.Random(seed))
    assert bool(variant.strip()) == bool(question.strip())
