"""What was gained and lost between two scorecards."""

from __future__ import annotations

from cards import card, item

from dlm.eval.answers import Kind
from dlm.eval.comparison import compare

RIGHT, WRONG = "It is teal.", "No idea."


def _questions(items: object) -> list[str]:
    return [one.question for one in items]  # type: ignore[attr-defined]


def test_questions_are_matched_by_their_text_wherever_they_stand() -> None:
    before = card(
        [
            item("Kept?", RIGHT, line=5),
            item("Gained?", WRONG, line=9),
            item("Lost?", RIGHT, line=13),
            item("Gone?", RIGHT, line=17),
        ]
    )
    now = card(
        [
            item("New?", RIGHT, line=1),
            item("New, not learned?", WRONG, line=3),
            item("Lost?", WRONG, line=23),
            item("Gained?", RIGHT, line=31),
            item("Kept?", RIGHT, line=45),
        ]
    )
    found = compare("v0001", before, now)
    assert _questions(found.gained) == ["Gained?"]
    assert _questions(found.learned) == ["New?"]
    assert [(one.question, one.line) for one in found.lost] == [("Lost?", 23)]
    assert found.gone == 1
    assert found.to_json()["lost"][0]["answer"] == WRONG


def test_a_corrected_answer_is_a_new_question() -> None:
    before = card([item("Colour?", "It is teal.", "It is teal.")])
    now = card([item("Colour?", "It is red.", "It is red.")])
    found = compare("v0001", before, now)
    assert (_questions(found.learned), found.lost) == (["Colour?"], ())


def test_what_was_not_asked_is_neither_new_nor_gone() -> None:
    before = card([item("Sampled?", RIGHT), item("Other?", None)])
    now = card([item("Sampled?", None), item("Other?", RIGHT)])
    found = compare("v0001", before, now)
    assert (found.gained, found.learned, found.lost, found.gone) == ((), (), (), 0)


def test_a_pair_that_left_the_exam_for_the_training_is_still_the_same_question() -> None:
    found = compare(
        "v0001", card([item("Sealed?", WRONG, kind=Kind.EXAM)]), card([item("Sealed?", RIGHT)])
    )
    assert _questions(found.gained) == ["Sealed?"]


def test_rewordings_and_general_questions_are_not_the_owners() -> None:
    before = card([item("q", RIGHT, kind=Kind.REWORDED), item("g", RIGHT, kind=Kind.GENERAL)])
    now = card([item("q", WRONG, kind=Kind.REWORDED), item("g", WRONG, kind=Kind.GENERAL)])
    assert compare("v0001", before, now).lost == ()
