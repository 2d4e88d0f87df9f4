"""What teachers write is read as pairs, whatever it is."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, strategies as st
from strategies import DLM_ID, TEASING_LINES

from dlm.doc.parser import parse_text
from dlm.doc.render import render_pair, render_section
from dlm.doc.sections import SectionType
from dlm.loops.synth.parsing import LONGEST_ANSWER, parse_pairs

TWO = (("What is it?", "A boat."), ("Who rows it?", "Wren."))

WAYS = {
    "grammar": "### Q\nWhat is it?\n### A\nA boat.\n\n### Q\nWho rows it?\n### A\nWren.",
    "grammar with blank lines and a preamble": (
        "Here you are:\n\n### Q\n\nWhat is it?\n\n### A\n\nA boat.\n\n---\n\n### Q\nWho rows it?\n"
        "### A\nWren.\n---\n"
    ),
    "grammar in a code block": (
        "```markdown\n### Q\nWhat is it?\n### A\nA boat.\n### Q\nWho rows it?\n### A\nWren.\n```"
    ),
    "marks are dropped": (
        "### Q !exam\nWhat is it?\n### A\nA boat.\n### Q !probe\nWho rows it?\n### A\nWren."
    ),
    "letters": "Q: What is it?\nA: A boat.\nQ: Who rows it?\nA: Wren.",
    "numbered": "1. Q: What is it?\n   A: A boat.\n\n2. Q: Who rows it?\n   A: Wren.",
    "numbered letters": "Q1. What is it?\nA1. A boat.\n\nQ2. Who rows it?\nA2. Wren.",
    "bold": (
        "**Question:** What is it?\n**Answer:** A boat.\n\n**Question:** Who rows it?\n"
        "**Answer:** Wren."
    ),
    "bold, numbered": (
        "**Question 1:** What is it?\n\n**Answer 1:** A boat.\n\n**Question 2:** Who rows it?\n"
        "**Answer 2:** Wren."
    ),
    "bold around the whole": (
        "- **Q1: What is it?**\n- A: A boat.\n- **Q2: Who rows it?**\n- A: Wren."
    ),
    "headings": (
        "### Question\nWhat is it?\n### Answer\nA boat.\n## Question 2\nWho rows it?\n"
        "## Answer 2\nWren."
    ),
    "json": json.dumps([{"question": q, "answer": a} for q, a in TWO]),
    "json in a code block": "Sure!\n```json\n"
    + json.dumps([{"q": q, "a": a} for q, a in TWO])
    + "\n```",
    "json in an object": json.dumps({"pairs": [{"instruction": q, "output": a} for q, a in TWO]}),
    "json, one a line": "\n".join(json.dumps({"prompt": q, "response": a}) for q, a in TWO),
    "json, cut off": json.dumps([{"question": q, "answer": a} for q, a in TWO])[:-1]
    + ', {"question": "Wh',
    "json, damaged in the middle": (
        '[{"question": "What is it?", "answer": "A boat."}, {"question": oops}, '
        '{"question": "Who rows it?", "answer": "Wren."}]'
    ),
    "reasoning first": (
        "<think>Q: no?\nA: no.</think>\nQ: What is it?\nA: A boat.\nQ: Who rows it?\nA: Wren."
    ),
    "reasoning opened by the template": (
        "hm.</think>Q: What is it?\nA: A boat.\nQ: Who rows it?\nA: Wren."
    ),
    "other newlines and control characters": (
        "### Q\r\nWhat\x00 is it?\r\n### A\r\n"
        "A\x1b boat.\r### Q\rWho rows it?\u2028### A\u2028Wren."
    ),
}


@pytest.mark.parametrize("text", WAYS.values(), ids=WAYS)
def test_every_way_of_writing_two_pairs_is_read(text: str) -> None:
    assert parse_pairs(text).pairs == TWO


def test_the_good_part_of_a_bad_completion_is_kept() -> None:
    parsed = parse_pairs(
        "### A\nlost\n### Q\nWhat is it?\n### A\nA boat.\n### Q\nalone\n### Q\n"
        "Who rows it?\n### A\n"
        "Wren rows it. She rows it every Sunday when there are bu"
    )
    assert parsed.pairs == (TWO[0], ("Who rows it?", "Wren rows it."))
    assert parsed.dropped == ("an answer without a question", "a question without an answer")


def test_headers_inside_code_are_code() -> None:
    text = "### Q\nHow?\n### A\n```sh\n### Q\nQ: x\nA: y\n```\nLike that.\n### Q\nAnd?\n### A\nSo."
    assert parse_pairs(text).pairs == (
        ("How?", "```sh\n### Q\nQ: x\nA: y\n```\nLike that."),
        ("And?", "So."),
    )


def test_an_open_code_block_swallows_nothing() -> None:
    text = "### Q\nHow?\n### A\n```\n### Q\nAnd?\n### A\nSo."
    assert parse_pairs(text).pairs == (("And?", "So."),)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "nothing in it reads"),
        ("The boat is blue.", "nothing in it reads"),
        ("### Q\nWhat?", "a question without an answer"),
        ("### Q\nWhat?\n### A\n" + "long. " * LONGEST_ANSWER, "an answer of"),
        ("### Q\nWhat?\n### A\n" + "line.\n" * 3000, "an answer of"),
        ("### Q\n" + "why " * 200 + "\n### A\nx", "a question of"),
        ("Q: " + "a?\nA: b\nQ: " * 200, "more than 64 pairs"),
        ("<think>forever", "nothing in it reads"),
    ],
)
def test_what_is_left_out_is_said(text: str, reason: str) -> None:
    assert any(reason in dropped for dropped in parse_pairs(text).dropped)


_PIECES = st.one_of(
    st.sampled_from(
        [*TEASING_LINES, "Q: a?", "A: b", "### Q", "### A", "**Question:** x", '{"q": "']
    )
    | st.sampled_from(
        ['"a": "b"}', "[{", "```json", "<think>", "</think>", "\0", "\ud800", "1. Q:"]
    ),
    st.text(max_size=30),
)


@given(st.lists(_PIECES, max_size=25))
def test_nothing_a_teacher_writes_raises_or_leaves_its_section(lines: list[str]) -> None:
    for question, answer in parse_pairs("\n".join(lines)).pairs:
        section = render_section(SectionType.INSTRUCTION, render_pair(question, answer))
        text = (
            f"---\ndlm_id: {DLM_ID}\nbase_model: pocket\n---\n\nProse.\n\n{section}\nMore prose.\n"
        )
        document = parse_text(text)
        assert [(pair.question, pair.answer) for _, pair in document.pairs()] == [
            (question, answer)
        ]
        assert [s.type.value for s in document.sections] == ["prose", "instruction", "prose"]


@pytest.mark.parametrize(
    "piece", ["{", '{"a":', "[", "Q: ", "**", "```\n", "<think>", "# ", "- " * 20]
)
def test_hostile_repetition_is_read_in_time(piece: str) -> None:
    parse_pairs(piece * (200_000 // len(piece)))
