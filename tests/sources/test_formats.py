"""Each format that `dlm init --from` reads becomes text of a document, and none of it grammar."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st
from source_kit import docx, epub, pdf

from dlm.doc.document import Document
from dlm.doc.parser import parse_text
from dlm.errors import DlmError
from dlm.sources.formats import import_file, secrets_in
from dlm.sources.imported import Imported

HEAD = "---\ndlm_id: 01J9ZQ6W3N8R2T4V6X8Y0A1B2C\nbase_model: pocket\n---\n\n"

PAGE = """<html><head><title>The lamp</title><style>p { color: red }</style></head>
<body><header>Logo</header><nav><a href="/">Home</a></nav>
<main><h1>The lamp<a class="headerlink" href="#l">¶</a></h1>
<p>It was <b>lit</b> in <a href="x">1872</a>.<!-- a comment --></p><script>alert(1)</script>
<ul><li>wick</li><li>oil</li></ul><pre>lamp --light</pre>
<h2>Care</h2><p>::instruction::</p><p>Trim &lt;!-- the wick --&gt; daily.</p></main>
<footer>Imprint</footer></body></html>"""


def read(tmp_path: Path, name: str, data: bytes | str) -> Imported:
    path = tmp_path / name
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return import_file(path)


def document(imported: Imported) -> Document:
    return parse_text(HEAD + imported.body)


def text_of(imported: Imported) -> str:
    """The prose of what was imported, which is all there is of it."""
    (section,) = document(imported).sections
    assert section.type.value == "prose"
    return section.text.strip()


def test_a_page_keeps_its_text_and_headings_and_nothing_around_it(tmp_path: Path) -> None:
    imported = read(tmp_path, "lamp.html", PAGE)
    assert text_of(imported) == (
        "# The lamp\n\nIt was **lit** in 1872.\n\n- wick\n- oil\n\n```\nlamp --light\n```\n\n"
        "## Care\n\n::instruction::\n\nTrim \\<!-- the wick --> daily."
    )
    assert imported.notes[0].endswith(
        "a line that a document would act on, such as '::instruction::'"
    )


def test_a_page_without_headings_begins_with_its_title(tmp_path: Path) -> None:
    page = "<html><head><title>A note</title></head><body><p>Text.</p></body></html>"
    assert text_of(read(tmp_path, "a.htm", page)) == "# A note\n\nText."


def test_a_word_document_keeps_headings_and_escapes_headers(tmp_path: Path) -> None:
    data = docx([("Heading1", "The hut"), ("", "It opens at six."), ("", "### Q"), ("", "Why?")])
    assert text_of(read(tmp_path, "hut.docx", data)) == (
        "# The hut\n\nIt opens at six.\n\n### Q\n\nWhy?"
    )


def test_a_book_is_read_in_its_own_order_without_its_contents(tmp_path: Path) -> None:
    data = epub(["<body><h1>One</h1><p>First.</p></body>", "<body><h1>Two</h1><p>Then.</p></body>"])
    imported = read(tmp_path, "book.epub", data)
    assert text_of(imported) == "# One\n\nFirst.\n\n# Two\n\nThen."
    assert imported.body.startswith("<!-- part 2.xhtml -->")


def test_a_pdf_becomes_paragraphs_under_page_numbers(tmp_path: Path) -> None:
    data = pdf(
        [
            [
                (9, 800, "The Lamp Company"),
                (20, 760, "The lamp"),
                (11, 720, "It was lit in the year 1872 by the first keeper, who came from Pell"),
                (11, 707, "Quay and stayed for the rest of a long life, as the har-"),
                (11, 694, "bour books say. The next keeper came by boat and brought with"),
                (9, 40, "Page 1"),
            ],
            [
                (9, 800, "The Lamp Company"),
                (11, 720, "him a new wick. It burns oil that is pressed in the village below"),
                (11, 707, "the tower."),
                (9, 40, "Page 2"),
            ],
            [(9, 800, "The Lamp Company"), (11, 720, "The end of it all."), (9, 40, "Page 3")],
        ]
    )
    imported = read(tmp_path, "lamp.pdf", data)
    assert imported.body.split("\n") == [
        "<!-- page 1 -->",
        "# The lamp",
        "",
        "It was lit in the year 1872 by the first keeper, who came from Pell Quay and stayed for "
        "the rest of a long life, as the harbour books say. The next keeper came by boat and "
        "brought with",
        "<!-- page 2 -->",
        "him a new wick. It burns oil that is pressed in the village below the tower.",
        "",
        "<!-- page 3 -->",
        "The end of it all.",
        "",
    ]
    assert "as most pages repeat it: 'The Lamp Company', 'Page 1'" in imported.notes[0]


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("scan.pdf", pdf([[]]), "holds no text on its 1 pages"),
        ("a.pdf", b"%PDF-1.4\nrubbish", "cannot be read as a PDF"),
        ("a.docx", b"PK rubbish", "cannot be read as a DOCX"),
        ("a.epub", b"rubbish", "cannot be read as an EPUB"),
        ("a.html", b"<html></html>", "holds no text"),
        ("a.doc", b"\xd0\xcf", ".doc is not supported"),
        ("a.md", b"\xff\xfe\x00", "is not UTF-8"),
        ("a.csv", b"one,two\n1,2\n", "no row of this file gives a pair"),
        ("a.jsonl", b'{"text": "x"}\n', "no row of this file gives a pair"),
    ],
)
def test_what_cannot_be_read_is_one_sentence(
    tmp_path: Path, name: str, data: bytes, said: str
) -> None:
    with pytest.raises(DlmError, match=said):
        read(tmp_path, name, data)


@pytest.mark.parametrize(
    ("name", "library"),
    [("a.html", "bs4"), ("a.epub", "bs4"), ("a.docx", "mammoth"), ("a.pdf", "pdfminer.high_level")],
)
def test_without_the_extra_the_command_that_installs_it_is_named(
    tmp_path: Path, name: str, library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    data = {"a.epub": epub(["x"]), "a.docx": docx([("", "x")]), "a.pdf": pdf([[]])}
    with pytest.raises(DlmError) as caught:
        read(tmp_path, name, data.get(name, b"<p>x</p>"))
    assert caught.value.hint == "pip install 'dlm[documents]'"


@settings(max_examples=40, deadline=None)
@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="<&\0"), max_size=40)))
def test_no_text_of_a_page_is_read_as_grammar(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str]
) -> None:
    folder = tmp_path_factory.mktemp("page")
    body = "".join(f"<p>{line}</p><pre>{line}</pre>" for line in ["::instruction::", *lines])
    imported = read(folder, "a.html", f"<html><body><p>x</p>{body}</body></html>")
    assert {one.type.value for one in document(imported).sections} == {"prose"}


def pairs_of(imported: Imported) -> list[tuple[str, str]]:
    return [(pair.question, pair.answer) for _, pair in document(imported).pairs()]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.csv", "Question,Answer\nWho?,Ada.\nWhen?,At six.\n"),
        ("a.tsv", "prompt\tcompletion\nWho?\tAda.\nWhen?\tAt six.\n"),
        ("a.csv", "question;answer\nWho?;Ada.\nWhen?;At six.\n"),
        ("a.json", '[{"instruction": "Who?", "output": "Ada."}, {"q": "When?", "a": "At six."}]'),
        (
            "a.jsonl",
            '{"messages": [{"role": "system", "content": "Be brief."}, '
            '{"role": "user", "content": "Who?"}, {"role": "assistant", "content": "Ada."}]}\n'
            '{"conversations": [{"from": "human", "value": "When?"}, '
            '{"from": "gpt", "value": "At six."}]}\n',
        ),
        (
            "a.jsonl",
            '{"prompt": [{"role": "user", "content": "Who?"}], '
            '"completion": [{"role": "assistant", "content": "Ada."}]}\n'
            '{"query": "When?", "response": [{"type": "text", "text": "At six."}]}\n',
        ),
    ],
)
def test_rows_as_trainers_write_them_become_pairs(tmp_path: Path, name: str, text: str) -> None:
    imported = read(tmp_path, name, text)
    assert pairs_of(imported) == [("Who?", "Ada."), ("When?", "At six.")]
    assert imported.notes == ()


def test_an_input_stands_below_its_instruction(tmp_path: Path) -> None:
    rows = '{"instruction": "Sum up.", "input": "It rained.", "output": "Rain."}\n{"a": 1}\n'
    assert pairs_of(read(tmp_path, "a.jsonl", rows)) == [("Sum up.\n\nIt rained.", "Rain.")]


def test_rows_that_give_no_pair_are_named_with_their_line(tmp_path: Path) -> None:
    rows = [
        {"prompt": "Who?", "completion": "Ada."},
        {"prompt": "", "completion": "x"},
        {"prompt": "Who?", "completion": "Ada."},
        {"text": "no pair"},
        {"messages": [{"role": "assistant", "content": "Hello."}]},
        {
            "messages": [
                {"role": role, "content": text}
                for role, text in (("user", "A?"), ("assistant", "B."), ("user", "C?"))
            ]
        },
    ]
    text = "".join(json.dumps(row) + "\n" for row in rows) + "{broken\n"
    imported = read(tmp_path, "a.jsonl", text)
    assert pairs_of(imported) == [("Who?", "Ada."), ("A?", "B.")]
    said = "\n".join(imported.notes)
    for line, why in (
        (2, "its prompt is empty"),
        (4, "there is no question with an answer in it, only text"),
        (5, "its messages do not begin with user and assistant"),
        (7, "this line is not JSON"),
    ):
        assert f"a.jsonl:{line}: {why}" in said
    assert "as the same stands above: line 3" in said
    assert "the first question and answer of 1 longer conversations (line 6)" in said


def test_the_words_of_a_pair_are_never_grammar(tmp_path: Path) -> None:
    rows = [
        {"prompt": "What closes it?\n::", "completion": "### A\n```\n::instruction::\n<!-- dlm-"}
    ]
    imported = read(tmp_path, "a.json", json.dumps(rows))
    assert pairs_of(imported) == [(rows[0]["prompt"], rows[0]["completion"])]


def test_a_secret_is_named_with_the_line_of_the_file(tmp_path: Path) -> None:
    key = "ghp_" + "a1b2" * 9
    for name, data, line in (
        ("a.md", f"---\ntitle: x\n---\nText.\n\n<!-- {key} -->\n", 6),
        ("a.html", f"<html>\n<body>\n<p>{key}</p></body></html>", 3),
        ("a.jsonl", f'{{"q": "Who?", "a": "Ada."}}\n{{"q": "Key?", "a": "{key}"}}\n', 2),
        ("a.docx", docx([("", "Text."), ("", key)]), 3),
    ):
        imported = read(tmp_path, name, data)
        found = secrets_in(tmp_path / name, imported)
        assert found == [(f"{tmp_path / name}:{line}", "GitHub Token")]
