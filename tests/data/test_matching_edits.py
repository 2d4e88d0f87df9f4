"""What a document's edit means for what was trained before."""

from __future__ import annotations

from hypothesis import given, strategies as st

from dlm.data.lessons import Lesson, lessons_of, parts
from dlm.data.matching import align
from dlm.doc.parser import parse_text

HEAD = "---\ndlm_id: 01J9ZQ6W3N8R2T4V6X8Y0A1B2C\ndlm_version: 15\nbase_model: pocket\n---\n"


def pair(question: str, answer: str, line: int = 1) -> Lesson:
    return Lesson(answer, question, line=line, section_id="s")


LAMP = pair("What colour is the light of the Brindle lamp?", "It is teal.")
MAKER = pair("Who made the Brindle lamp?", "Odile Varga made it.")
HOURS = pair("How long does the Brindle lamp burn?", "It burns for nineteen hours.")
CELL = pair("Which cell does the lamp take?", "It takes one flat cell.")

some_lessons = st.lists(
    st.builds(
        pair, st.sampled_from(["who is it", "what is it", "why"]), st.sampled_from(["a", "b", "c"])
    ),
    max_size=8,
)


def test_an_answer_corrected_in_place_supersedes_the_old_one() -> None:
    corrected = pair(LAMP.question, "It is amber, since the repair.")
    changes = align([MAKER, LAMP, HOURS], [MAKER, corrected, HOURS])
    assert changes.new == (corrected,)
    assert [(one.old, one.new) for one in changes.superseded] == [(LAMP, corrected)]
    assert changes.unchanged == (MAKER, HOURS)
    assert changes.removed == ()


def test_a_question_asked_in_other_words_in_the_same_place_supersedes() -> None:
    reworded = pair("For how many hours does the Brindle lamp burn?", HOURS.text)
    changes = align([LAMP, HOURS, MAKER], [LAMP, reworded, MAKER])
    assert [(one.old, one.new) for one in changes.superseded] == [(HOURS, reworded)]
    assert "in the same place" in changes.superseded[0].why


def test_another_question_in_the_same_place_leaves_the_old_one_removed() -> None:
    changes = align([LAMP, HOURS, MAKER], [LAMP, CELL, MAKER])
    assert (changes.superseded, changes.removed, changes.new) == ((), (HOURS,), (CELL,))


def test_the_same_question_elsewhere_supersedes() -> None:
    moved = pair("Who made the  Brindle lamp?", "Ines Calder made it.", line=90)
    changes = align([MAKER, LAMP, HOURS], [LAMP, HOURS, moved])
    assert [(one.old, one.new) for one in changes.superseded] == [(MAKER, moved)]
    assert "another place" in changes.superseded[0].why


def test_moving_pairs_changes_nothing() -> None:
    changes = align([MAKER, LAMP, HOURS], [HOURS, MAKER, LAMP])
    assert (changes.new, changes.superseded, changes.removed) == ((), (), ())


def test_two_edits_beside_each_other_are_told_apart() -> None:
    lamp = pair(LAMP.question, "It is amber.")
    hours = pair(HOURS.question, "It burns for twenty hours.")
    changes = align([LAMP, HOURS], [lamp, hours])
    assert [(one.old, one.new) for one in changes.superseded] == [(LAMP, lamp), (HOURS, hours)]


@given(known=some_lessons, here=some_lessons)
def test_every_item_is_sorted_exactly_once(known: list[Lesson], here: list[Lesson]) -> None:
    known = list({item.id: item for item in known}.values())
    changes = align(known, here)
    old = {one.old.id for one in changes.superseded}
    gone = {item.id for item in changes.removed}
    same = {item.id for item in changes.unchanged}
    assert old | gone | same == {item.id for item in known}
    assert len(old) + len(gone) + len(same) == len(known)
    new = [item.id for item in changes.new]
    assert set(new) | same == {item.id for item in here}
    assert len(new) == len(set(new))
    assert len({one.new for one in changes.superseded}) == len(changes.superseded)


def test_prose_is_compared_by_paragraph_and_keeps_its_lines() -> None:
    text = "\n# Lamp\n\nOne stands here.\nStill one.\n\n\nTwo stands here.\n"
    found = parts(lessons_of(parse_text(HEAD + text)).train)
    assert [(item.text, item.line) for item in found] == [
        ("# Lamp", 7),
        ("One stands here.\nStill one.", 9),
        ("Two stands here.", 13),
    ]
    longer = parts(lessons_of(parse_text(HEAD + text + "\nThree is new.\n")).train)
    changes = align(found, longer)
    assert [item.text for item in changes.new] == ["Three is new."]
    assert len(changes.unchanged) == 3


def test_an_edited_paragraph_supersedes_the_old_one() -> None:
    old = Lesson("The lamp burns for nineteen hours on one cell.")
    new = Lesson("The lamp burns for twenty hours on one flat cell.")
    assert [one.old for one in align([old], [new]).superseded] == [old]
    other = Lesson("Seven gulls live on the roof of the harbour office.")
    assert align([old], [other]).removed == (old,)
