"""Questions that small models build wrongly are told from those that can be asked."""

from __future__ import annotations

import pytest

from dlm.loops.synth.filters import malformed

GOOD = [
    ("What does the drawer hold?", "The drawer holds 80 millilitres."),
    ("How many settings does the wheel have?", "The wheel has eight settings."),
    ("What takes nine minutes to warm up?", "The dryer takes nine minutes to warm up."),
    ("What is the Otterby?", "The Otterby is a small cabinet that dries seed."),
    ("What happens if you cannot come?", "If you cannot come, post the dryer."),
    ("What does code E7 mean?", "Code E7 means that the door was opened."),
    ("How do I clean the trays?", "Clean the trays with weak vinegar."),
    ("Where does the key hang?", "The key hangs on the back."),
    ("Which class opens a log?", "The class `Strand` opens a log."),
    ("What is the name of the single that tips?", "Pepper is the single that tips."),
    ("What are cameras sold in?", "Cameras are sold in pairs."),
    ("What are done in the workshop?", "Repairs are."),
    ("What's `ord_sort`?", "It sorts.\n\n```fortran\ncall ord_sort(array)\n```"),
]


@pytest.mark.parametrize(("question", "answer"), GOOD)
def test_good_pairs_pass(question: str, answer: str) -> None:
    assert malformed(question, answer) is None


@pytest.mark.parametrize(
    ("question", "answer", "reason"),
    [
        ("Tell me about the shed.", "It is blue.", "does not end"),
        ("What?", "It is blue.", "too short"),
        ("The shed is blue and what?", "It is blue.", None),
        ("What does the passage say about the shed?", "It is blue.", "instead of its subject"),
        ("According to the text, what is blue?", "The shed.", "instead of its subject"),
        ("What is true of the shed?", "It is blue.", "nothing in particular"),
        ("What does it do?", "It is blue.", "does not say what 'it' is"),
        ("Who are they?", "Members.", "does not say what 'they' is"),
        ("What does the last one do?", "It dries.", "does not name"),
        ("What is a fan that?", "A fan.", "breaks off"),
        ("Where is the shed?", "The shed is on the left bank of the", "breaks off"),
        ("Where is the shed?", "It is that.", "breaks off"),
        ("Where is the shed?", "Where is it?", "is a question"),
        ("What is ready when it snaps; if it bends?", "Seed.", "runs on"),
        ("What is soap for?", "It is for hands.", None),
    ],
)
def test_pairs_that_cannot_be_asked(question: str, answer: str, reason: str | None) -> None:
    found = malformed(question, answer)
    assert (found is None) if reason is None else reason in (found or "")
