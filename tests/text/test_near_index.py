"""Looking a question up finds what comparing it with each would find."""

from __future__ import annotations

import random

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


def test_questions_made_alike_are_found_by_their_answers() -> None:
    rng = random.Random(4)
    names = ["".join(rng.choices("aeioulmnrst", k=6)) for _ in range(60)]

    def pair() -> tuple[str, str]:
        part, verb = rng.choice(["roof", "gear", "bell"]), rng.choice(["moved", "sold", "oiled"])
        answers = (f"{rng.choice(names)} {verb} it", f"{rng.choice(names)} in 1871", "yes", "")
        return f"who {verb} the {part} of {rng.choice(names)}", rng.choice(answers)

    known = [asked(*pair()) for _ in range(300)]
    index = NearIndex[int]()
    for number, one in enumerate(known):
        index.add(one, number)
    again = [asked(f"please tell me, {one.text}", one.answer_text) for one in known[:60]]
    found = 0
    for new in [*again, *(asked(*pair()) for _ in range(60))]:
        wanted = [at for at, one in enumerate(known) if repeats(new, one)]
        assert list(index.repeated_by(new)) == wanted
        found += len(wanted)
    assert found > 100
