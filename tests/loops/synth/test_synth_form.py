"""Questions that small models build wrongly are told from those that can be asked."""

from __future__ import annotations

import pytest

from dlm.loops.synth.form import malformed

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
]


@pytest.mark.parametrize(("question", "answer"), GOOD)
def test_good_pairs_pass(question: str, answer: str) -> None:
    assert malformed(question, answer) is None


@pytest.mark.parametrize(
    ("question", "answer", "reason"),
    [
        ("Tell me about the shed.", "It is blue.", "does not end"),
        ("What?", "It is blue.", "too short"),
        ("what is the shed?", "It is blue.", "open like one"),
        ("The shed is blue and what?", "It is blue.", None),
        ("What does the passage say about the shed?", "It is blue.", "instead of its subject"),
        ("According to the text, what is blue?", "The shed.", "instead of its subject"),
        ("What is true of the shed?", "It is blue.", "nothing in particular"),
        ("What does it do?", "It is blue.", "does not say what 'it' is"),
        ("Who are they?", "Members.", "does not say what 'they' is"),
        ("What does the last one do?", "It dries.", "does not name"),
        ("What is the shed the shed the shed the shed?", "Blue.", "repeats"),
        ("What is ready when it snaps; if it bends?", "Seed.", "runs on"),
        ("What is a fan that?", "A fan.", "breaks off"),
        ("What are saved for in the same tin?", "New oars are.", "lacks what it asks of"),
        ("What are not trained?", "The old ones.", "lacks what it asks of"),
        ("What are done in the workshop?", "Repairs are.", "lacks what it asks of"),
        ("What was cut by?", "The glass.", "lacks what it asks of"),
        ("What is soap for?", "It is for hands.", None),
        ("What are the oldest, which we call Old Brindle, called?", "Brindle.", "runs on"),
        ("What are for everybody who has lost one?", "These notes.", "lacks what it asks of"),
        ("Where is the shed?", "and then it was blue.", "in the middle"),
        ("Where is the shed?", "The shed is on the left bank of the", "cut off"),
        ("Where is the shed?", "It is that.", "breaks off"),
        ("Where is the shed?", "Where is it?", "is a question"),
    ],
)
def test_pairs_that_cannot_be_asked(question: str, answer: str, reason: str | None) -> None:
    found = malformed(question, answer)
    assert (found is None) if reason is None else reason in (found or "")
