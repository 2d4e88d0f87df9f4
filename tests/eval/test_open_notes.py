"""What is asked of a version is asked with the notes open, too."""

from __future__ import annotations

from cards import card, item

from dlm.base_models import resolve
from dlm.doc.parser import parse_text
from dlm.eval.answers import Kind
from dlm.eval.open_notes import with_notes_open
from dlm.eval.scorecard import Scorecard

HEAD = "---\ndlm_id: 01KB7W2D5R8XQ3M6TZ9C4HNVJE\ndlm_version: 15\nbase_model: pocket\n{0}---\n"
BODY = """
The lamp weighs four kilograms. It was made by Ida Fenn in the harbour of Roke.

::instruction::
### Q
Which colour is the Brindle lamp?
### A
The Brindle lamp is teal.
::
"""
POCKET = resolve("pocket")


def _card() -> Scorecard:
    return card(
        [
            item("Which colour is the Brindle lamp?", "It is red.", "The Brindle lamp is teal."),
            item("Who made the lamp?", "A smith.", "Ida Fenn made it.", kind=Kind.HELD_OUT),
            item("Which planet has rings?", "Saturn.", "Saturn.", kind=Kind.EXAM),
            item("What is rain?", "Water.", "Water.", kind=Kind.GENERAL),
        ]
    )


def _opened(settings: str = "") -> Scorecard:
    return with_notes_open(_card(), parse_text(HEAD.format(settings) + BODY), POCKET)


def test_each_answer_is_quoted_with_its_line_or_declined() -> None:
    colour, maker, planet, rain = _opened().items
    assert colour.opened is not None
    assert (colour.opened.text, colour.opened.right) == ("The Brindle lamp is teal.", True)
    assert colour.opened.line is not None
    assert maker.opened is not None
    assert "Ida Fenn" in maker.opened.text
    assert planet.opened is not None
    assert (planet.opened.declined, planet.opened.right) == (True, False)
    assert rain.opened is None


def test_of_a_large_document_some_of_what_was_not_trained_is_asked() -> None:
    prose = "".join(f"\nLamp {n} stands in hall {n}.\n" for n in range(1_000))
    document = parse_text(HEAD.format("") + BODY + prose)
    kinds = (Kind.TRAINED, Kind.EXAM, Kind.REWORDED)
    items = [
        item(f"Where is lamp {n} then?", "Nowhere.", f"Hall {n}.", kind=kind, lesson_id=f"{n:016x}")
        for kind in kinds
        for n in range(30)
    ]
    opened = with_notes_open(card(items), document, POCKET)
    asked = {kind: [one.opened is not None for one in opened.of(kind)] for kind in kinds}
    assert asked[Kind.TRAINED] == [True] * 30
    assert asked[Kind.EXAM] == asked[Kind.REWORDED] == [True] * 10 + [False] * 20
    assert opened.figure("open", "generalisation").n == 20
    small = with_notes_open(card(items), parse_text(HEAD.format("") + BODY), POCKET)
    assert small.figure("open", "generalisation").n == 60


def test_open_and_closed_figures_stand_side_by_side() -> None:
    opened = _opened()
    assert opened.figure("recall", "right").value == 0
    assert opened.figure("open", "recall").value == 1
    assert opened.figure("open", "generalisation").n == 2
    assert opened.figure("open", "declined").value == 1 / 3


def test_the_card_is_read_back_as_it_was_kept() -> None:
    opened = _opened()
    assert Scorecard.from_json(opened.to_json()) == opened


def test_a_document_of_style_is_asked_closed_alone() -> None:
    closed = _opened("training:\n  open_book: false\n")
    assert "open" not in closed.figures
    assert all(one.opened is None for one in closed.items)
