"""Completions as values: reasoning told apart, nothing that a file cannot hold."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from dlm.data.completion import Completion, Refused
from dlm.text.cleaning import split_reasoning


@pytest.mark.parametrize(
    ("raw", "thinks", "expected"),
    [
        ("Blue.", False, ("", "Blue.")),
        ("<think>\nThe sky.\n</think>\n\nBlue.", False, ("The sky.", "Blue.")),
        ("The sky.\n</think>\n\nBlue.", True, ("The sky.", "Blue.")),
        ("The sky.</think>Blue.", False, ("The sky.", "Blue.")),
        ("<think>The sky", False, ("The sky", "")),
        ("The sky", True, ("The sky", "")),
        ("Write <think> in lower case.", False, ("", "Write <think> in lower case.")),
        (
            "A tag is <think> and it ends with </think>.",
            False,
            ("", "A tag is <think> and it ends with </think>."),
        ),
    ],
)
def test_reasoning_is_told_apart(raw: str, thinks: bool, expected: tuple[str, str]) -> None:
    assert split_reasoning(raw, thinks=thinks) == expected


@given(st.text(st.characters(exclude_categories=())))
def test_any_text_can_be_stored(raw: str) -> None:
    completion = Completion.of(raw)
    completion.encode()
    completion.reasoning.encode()


def test_a_refusal_is_an_empty_sequence_with_a_reason() -> None:
    refused = Refused("too long")
    assert list(refused) == []
    assert not refused
    assert refused.reason == "too long"
