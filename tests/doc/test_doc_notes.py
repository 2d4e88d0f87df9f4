"""Notes of other programs: what of them is no text, and what only looks so."""

from __future__ import annotations

import pytest

from dlm.doc.notes import read_note
from dlm.doc.parser import parse_text

FRONT = "---\ndlm_id: 01HRZYQ2X0MB5K4VN7E9DNT5GH\nbase_model: pocket\n---\n"


@pytest.mark.parametrize(
    "front",
    [
        "---\ntags: [boats, quay]\naliases:\n  - Ferry hut\ncreated: 2024-05-06T07:08:09\n---\n",
        "---\ntitle: a\ndescription: |\n  one\n  ---\n  two\n---\n",
        "---\n---\n",
        "--- \n# a comment\n\"quoted key\": 1\n'other: key': 2\nДата: 3\ndate created: 4\n--- \n",
        "---\nlist:\n- a\n- b\nmap: {\n}\nempty:\n...\n",
        '+++\ntitle = "a: b"\n[params]\nx = [\n  1,\n]\n+++\n',
    ],
)
def test_frontmatter_is_left_out(front: str) -> None:
    note = read_note(front + "\n# Title\n")
    assert note.text.strip() == "# Title"
    assert note.frontmatter == (1, front.count("\n"))


@pytest.mark.parametrize(
    "text",
    [
        "---\n\nA note that begins with a rule.\n\n---\n\nMore.\n",
        "---\nA sentence: with a colon.\nAnd one without.\n---\n",
        " ---\nkey: value\n---\n",
        "Text.\n---\nkey: value\n---\n",
        "+++\nA break of MyST.\n+++\n",
        "rating:: 5\ntitle:: of Logseq\n",
    ],
)
def test_what_only_looks_like_frontmatter_stays(text: str) -> None:
    note = read_note(text, obsidian=True)
    assert (note.text, note.frontmatter, note.unclosed) == (text, None, ())


def test_frontmatter_that_never_ends_is_kept_and_named() -> None:
    text = "---\ntags: [boats]\n\nThe hut.\n"
    assert (read_note(text).text, read_note(text).unclosed) == (text, ((1, "---"),))


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("One %%two%% three.\n", "One three.\n"),
        ("One. %%two%%\nThree.\n", "One.\nThree.\n"),
        ("One.\n\n%%\ntwo\n\nthree\n%%\n\nFour.\n", "One.\n\nFour.\n"),
        ("One.\n<!-- two\nthree -->\nFour.\n", "One.\nFour.\n"),
        ("<!-- a --> <!-- b -->\n\nOne.\n", "One.\n"),
        ("- one\n- <!-- two -->\n- three %%x%%\n", "- one\n- three\n"),
        ("> [!note] %%a%%\n> %%b%%\n> Text.\n", "> [!note]\n> Text.\n"),
        ("One<!-- glued -->Two\n", "OneTwo\n"),
        ("One <!----> <!--> <!---> two <!-- x --> end\n", "One two end\n"),
        ("%% kanban\n```\n{}\n```\n%%\nOne.\n", "One.\n"),
        ("- item\n\n    <!-- in a list -->\n    text\n", "- item\n\n    text\n"),
        ("<!-- one\n\n```\ncode\n```\n\n-->\nTwo.\n", "Two.\n"),
        ("`one` %%two%% `three`\n", "`one` `three`\n"),
        ("An odd ` tick.\n\n%%gone%%\n\nAnother ` one.\n", "An odd ` tick.\n\nAnother ` one.\n"),
        ("~~~\na\n~~~\n<!-- b -->\nc\n", "~~~\na\n~~~\nc\n"),
    ],
)
def test_comments_are_left_out(text: str, left: str) -> None:
    note = read_note(text, obsidian=True)
    assert note.text == left
    assert note.comments
    assert not note.unclosed


@pytest.mark.parametrize(
    "text",
    [
        "```html\n<!-- a -->\n%%b%%\n```\n",
        "````\n```\n<!-- a -->\n```\n%%b%%\n````\n",
        "- item\n  ```mermaid\n  %% a\n  %% b\n  ```\n",
        "1. item\n\n    ~~~~\n    <!-- a -->\n    ~~~~\n",
        "- ```\n  <!-- a -->\n  ```\n",
        "> ```\n> <!-- a -->\n> ```\n",
        "Write `<!-- a -->` or ``%%`b`%%``.\n",
        "A span `over\ntwo <!-- a --> lines` of one paragraph.\n",
        "Code:\n\n    <!-- a -->\n    %%b%%\n",
        "Code:\n\n\t<!-- a -->\n\n\t<!-- b -->\n",
        "It grew by 5%% and then by 7%% more.\n",
        "Separators:\n%%%%%%%%\ntext\n%%%%%%%%\n",
        "Escaped \\<!-- a --> and \\%\\% b.\n",
        "```\n<!-- never closed code\n%% a %%\n",
    ],
)
def test_what_stands_in_code_is_no_comment(text: str) -> None:
    note = read_note(text, obsidian=True)
    assert (note.text, note.comments, note.unclosed) == (text, (), ())


def test_percent_signs_are_comments_in_markdown_only() -> None:
    assert read_note("a %%b%% c\n").text == "a %%b%% c\n"


@pytest.mark.parametrize(
    ("text", "where"),
    [("One.\n%% two\nthree\n", (2, "%%")), ("One.\n\n<!-- two\nthree\n", (3, "<!--"))],
)
def test_a_comment_that_never_ends_is_kept_and_named(text: str, where: tuple[int, str]) -> None:
    note = read_note(text, obsidian=True)
    assert (note.text, note.comments, note.unclosed) == (text, (), (where,))


def test_the_prose_of_a_document_teaches_no_comment() -> None:
    body = "One.\n<!-- two\n-->\nThree.\n\\<!-- dlm- four -->\n```\n<!-- five -->\n```\n"
    body = body.replace("\n", "\r\n")
    (section,) = parse_text(FRONT + body).sections
    assert section.text == "One.\nThree.\n<!-- dlm- four -->\n```\n<!-- five -->\n```"
    assert section.content == body


def test_an_answer_keeps_its_comment() -> None:
    body = "::instruction::\n### Q\nHow?\n### A\nSo: <!-- x -->\n"
    (section,) = parse_text(FRONT + body).sections
    assert section.pairs[0].answer == "So: <!-- x -->"
