"""Looking a question up finds what comparing it with each would find."""

from __future__ import annotations

from hypothesis import given, settings, strategies as st

from dlm.text.near import asked, repeats
from dlm.text.near_index import NearIndex

WORDS = """who what when the is of lamp lantern lanterm lantren anchor anchors harbour 7 twelve
keeper keepers which mends mended do you know please tide"""
TEXTS = st.lists(st.sampled_from(WORDS.split()), max_size=7).map(" ".join)
PAIRS = st.tuples(TEXTS, TEXTS)


@given(known=st.lists(PAIRS, max_size=30), new=PAIRS)
@settings(max_examples=150, deadline=None)
def test_it_finds_what_comparing_with_each_finds(
    known: list[tuple[str, str]], new: tuple[str, str]
) -> None:
    index = NearIndex[int]()
    for number, pair in enumerate(known):
        index.add(asked(*pair), number)
    wanted = [at for at, pair in enumerate(known) if repeats(asked(*new), asked(*pair))]
    assert list(index.repeated_by(asked(*new))) == wanted


def test_a_slip_of_the_keyboard_and_a_polite_word_hide_nothing() -> None:
    index = NearIndex[str]()
    index.add(asked("Who mends the lantern?", "Tomas"), "line 3")
    index.add(asked("Who mends the anchor?", "Ada"), "line 7")
    found = index.repeated_by(asked("Please tell me: who mends the lanterm?", "Tomas"))
    assert list(found) == ["line 3"]
