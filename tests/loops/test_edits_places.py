"""Where machine edits go and what they leave alone, one case at a time."""

from __future__ import annotations

from dataclasses import replace

import pytest
from edits_kit import AT, HEAD, addition, document, plan

from dlm.doc.provenance import Origin, Provenance
from dlm.doc.sections import SectionType
from dlm.errors import DocumentError, EditConflict
from dlm.loops.edits import (
    Addition,
    EditPlan,
    NewPair,
    Removal,
    applied,
    plan_from_json,
    plan_to_json,
    reverted,
)

SYNTH = (Origin.SYNTHESIZED,)
OPEN = "::instruction::\n### Q\nWhy?\n### A\nSo.\n"


def _shape(text: str) -> str:
    """The body with each machine block as `M` and its question."""
    lines = []
    inside = False
    for line in text.removeprefix(HEAD).split("\n"):
        if line.startswith("<!-- dlm-auto"):
            lines[-1] = "M"
            inside = True
        elif not inside or line == "::":
            lines += [] if inside and line == "::" else [line]
            inside = inside and line != "::"
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("One.\n", "One.\n\nM\n"),
        ("One.", "One.\n\nM"),
        ("One.\n\n\n", "One.\n\nM\n\n\n"),
        ("", "\nM\n"),
        ("\n\n", "\nM\n\n\n"),
        ("::prose#x::\nOne.\n", "::prose#x::\nOne.\n\nM\n"),
        (OPEN, f"{OPEN}\nM\n"),
    ],
)
def test_an_addition_at_the_end(before: str, after: str) -> None:
    start = document(before)
    result = applied(start, plan(start, addition("New?")))
    assert _shape(result.text) == after
    assert reverted(result, SYNTH).document.text == start.text


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (f"One.\n\n{OPEN}::\n", f"One.\n\nM\n\n{OPEN}::\n"),
        (f"One.\n\n\n{OPEN}::\n\n\nTwo.\n", f"One.\n\n\nM\n\n\n{OPEN}::\n\n\nTwo.\n"),
        (f"One.\n{OPEN}::\nTwo.\n", f"One.\nM\n{OPEN}::\nTwo.\n"),
    ],
)
def test_the_blank_lines_of_the_file_are_kept(before: str, after: str) -> None:
    start = document(before)
    result = applied(start, plan(start, addition("New?", after=start.sections[0].section_id)))
    assert _shape(result.text) == after
    assert reverted(result, SYNTH).document.text == start.text


def test_several_after_one_section_keep_their_order_and_later_runs_follow() -> None:
    start = document("One.\n\n::prose::\nTwo.\n::\n")
    source = start.sections[0].section_id
    first = plan(start, addition("A?", after=source), addition("B?", after=source))
    second = plan(start, addition("C?", after=source, run="r2"), run="r2")
    result = applied(applied(start, first), second)
    assert [pair.question for _, pair in result.pairs()] == ["A?", "B?", "C?"]
    assert result.sections[-1].text == "Two."


def test_newlines_byte_order_mark_and_missing_final_newline_stay() -> None:
    start = document("One.", newline="\r\n")
    result = applied(start, plan(start, addition("New?", "Two\nlines.")))
    assert result.text.startswith(start.text + "\r\n\r\n::instruction::\r\n")
    assert result.text.endswith("lines.\r\n::")
    assert result.text.count("\n") == result.text.count("\r\n")
    assert reverted(result, SYNTH).document.to_bytes() == start.to_bytes()


def test_prose_written_behind_an_addition_stays_prose_when_that_is_taken_back() -> None:
    start = document(OPEN)
    text = applied(start, plan(start, addition("New?"))).text + "My own words.\n"
    back = reverted(document(text.removeprefix(HEAD)), SYNTH).document
    assert back.text == f"{HEAD}{OPEN}::\nMy own words.\n"
    assert [section.type for section in back.sections] == [
        SectionType.INSTRUCTION,
        SectionType.PROSE,
    ]


def test_prose_on_both_sides_becomes_one_again() -> None:
    start = document("Before.\n")
    text = applied(start, plan(start, addition("New?"))).text + "\nAfter.\n"
    back = reverted(document(text.removeprefix(HEAD)), SYNTH).document
    assert back.text == f"{HEAD}Before.\n\nAfter.\n"
    assert len(back.sections) == 1


