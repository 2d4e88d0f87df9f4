"""Questions that small models build wrongly are told from those that can be asked."""

from __future__ import annotations

import pytest

from dlm.loops.synth.form import malformed
from dlm.loops.synth.form_in_source import misshapen
from dlm.loops.synth.grounding import Support

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
    assert misshapen(question, answer, Support(answer, "", 1.0)) is None


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


@pytest.mark.parametrize(
    ("question", "answer", "source", "reason"),
    [
        ("What does the drawer holds?", "80 millilitres.", "The drawer holds 80.", "statement"),
        (
            "What is the dryer remembers the codes?",
            "Codes.",
            "The dryer remembers the codes.",
            "stat",
        ),
        ("What can the dryer remembers it?", "Codes.", "The dryer remembers it.", "statement"),
        ("What is a slow fan draw?", "Air.", "A slow fan draws air.", "statement"),
        ("What does Wipe the plate?", "A cloth.", "Wipe the plate with a cloth.", "command"),
        ("What doesOpen a window?", "Smell.", "Open a window.", "not a word"),
        ("What does the dryer run?", "On it.", "The dryer runs on the supply.", "leaves out"),
        ("How does the dryer take?", "Nine.", "The dryer takes nine minutes.", "leaves out"),
        ("What is the kitchen?", "Fine.", "The kitchen is fine.", "says something else"),
        ("What is fine?", "A kitchen is fine.", "A kitchen is fine.", "whatever is so"),
        ("What was the walk?", "Laid in 2011.", "The walk was laid in 2011.", "is done to it"),
        ("What does the kitchen do?", "Fine.", "The kitchen is fine.", "does not say"),
        ("What does the wheel mean?", "Eight.", "The wheel has eight settings.", "meaning"),
        ("What is the trays?", "A set.", "The trays are a set.", "says 'are'"),
        ("What happens if the run ends?", "A run ends.", "A run ends.", "condition"),
        ("What happened in the run?", "A run ends.", "A run ends.", "what happened"),
        ("What takes a fuse?", "It takes a fuse of glass.", "It takes a fuse of glass.", "'it' is"),
        ("How can you store the seed?", "Store the seed dry.", "The seed is dry.", "'Store'"),
        ("What are cameras sold in?", "In pairs.", "Trays are sold in pairs.", "'cameras'"),
        ("How many trays fit?", "Trays fit.", "Six trays fit.", "a number"),
        ("What is the name of the boat?", "A boat.", "A boat lies there.", "a name"),
        ("Who counts the money?", "The money is counted.", "The money is counted.", "names nobody"),
        ("How do you use the fan?", "The fan is loud.", "The fan is loud.", "does not say"),
        (
            "How do I wash the filter?",
            "Never wash the filter.",
            "Never wash the filter.",
            "forbids",
        ),
        (
            "Where do the six mesh trays fit above the other?",
            "In.",
            "Six mesh trays fit above the other in.",
            "already says",
        ),
        ("Where are trays dried?", "They may lie below.", "Trays are dried below.", "'may'"),
    ],
)
def test_pairs_that_are_not_made_of_their_source(
    question: str, answer: str, source: str, reason: str
) -> None:
    assert reason in (misshapen(question, answer, Support(source, "", 1.0)) or "nothing")
