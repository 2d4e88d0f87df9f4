"""Names keep the capital that their source gives them."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from dlm.loops.synth.form import as_written

SOURCE = "Aunt Selma may only go out with Wren. The aunt of Wren rows. Ask Mrs. Tamm for a blanket."


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("What may selma do?", "What may Selma do?"),
        ("Who goes with wren?", "Who goes with Wren?"),
        ("What does mrs. tamm have?", "What does Mrs. Tamm have?"),
        ("Who is the aunt of `wren`?", "Who is the aunt of `wren`?"),
        ("What are wrens?", "What are wrens?"),
    ],
)
def test_a_name_gets_its_capital_back(text: str, wanted: str) -> None:
    assert as_written(text, SOURCE) == wanted


def test_the_head_of_a_sentence_is_a_name_where_a_name_follows() -> None:
    assert as_written("What may aunt Selma do?", "Aunt Selma may go.") == "What may Aunt Selma do?"
    assert as_written("What may the boat do?", "Boat houses may go.") == "What may the boat do?"


@given(text=st.text(), source=st.text())
def test_nothing_but_capitals_changes(text: str, source: str) -> None:
    assert as_written(text, source).lower() == text.lower()