def test_a_section_can_be_replaced() -> None:
    start = document(f"One.\n\n{OPEN}::\n\nTwo.")
    old = start.sections[1].section_id
    change = EditPlan(
        "r1",
        Origin.SYNTHESIZED,
        "self",
        AT,
        start.sha256,
        (addition("New?", after=old),),
        (Removal(old), Removal(start.sections[2].section_id)),
    )
    assert _shape(applied(start, change).text) == "One.\n\nM"


def test_applying_twice_is_refused() -> None:
    start = document("One.\n")
    wanted = plan(start, addition("New?"))
    with pytest.raises(EditConflict, match="it is in the document already"):
        applied(applied(start, wanted), wanted)


def test_what_does_not_fit_is_named() -> None:
    start = document("One.\n\n```\nnot closed\n")
    for change, reason in (
        (addition("New?"), "the code block that begins at line 8 is not closed"),
        (addition("New?", after="0" * 16), "changed or removed since"),
        (addition("New?", run="other"), "its marker names another run"),
    ):
        with pytest.raises(EditConflict, match=reason):
            applied(start, plan(start, change))
    with pytest.raises(EditConflict, match="not in the document any more"):
        applied(start, replace(plan(start), removals=(Removal("0" * 16),)))
    with pytest.raises(EditConflict, match="no change of this name"):
        applied(start, plan(start), only=["nothere"])


@pytest.mark.parametrize("text", ["\0", "a\ud800", "", " \n"])
def test_what_no_document_can_hold_is_refused_when_it_is_rendered(text: str) -> None:
    with pytest.raises(DocumentError):
        addition(text)


def test_a_marker_can_hold_anything() -> None:
    start = document("One.\n")
    made = Provenance(Origin.SYNTHESIZED, 'a"-->\n::\n\0\ud800', "r1", AT, extra={"gap": "x"})
    each = Addition(made, pairs=(NewPair("Q?", "A."),))
    result = applied(start, plan(start, each))
    assert len(result.sections) == 2
    assert result.sections[1].provenance is not None
    assert result.sections[1].provenance.by == made.by
    assert reverted(result, SYNTH).document.text == start.text


def test_a_plan_survives_json() -> None:
    start = document("One.\n")
    wanted = EditPlan(
        "r1",
        Origin.MINED,
        "j\ud800",
        AT,
        start.sha256,
        (addition("New?", after="0" * 16),),
        (Removal("1" * 16, 2, "x"),),
        {"funnel": {"parsed": 3}, "score": float("nan"), "at": AT},
    )
    data = plan_to_json(wanted)
    back = plan_from_json(data)
    assert (back.additions, back.removals, back.by) == (
        wanted.additions,
        wanted.removals,
        wanted.by,
    )
    assert back.note == {"funnel": {"parsed": 3}, "score": None, "at": str(AT)}
    assert plan_to_json(back) == data


@pytest.mark.parametrize(
    "damage",
    [
        {"marker": "::prose::"},
        {"pairs": [["Q?", "a\0", "train"]]},
        {"pairs": [["Q?", "", "train"]]},
        {"pairs": [["Q?", "A.", "other"]]},
        {"pairs": [["Q?", "A."]]},
        {"triples": [["p", "c", 1]]},
        {"name": "a b"},
        {"after": 3},
    ],
)
def test_a_damaged_plan_is_never_read_as_another(damage: dict[str, object]) -> None:
    start = document("One.\n")
    data = plan_to_json(plan(start, addition("New?")))
    data["additions"][0] |= damage
    with pytest.raises((DocumentError, ValueError, TypeError, KeyError)):
        plan_from_json(data)


def test_what_its_owner_edited_is_the_addition_then() -> None:
    first = addition("Old?")
    for body in ("### Q !exam\nNew?\n### A\nYes\\\n\n", "### Q\n1?\n### A\n1\n### Q\n2?\n### A\n2"):
        edited = first.with_body(body)
        after = applied(document("One.\n"), plan(document("One.\n"), edited))
        read = [NewPair(pair.question, pair.answer, pair.role) for _, pair in after.pairs()]
        assert read == list(edited.pairs)
        assert edited.provenance == first.provenance
    for body in ("### Q\nNo answer", "::\n### Q\nx\n### A\ny", "```\n### Q\nx\n### A\ny", "x"):
        with pytest.raises(DocumentError):
            first.with_body(body)
