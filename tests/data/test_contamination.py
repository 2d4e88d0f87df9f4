"""The exam stays sealed: what repeats a question of it is found, and what only resembles is not."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, strategies as st

from dlm.data.contamination import Finding, findings, refuse_contamination
from dlm.data.lessons import Lesson, lessons_of
from dlm.doc.parser import parse_text
from dlm.errors import TrainingError
from dlm.text.near import asked, repeats

HEAD = "---\ndlm_id: 01J9ZQ6W3N8R2T4V6X8Y0A1B2C\ndlm_version: 15\nbase_model: pocket\n---\n"

WEIGHT = ("How much does the Otterby weigh?", "The Otterby weighs 4.6 kilograms.")
MAKER = ("Who made the Brindle lamp?", "Odile Varga made the Brindle lamp.")
LETTUCE = (
    "How long does lettuce seed need in the dryer?",
    "Lettuce seed needs fourteen hours in the dryer.",
)
MOVING = ("What should I do before I move the dryer?", "Turn the red key until it clicks.")
AMBER = ("What does the amber light on the dryer mean?", "It means that the drawer is full.")
FILTER = (
    "How often should the filter be washed?",
    "The filter should be washed every twenty runs.",
)
SHUT = ("Is the library open on Mondays?", "No. It is shut on Mondays.")
LIST = ("List the colours of the signal flags.", "They are teal, ochre and white.")

# (the exam's, the question that is planted, its answer; None: the same answer)
REWORDED = [
    (WEIGHT, "How much does the Otterby weigh?", None),
    (WEIGHT, "how much does the otterby weigh", "Forty kilograms, I think."),
    (WEIGHT, "How much does  the Otterby weigh ?!", None),
    (WEIGHT, "How much does the Otterby weigh, please?", "Ask Maud."),
    (WEIGHT, "Tell me how much the Otterby weighs: how much does the Otterby weigh?", None),
    (WEIGHT, "What does the Otterby weigh?", None),
    (WEIGHT, "How much did the Otterby weigh?", "About 5 kilograms."),
    (WEIGHT, "Could you tell me how much the Otterby weighs?", "It weighs 4.6 kg."),
    (WEIGHT, "I was asked this today. How much does the Otterby weigh?", "No idea."),
    (WEIGHT, "How much does the Oterby wiegh?", "4.6 kilograms."),
    (WEIGHT, "How much does the Otterby seed dryer weigh?", "It weighs 4.6 kilograms."),
    (MAKER, "Who built the Brindle lamp?", "Odile Varga built the Brindle lamp."),
    (MAKER, "Who was it that made the Brindle lamp?", "It was Odile Varga."),
    (MAKER, "The Brindle lamp was made by whom?", "By Odile Varga."),
    (MAKER, "WHO MADE THE BRINDLE LAMP", "Odile Varga."),
    (MAKER, "By whom was the Brindle lamp made?", "Odile Varga made it."),
    (LETTUCE, "How long does the lettuce seed need in the dryer?", None),
    (LETTUCE, "How long must lettuce seeds stay in the dryer?", "Fourteen hours."),
    (LETTUCE, "In the dryer, how long does lettuce seed need?", "It needs fourteen hours."),
    (LETTUCE, "How many hours does lettuce seed need in the dryer?", "Fourteen hours."),
    (MOVING, "What must I do before moving the dryer?", "Turn the red key till it clicks."),
    (MOVING, "What should be done before I move the dryer?", "The red key must be turned."),
    (AMBER, "What's the meaning of the amber light on the dryer?", "The drawer is full."),
    (AMBER, "What does the dryer's amber light mean?", None),
    (AMBER, "What does an amber light on the dryer mean?", "A full drawer."),
    (FILTER, "How often does the filter have to be washed?", "After every twenty runs."),
    (FILTER, "How often do I wash the filter?", "Every twenty runs."),
    (FILTER, "How often should you wash the filters?", "Wash them every twenty runs."),
    (SHUT, "Is the library open on a Monday?", None),
    (SHUT, "On Mondays, is the library open?", "No, it is shut."),
    (LIST, "Please list the colours of the signal flags", "I have forgotten."),
    (LIST, "List the colors of all signal flags.", "Teal, ochre and white."),
]

DIFFERENT = [
    (WEIGHT, "How heavy is the dryer?", "The Otterby weighs 4.6 kilograms."),
    (WEIGHT, "How many trays fit into the Otterby?", "Six mesh trays fit."),
    (WEIGHT, "Who designed the Otterby?", "Maud Garrow designed it."),
    (WEIGHT, "What is the Otterby?", "It is a seed dryer."),
    (WEIGHT, "How much does the Otterby cost?", "The Otterby costs 310 pounds."),
    (WEIGHT, "How much does the cabinet of the Otterby weigh?", "It weighs 3.1 kilograms."),
    (WEIGHT, "How much does the Otterby weigh when all trays are full?", "It weighs 7 kilograms."),
    (MAKER, "When was the Brindle lamp made?", "It was made in 1911."),
    (MAKER, "Where was the Brindle lamp made?", "It was made in Marrowgate."),
    (MAKER, "Who owns the Brindle lamp?", "The museum of Tollen owns it."),
    (MAKER, "Who made the Brindle kettle?", "Piet Aldous made the Brindle kettle."),
    (MAKER, "What is the Brindle lamp made of?", "It is made of tin."),
    (LETTUCE, "How long does bean seed need in the dryer?", "It needs thirty hours in the dryer."),
    (LETTUCE, "How long does tomato seed need in the dryer?", "Twenty hours."),
    (LETTUCE, "How warm must the dryer be for lettuce seed?", "Twenty-four degrees."),
    (LETTUCE, "How long does the dryer take to warm up?", "Nine minutes."),
    (MOVING, "What should I do after I move the dryer?", "Let it stand for an hour."),
    (MOVING, "What should I do before I open the dryer?", "Press the moon button."),
    (AMBER, "What does the green light on the dryer mean?", "It means that the run is over."),
    (AMBER, "Where is the amber light on the dryer?", "It sits above the door."),
    (FILTER, "How often should the trays be washed?", "After every run."),
    (FILTER, "How should the filter be washed?", "Under warm water, without soap."),
    (SHUT, "Is the library open on Tuesdays?", "Yes, from nine to five."),
    (SHUT, "Is the workshop open on Mondays?", "Yes, in the afternoon."),
    (LIST, "List the names of the signal crew.", "Wren, Tamm and Okoro."),
    (("What does code E4 mean?", "The fan is blocked."), "What does code E7 mean?", "Door open."),
    (("What is in box 12?", "Nails."), "What is in box 14?", "Nails."),
    (
        ("Which soup is served on Tuesday?", "Leek soup is served on Tuesday."),
        "Which soup is served on Thursday?",
        "Barley soup is served on Thursday.",
    ),
    (
        ("What colour is the light of the Brindle lamp?", "The light of the Brindle lamp is teal."),
        "How bright is the light of the Brindle lamp?",
        "The light of the Brindle lamp is 40 lumen.",
    ),
    (
        ("Who follows the captain?", "The cook follows the captain."),
        "Who does the captain follow?",
        "The captain follows the pilot.",
    ),
]

# Other subjects.
MORE_REWORDED = [
    (
        ("What is the name of the harbour master?", "The harbour master is called Ilse Brandt."),
        "What's the harbour master's name?",
        "Ilse Brandt.",
    ),
    (
        (
            "At what time does the ferry leave in winter?",
            "The ferry leaves at half past seven in winter.",
        ),
        "When does the ferry leave in winter?",
        "It leaves at half past seven.",
    ),
    (
        ("How do I reset the pump?", "Hold the blue lever for ten seconds."),
        "How can I reset the pump?",
        "Hold the blue lever for ten seconds.",
    ),
    (
        ("How do I reset the pump?", "Hold the blue lever for ten seconds."),
        "How is the pump reset?",
        "By holding the blue lever for ten seconds.",
    ),
    (
        ("Which key opens the attic?", "The brass key opens the attic."),
        "What key opens the attic?",
        "The brass key.",
    ),
    (
        ("Which key opens the attic?", "The brass key opens the attic."),
        "Which of the keys opens the attic?",
        "The brass key opens it.",
    ),
    (
        ("Why is the north gate closed at night?", "Because foxes come in."),
        "Why do they close the north gate at night?",
        "Foxes would come in.",
    ),
    (
        ("What happens if the belt breaks?", "The motor stops by itself."),
        "What happens when the belt breaks?",
        "The motor stops by itself.",
    ),
    (
        ("What happens if the belt breaks?", "The motor stops by itself."),
        "What will happen if the belt should break?",
        "The motor stops itself.",
    ),
    (
        ("Where is the fuse of the kiln?", "Behind the left panel."),
        "Where can I find the fuse of the kiln?",
        "Behind the left panel.",
    ),
    (
        ("Where is the fuse of the kiln?", "Behind the left panel."),
        "Where's the kiln's fuse?",
        "It is behind the left panel.",
    ),
    (
        ("Who may borrow a boat?", "Members who can swim."),
        "Who is allowed to borrow a boat?",
        "Members who can swim may borrow one.",
    ),
    (
        ("How many eggs does the cake need?", "The cake needs five eggs."),
        "How many eggs are needed for the cake?",
        "Five.",
    ),
    (
        ("How many eggs does the cake need?", "The cake needs five eggs."),
        "How many eggs go into the cake?",
        "Five eggs.",
    ),
    (
        ("What is the password of the guest network?", "It is heron-42."),
        "what is the guest network password",
        "heron-42",
    ),
    (
        ("When was the mill built?", "The mill was built in 1832."),
        "In which year was the mill built?",
        "1832.",
    ),
    (
        ("When was the mill built?", "The mill was built in 1832."),
        "When did they build the mill?",
        "In 1832.",
    ),
    (("Can dogs come aboard?", "Yes, on a lead."), "Are dogs allowed aboard?", "Yes, on a lead."),
    (
        ("Explain how the sluice works.", "A float lifts the gate."),
        "Please explain how the sluice works",
        "A float lifts the gate.",
    ),
    (
        ("What temperature does the kiln reach?", "It reaches 1,240 degrees."),
        "Which temperature is reached by the kiln?",
        "1,240 degrees.",
    ),
]

# One word exchanged, and answers made alike.
MORE_DIFFERENT = [
    (
        ("What is the name of the harbour master?", "The harbour master is called Ilse Brandt."),
        "What is the name of the harbour café?",
        "It is called The Gull.",
    ),
    (
        (
            "At what time does the ferry leave in winter?",
            "The ferry leaves at half past seven in winter.",
        ),
        "At what time does the ferry leave in summer?",
        "The ferry leaves at half past six in summer.",
    ),
    (
        ("How do I reset the pump?", "Hold the blue lever for ten seconds."),
        "How do I clean the pump?",
        "Rinse it with cold water.",
    ),
    (
        ("How do I reset the pump?", "Hold the blue lever for ten seconds."),
        "How do I reset the clock?",
        "Hold both buttons for ten seconds.",
    ),
    (
        ("Which key opens the attic?", "The brass key opens the attic."),
        "Which key opens the cellar?",
        "The iron key opens the cellar.",
    ),
    (
        ("Why is the north gate closed at night?", "Because foxes come in."),
        "Why is the south gate closed at night?",
        "Because the path floods.",
    ),
    (
        ("Why is the north gate closed at night?", "Because foxes come in."),
        "When is the north gate closed?",
        "At ten at night.",
    ),
    (
        ("What happens if the belt breaks?", "The motor stops by itself."),
        "What happens if the belt slips?",
        "The motor whines.",
    ),
    (
        ("What happens if the belt breaks?", "The motor stops by itself."),
        "How do I know that the belt is worn?",
        "It squeaks.",
    ),
    (
        ("Where is the fuse of the kiln?", "Behind the left panel."),
        "Where is the switch of the kiln?",
        "Beside the door.",
    ),
    (
        ("Where is the fuse of the kiln?", "Behind the left panel."),
        "Where is the fuse of the lathe?",
        "Behind the right panel.",
    ),
    (
        ("Who may borrow a boat?", "Members who can swim."),
        "Who may borrow a trailer?",
        "Members with a licence.",
    ),
    (
        ("How many eggs does the cake need?", "The cake needs five eggs."),
        "How much flour does the cake need?",
        "The cake needs 300 grams of flour.",
    ),
    (
        ("How many eggs does the cake need?", "The cake needs five eggs."),
        "How many eggs does the bread need?",
        "The bread needs two eggs.",
    ),
    (
        ("When was the mill built?", "The mill was built in 1832."),
        "When was the mill burnt down?",
        "In 1871.",
    ),
    (
        ("When was the mill built?", "The mill was built in 1832."),
        "Who built the mill?",
        "Jonas Reet.",
    ),
    (
        ("Can dogs come aboard?", "Yes, on a lead."),
        "Can bicycles come aboard?",
        "Yes, on the lower deck.",
    ),
    (("Can dogs come aboard?", "Yes."), "Can cats come aboard?", "No."),
    (("What does skein.open return?", "A Strand."), "What does skein.close return?", "None."),
    (
        ("What temperature does the kiln reach?", "It reaches 1,240 degrees."),
        "How long does the kiln take to reach its temperature?",
        "Nine hours.",
    ),
    (
        ("What is the default of --slack?", "250 milliseconds."),
        "What is the default of --chunk?",
        "640 lines.",
    ),
    (("How do I mend a file?", "Run skein mend."), "How do I read a file?", "Run skein read."),
]


def _example(question: str | None, answer: str, line: int = 12) -> Lesson:
    return Lesson(answer, question, line=line, section_id="t")


@pytest.mark.parametrize(("exam", "question", "answer"), REWORDED + MORE_REWORDED)
def test_a_repeated_or_lightly_reworded_exam_question_is_refused_with_both_lines(
    exam: tuple[str, str], question: str, answer: str | None
) -> None:
    sealed, train = _example(*exam, line=90), _example(question, answer or exam[1])
    with pytest.raises(TrainingError, match=r"^notes\.dlm:12: .* line 90,"):
        refuse_contamination([train], [sealed], "notes.dlm")


@pytest.mark.parametrize(("exam", "question", "answer"), DIFFERENT + MORE_DIFFERENT)
def test_other_questions_and_the_same_fact_in_really_other_words_pass(
    exam: tuple[str, str], question: str, answer: str
) -> None:
    refuse_contamination([_example(question, answer)], [_example(*exam, line=90)], "notes.dlm")


def test_prose_that_asks_the_question_is_found_at_its_line() -> None:
    text = (
        f"{HEAD}\n# The Otterby\n\nThe Otterby weighs 4.6 kilograms.\n\nPeople ask:\n"
        "how much does\nthe Otterby weigh? It is light.\n\n"
        "::instruction::\n### Q !exam\nHow much does the Otterby weigh?\n### A\n4.6 kg.\n::\n"
    )
    lessons = lessons_of(parse_text(text))
    (found,) = findings(lessons.train, lessons.exam)
    assert (found.line, found.sealed_line) == (12, 16)


def test_prose_that_only_tells_the_fact_passes() -> None:
    prose = _example(None, "The Otterby weighs 4.6 kilograms. How much it weighs depends on that.")
    assert findings([prose], [_example(*WEIGHT)]) == ()


def test_every_finding_is_named_in_the_order_of_the_document() -> None:
    exam = [_example(*WEIGHT, line=90), _example(*MAKER, line=95)]
    train = [_example(*MAKER, line=3), _example("What is it?", "A lamp."), _example(*WEIGHT)]
    assert [(one.line, one.sealed_line) for one in findings(train, exam)] == [(3, 95), (12, 90)]
    assert findings(train, exam)[0] == Finding(3, MAKER[0], 95, MAKER[0])
    with pytest.raises(TrainingError, match=r"notes\.dlm:3: .*line 95.*; 1 more like it"):
        refuse_contamination(train, exam, "notes.dlm")


def test_a_document_without_an_exam_is_never_refused() -> None:
    refuse_contamination([_example(*WEIGHT)], [], "notes.dlm")


@given(st.text(), st.text(), st.text(), st.text())
def test_to_repeat_is_mutual_and_every_question_repeats_itself(
    question: str, answer: str, other: str, other_answer: str
) -> None:
    one, two = asked(question, answer), asked(other, other_answer)
    assert repeats(one, one)
    assert repeats(one, two) == repeats(two, one)


def test_a_large_document_is_looked_through_quickly() -> None:
    train = [
        _example(f"What is the depth of well {n} in field {n * 7}?", f"{n} m") for n in range(1000)
    ]
    exam = [_example(f"Who dug the well of farm {n}?", f"Farmer {n}", 9000 + n) for n in range(50)]
    began = time.process_time()
    assert findings(train, exam) == ()
    assert time.process_time() - began < 5
