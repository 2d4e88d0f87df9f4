"""Cues are made of the words of their text, and every sentence of prose gets its own."""

from __future__ import annotations

import random
import re

from hypothesis import given, strategies as st

from dlm.data.lessons import Lesson
from dlm.data.wording import Answers, cue, told
from dlm.text.words import FUNCTION_WORDS, meaningful

SENTENCE = "The spare key of the boat shed hangs behind the third drainpipe in Otterton."
PROSE = """# The shed

The spare key hangs behind the third drainpipe. It was put there by Ines Calloway, who
forgets hers.

```python
print("this is no sentence and nobody asks for it")
```

- Oars are counted on every second Tuesday.
- So it is.

| tide | time |
|---|---|
| high | noon |
"""


def test_each_sentence_that_says_something_is_told() -> None:
    assert list(told(PROSE, Answers())) == [
        "The spare key hangs behind the third drainpipe.",
        "It was put there by Ines Calloway, who forgets hers.",
        "Oars are counted on every second Tuesday.",
    ]


def test_what_is_too_long_for_a_sentence_is_not_told() -> None:
    assert not list(told("word other thing " * 30, Answers()))


def test_what_a_pair_says_already_is_not_told_again() -> None:
    pair = Lesson("The spare key is behind the third drainpipe.", "Where is it?")
    assert list(told(PROSE, Answers([pair]))) == [
        "It was put there by Ines Calloway, who forgets hers.",
        "Oars are counted on every second Tuesday.",
    ]


@given(seed=st.integers(), fewest=st.integers(1, 3))
def test_a_cue_holds_some_words_of_its_text_and_no_others_that_carry_meaning(
    seed: int, fewest: int
) -> None:
    made = cue(SENTENCE, random.Random(seed), fewest=fewest, most=5)
    words = {word.lower() for word in meaningful(SENTENCE)}
    asked = [word.lower() for word in re.findall(r"\w+", made)]
    own = [word for word in asked if word in words]
    assert fewest <= len(own) <= 5
    assert set(asked) - words <= FUNCTION_WORDS | {"many", "long", "tell", "me", "about", "i"}


def test_the_same_state_gives_the_same_cue_and_another_one_another() -> None:
    made = [cue(SENTENCE, random.Random(seed)) for seed in range(50)]
    assert made == [cue(SENTENCE, random.Random(seed)) for seed in range(50)]
    assert len(set(made)) > 45
