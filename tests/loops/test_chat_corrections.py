"""What counts as a correction, and as a good answer to one."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings, strategies as st

from dlm.loops.chat_logs.messages import Conversation, Turn, joined
from dlm.loops.chat_logs.run import (
    correction,
    found_in,
    leans_on_more,
    why_not_better,
    without_apology,
    without_greeting,
)
from dlm.loops.edits import NewPair, NewTriple
from dlm.loops.proposals import Proposal, Unused

CORRECTING = [
    "No, the key hangs in the drainpipe.",
    "No. It is eleven pounds.",
    "Nope, that was Wren.",
    "no it's Marigold",
    "That's wrong, the fan has to be locked first.",
    "That’s not right: it takes nine minutes.",
    "That is not what I asked. I asked about the blue boat.",
    "This isn't correct. The plate is warmed to 34 degrees.",
    "Wrong! It is Tuesday.",
    "You misread the question, I need the metric size.",
    "You forgot the filter.",
    "Actually, the river board must read below 140.",
    "It should be thirty-one degrees.",
    "I meant the second dryer.",
    "Not quite. The lowest tray dries fastest.",
    "Sorry, but that's incorrect. It is a feather.",
]
NOT_CORRECTING = [
    "No, thanks.",
    "No thank you, that is all.",
    "No problem!",
    "No worries, it works now.",
    "No, that's fine.",
    "No, it's ok.",
    "No more questions.",
    "No idea, sorry.",
    "Thanks! No, really, that helped.",
    "Yes, but what about the second one?",
    "Are you sure?",
    "Is that right?",
    "Actually, can you also tell me about the trays?",
    "You're right, that was wrong of me.",
    "Notes on the dryer: what does E4 mean?",
    "Nobody told me. How do I clean it?",
    "What is wrong with the fan?",
    "Great, and is it wrong to open the door?",
    "That is great.",
    "",
]


@pytest.mark.parametrize("message", CORRECTING)
def test_a_correction_is_seen(message: str) -> None:
    assert correction(message)


@pytest.mark.parametrize("message", NOT_CORRECTING)
def test_what_only_sounds_like_one_is_not(message: str) -> None:
    assert correction(message) is None


def test_no_to_a_question_of_the_assistant_corrects_nothing() -> None:
    assert correction("No, the blue one.", answered="The green boat?") is None
    assert correction("No, the blue one.", answered="It is the green boat.")
    assert correction("That's wrong, it is blue.", answered="Green. Anything else?")


@settings(deadline=None)
@given(st.text())
def test_any_message_can_be_read(message: str) -> None:
    correction(message, answered=message)
    leans_on_more(message)
    assert len(without_apology(message)) <= len(message)


def test_the_apology_goes_and_the_answer_stays() -> None:
    told = "You're right, I apologize for the confusion. The key hangs in the drainpipe."
    assert without_apology(told) == "The key hangs in the drainpipe."
    assert without_apology("I'm sorry! My mistake.\n\nIt is blue.") == "It is blue."
    assert without_apology("You’re absolutely right.") == ""
    assert without_apology("Sorrel grows by the gate.") == "Sorrel grows by the gate."
    assert (
        without_apology("You're right, it hangs outside. Look up.") == "It hangs outside. Look up."
    )
    assert without_apology("Sorry, my mistake, and I apologise for it.") == ""
    assert without_apology("You are right-handed, so turn it left.")


def test_a_greeting_is_no_part_of_the_question() -> None:
    assert without_greeting("Hi! Thanks, that helped. Who rows?") == "Who rows?"
    assert without_greeting("Great boats: how many?") == "Great boats: how many?"
    assert without_greeting("Thanks!") == "Thanks!"


@pytest.mark.parametrize(
    ("later", "reason"),
    [
        ("", "only apologises"),
        ("I cannot tell you that.", "declines"),
        ("It hangs on the wall.", "says the same again"),
        ("There are many boats.", "does not take up"),
        ("It hangs in the drainpipe.", None),
    ],
)
def test_a_better_answer_takes_up_the_correction(later: str, reason: str | None) -> None:
    found = why_not_better("It hangs on the wall.", "No, it is in the drainpipe.", later)
    assert found is None if reason is None else reason in (found or "")


def talk(*texts: str) -> Conversation:
    roles = ("user", "assistant")
    turns = [Turn(roles[place % 2], text) for place, text in enumerate(texts)]
    return Conversation("log.jsonl:1", joined(turns))


def test_the_first_question_the_later_answer_and_the_earlier_one_make_a_triple() -> None:
    (found,) = found_in(
        talk(
            "Where does the spare key hang?",
            "It hangs behind the door.",
            "No, it hangs inside the drainpipe.",
            "You are right, sorry. The spare key hangs inside the drainpipe.",
            "Thanks!",
        )
    )
    triple = NewTriple(
        "Where does the spare key hang?",
        "The spare key hangs inside the drainpipe.",
        "It hangs behind the door.",
    )
    assert found == Proposal(triple, "log.jsonl:1", "corrected: no, …")


def test_an_answer_that_is_corrected_again_is_not_the_good_one() -> None:
    (found,) = found_in(
        talk(
            "How long does lettuce need?",
            "Lettuce needs ten hours.",
            "No, that is too short.",
            "Lettuce needs short twenty hours.",
            "Wrong, it is fourteen hours.",
            "Lettuce needs fourteen hours.",
        )
    )
    assert found == Proposal(
        NewTriple(
            "How long does lettuce need?",
            "Lettuce needs fourteen hours.",
            "Lettuce needs ten hours.",
        ),
        "log.jsonl:1",
        "corrected: no, …",
    )


def test_what_gives_nothing_is_named() -> None:
    (found,) = found_in(talk("Where is it kept?", "There.", "No, that's wrong."))
    assert isinstance(found, Unused)
    assert "ends with a correction" in found.reason
    one, two = found_in(
        talk(
            "Who counts the money?",
            "Wren counts the money.",
            "And what about that one?",
            "Oduya.",
            "No, it is Tamm.",
            "Tamm does.",
        )
    )
    pair = NewPair("Who counts the money?", "Wren counts the money.")
    assert one == Proposal(pair, "log.jsonl:1", "exchange")
    assert isinstance(two, Unused)
    assert "leans on" in two.reason


def test_an_answer_that_was_cut_off_is_not_chosen() -> None:
    turns = [
        Turn("user", "Who counts the money?"),
        Turn("assistant", "Oduya does."),
        Turn("user", "No, it is Wren."),
        Turn("assistant", "Wren counts the", finished=False),
    ]
    (found,) = found_in(Conversation("x:1", joined(turns)))
    assert isinstance(found, Unused)


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["user", "assistant"]), st.text()), max_size=9))
def test_any_conversation_can_be_read(said: list[tuple[str, str]]) -> None:
    turns = joined([Turn(role, text) for role, text in said])
    assert all(one.role != two.role for one, two in pairwise(turns))
    list(found_in(Conversation("x:1", turns)))
