"""Passages of a document, and which of them are found for a question."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from strategies import dlm_texts

from dlm.doc.document import Document
from dlm.doc.parser import parse_file, parse_text
from dlm.errors import DocumentError
from dlm.index import Index, PassageKind, passages
from dlm.index.search import cite

EXAMPLES = Path(__file__).parents[2] / "examples"
HEAD = "---\ndlm_id: 01KAJ7V3M9S2QWE8R5T6Y0DBHX\ndlm_version: 15\nbase_model: pocket\n---\n"
BODY = """
# The lamp

The lamp burns oil. It was lit
in 1841. Nobody sleeps there. The keeper lives next door, at No. 4. He is Tam Orrin.

```sh
lamp --light now
```

::instruction::
### Q
Who keeps the lamp?

### A
Tam Orrin keeps it.

### Q !exam
How tall is the tower?

### A
The tower is forty feet tall.
::
"""


def lamp(body: str = BODY) -> Document:
    return parse_text(HEAD + body, path=Path("lamp.dlm"))


def test_every_sentence_knows_its_line() -> None:
    document = lamp()
    lines = document.text.split("\n")
    found = passages(document)
    assert [one.kind.value for one in found] == ["prose", "prose", "code", "pair"]
    for passage in found:
        for sentence in passage.sentences:
            first = sentence.text.split()[0] if sentence.text else ""
            assert first in lines[sentence.line - 1]


def test_windows_overlap_and_carry_their_heading() -> None:
    one, two = [p for p in passages(lamp()) if p.kind is PassageKind.PROSE]
    assert one.text == "The lamp burns oil. It was lit in 1841. Nobody sleeps there."
    assert two.text.startswith("Nobody sleeps there. The keeper lives next door, at No. 4.")
    assert one.heading == "The lamp"


def test_a_comment_is_no_passage() -> None:
    body = (
        "\nThe lamp burns oil.\n\n<!-- a note of mine:\nthe lamp is ugly -->\nIt was lit in 1841.\n"
    )
    document = lamp(body)
    said = [sentence for p in passages(document) for sentence in p.sentences]
    assert [one.text for one in said] == ["The lamp burns oil.", "It was lit in 1841."]
    assert document.text.split("\n")[said[1].line - 1] == "It was lit in 1841."


def test_a_sealed_pair_is_never_found() -> None:
    index = Index(lamp())
    assert all("forty feet" not in p.text for p in index.passages)
    assert all("forty feet" not in f.passage.text for f in index.search("How tall is the tower?"))


def test_a_pair_is_found_by_its_question_and_code_by_its_words() -> None:
    index = Index(lamp())
    assert index.search("Tell me who keeps the lamp")[0].passage.question is not None
    assert any(f.passage.kind is PassageKind.CODE for f in index.search("lamp --light"))


def test_the_likeliest_alone_may_be_a_pair_or_prose() -> None:
    index = Index(parse_file(EXAMPLES / "tide-clock.dlm"))
    (pair,) = index.search("Where does the key of the clock hang?", most=1)
    assert pair.passage.question == "Where does the key of the clock hang?"
    (prose,) = index.search("With what is the dial dusted, a goose feather or oil?", most=1)
    assert prose.passage.question is None


def test_an_answer_is_cited_by_the_line_it_stands_in() -> None:
    found = [f.passage for f in Index(lamp()).search("When was the lamp lit?")]
    cited = cite("It was lit in 1841.", found)
    assert cited is not None
    assert lamp().text.split("\n")[cited.line - 1].endswith("It was lit")


def test_an_edit_is_in_the_next_index() -> None:
    index = Index(lamp())
    after = index.updated(lamp(BODY.replace("1841", "1903")))
    assert any("1903" in f.passage.text for f in after.search("When was the lamp lit?"))
    assert not any("1841" in p.text for p in after.passages)
    assert any("1841" in p.text for p in index.passages)


def test_nothing_is_found_in_nothing() -> None:
    assert Index(lamp("\n")).search("anything") == []
    assert Index(lamp()).search(" ?! ") == []


@settings(deadline=None)
@given(document=dlm_texts())
def test_any_document_can_be_searched(document: str) -> None:
    try:
        parsed = parse_text(document)
    except DocumentError:
        return
    index = Index(parsed)
    lines = parsed.text.count("\n") + 1
    assert all(1 <= s.line <= lines for p in index.passages for s in p.sentences)
    found = index.search("What is the answer to question 3?")
    assert len(found) <= 4
    assert [f.score for f in found] == sorted((f.score for f in found), reverse=True)


@pytest.mark.parametrize("name", ["seed-dryer", "skeinfold-handbook", "rowing-shed"])
def test_the_right_passage_is_among_four(name: str) -> None:
    """For every fact of the prose and every pair as it is written; of rewordings for most."""
    index = Index(parse_file(EXAMPLES / f"{name}.dlm"))
    lost: dict[str, list[str]] = {"verbatim": [], "paraphrase": [], "prose": []}
    asked = 0
    for line in (EXAMPLES / f"{name}.eval.jsonl").read_text("utf-8").splitlines():
        item = json.loads(line)
        asked += item["kind"] == "paraphrase"
        shown = "\n".join(f.passage.text.lower() for f in index.search(item["question"]))
        if not any(key.lower() in shown for key in item["key"]):
            lost[item["kind"]].append(item["question"])
    assert not lost["verbatim"]
    assert not lost["prose"]
    assert len(lost["paraphrase"]) <= 0.35 * asked


def test_the_notes_answer_themselves() -> None:
    """Every trained question, most facts of the prose, and few questions on other documents."""
    right: dict[str, list[bool]] = {"verbatim": [], "paraphrase": [], "prose": []}
    declined = []
    for name in ("seed-dryer", "skeinfold-handbook", "rowing-shed"):
        index = Index(parse_file(EXAMPLES / f"{name}.dlm"))
        for line in (EXAMPLES / f"{name}.eval.jsonl").read_text("utf-8").splitlines():
            item = json.loads(line)
            best = index.quotes(item["question"])[0]
            held = any(key.lower() in best.text.lower() for key in item["key"])
            right[item["kind"]].append(held and index.fit(item["question"], best) >= 0)
        declined += [index.fit(question, index.quotes(question)[0]) < 0 for question in FOREIGN]
    assert all(right["verbatim"])
    assert sum(right["prose"]) >= 0.65 * len(right["prose"])
    assert sum(right["paraphrase"]) >= 0.4 * len(right["paraphrase"])
    assert sum(declined) >= 0.7 * len(declined)


FOREIGN = (
    "Which moons of Jupiter did Galileo see?",
    "How long does a cheese ripen in the cellar?",
    "Who composed the ninth symphony?",
    "What is the fee for a fishing licence?",
    "How deep is the harbour of Rotterdam?",
)


def test_a_quote_stands_in_its_line() -> None:
    document = lamp()
    lines = document.text.split("\n")
    quote = Index(document).quotes("Who keeps the lamp?")[0]
    assert quote.text == "Tam Orrin keeps it."
    assert lines[quote.line - 1] == "Tam Orrin keeps it."
    code = Index(document).quotes("lamp --light now")[0]
    assert code.text.startswith("```sh")


def test_a_pair_is_the_answer_to_its_own_question_however_little_that_says() -> None:
    pair = "::instruction::\n### Q\nAnd what is it?\n### A\n{}\n::\n"
    prose = "It is what it is, and what is it but that?\n"
    once = Index(parse_text(HEAD + prose + pair.format("A tide clock.")))
    best = once.quotes("and what is it")[0]
    assert best.text == "A tide clock."
    assert once.fit("and what is it", best) >= 0
    twice = Index(parse_text(HEAD + prose + pair.format("A tide clock.") + pair.format("A lamp.")))
    found = {quote.text for quote in twice.quotes("And what is it?")}
    assert found == {"A tide clock.", "A lamp."}


def test_what_is_kept_between_questions_changes_no_answer() -> None:
    document = parse_file(EXAMPLES / "tide-clock.dlm")
    questions = [f"So {pair.question}" for _, pair in document.pairs()]
    asked_before = Index(document)
    for question in [*questions, "Which unheard-of words does nobody know?"]:
        asked_before.quotes(question)
    for question in questions:
        fresh, kept = Index(document).quotes(question), asked_before.quotes(question)
        assert [one.line for one in kept] == [one.line for one in fresh]
        assert [one.score for one in kept] == pytest.approx([one.score for one in fresh], abs=1e-4)
