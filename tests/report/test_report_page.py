"""The page as the standard library reads it: whole, safe, each part drawn or explained."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import pytest
from report_kit import TEXT, Page, improved, open_store, synthesized, train, write

from dlm.doc.document import Document
from dlm.report.gather import gather
from dlm.report.knowledge import MOST_BLOCKS, MOST_SHOWN, MOST_TEXT
from dlm.report.page import page
from dlm.store import metrics
from dlm.store.metrics import MetricRun, RunOutcome
from dlm.store.records import now
from dlm.store.store import Store

WRONG = {"Where does the key hang?": "On the roof.", "I am locked out. What now?": "Swim."}


@pytest.fixture
def document(tmp_path: Path) -> Document:
    return write(tmp_path)


@pytest.fixture
def full(document: Document) -> str:
    """Two trainings, a synthesis, a refused round and a rollback."""
    with open_store(document) as store:
        train(store, document, WRONG)
        train(store, document, {"I am locked out. What now?": "Swim."})
        synthesized(store)
        train(store, document, current=False)
        improved(store, document, promoted=False)
        return page(gather(document, store))


def drawn(document: Document, store: Store | None = None) -> Page:
    return Page(page(gather(document, store)))


def test_the_page_needs_nothing_but_itself(full: str) -> None:
    read = Page(full)
    assert not read.of("script")
    assert not [found for name, found in read.elements if "src" in found or name == "link"]
    assert all(found["href"].startswith("#") for found in read.of("a"))
    assert "http" not in full.replace("http-equiv", "")
    assert not re.search(r"url\((?!#)|@import", full)


def test_its_headings_links_and_pictures_are_those_of_an_accessible_page(full: str) -> None:
    read = Page(full)
    ids = [found["id"] for _, found in read.elements if "id" in found]
    assert len(ids) == len(set(ids))
    assert {found["href"][1:] for found in read.of("a")} <= set(ids)
    levels = [int(name[1]) for name, _ in read.elements if re.fullmatch("h[1-6]", name)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert all(found["aria-label"] for found in read.of("svg"))
    assert read.of("html")[0]["lang"] == "en"
    assert len(read.of("table")) == len(read.of("caption"))
    for name, found in read.elements:
        if name == "section":
            assert found["aria-labelledby"] in ids


def test_every_part_is_drawn(full: str) -> None:
    read = Page(full)
    assert len(read.of("path", "curve")) == 6 + 3 + 1 + 1  # scores, losses, drift, drift in the run
    assert len(read.of("circle", "ring")) == 6 + 1
    assert len(read.of("path", "cross")) == 6, "the challenger that was not promoted"
    assert read.of("line", "bound")
    assert len(read.of("rect", "k")) == 6, "a block for each section"
    assert [found["class"].split()[1] for found in read.of("rect", "k")] == [
        *("learned", "learned", "learned", "learned", "none", "none")
    ]
    assert len(read.of("article", "sec")) == 6
    assert len(read.of("rect", "bar")) == 7, "the funnel"
    assert len(read.of("div", "stack")) == 1
    for words in (
        "What floats?",
        "not supported by the text",
        "people wrote 75 % of the document's own tokens",
        "brisk-heron-01",
        "the overall changed by +0.01; it takes +0.05",
        "self:v0003",
        "every answer is learned",
        "Gained",
    ):
        assert words in read.text, words


def test_figures_on_the_page_are_those_of_the_store(document: Document) -> None:
    with open_store(document) as store:
        train(store, document, WRONG, drift=0.37)
        facts = gather(document, store)
        assert facts.card is not None
        right = facts.card.figure("recall", "right")
        text = Page(page(facts)).text
        assert (right.value, right.n) == (0.75, 4)
        assert "3 of 4" in text
        assert "0 of 1" in text
        assert "+0.37" in text
        assert f"n = {facts.card.figure('overall', 'overall').n}" in text


def test_a_wrong_answer_stands_beside_the_right_one(document: Document) -> None:
    with open_store(document) as store:
        train(store, document, WRONG)
        text = drawn(document, store).text
    assert (
        "Where does the key hang? ○ not learned Answer: In the drainpipe. It says: On the roof."
        in text
    )


def test_answers_with_the_notes_open_stand_beside_those_without(document: Document) -> None:
    with open_store(document) as store:
        train(store, document, WRONG)
        facts = gather(document, store)
    assert facts.card is not None
    trained = facts.card.figure("open", "recall")
    assert (trained.hits, trained.n) == (4, 4)  # one of them wrong from memory
    wrong = [item for item in facts.card.items if item.opened and not item.opened.right]
    text = Page(page(facts)).text
    assert "Trained on 3 of 4" in text
    assert "Trained on, notes open 4 of 4" in text
    assert text.count("With the notes open: ") == len(wrong)
    assert "With the notes open, as `dlm prompt` asks: 4 of 4 and" in text


def test_a_document_that_was_never_trained_says_so(document: Document) -> None:
    read = drawn(document)
    assert "shed.dlm is not trained yet" in read.text
    assert "has not been trained yet" in read.text
    for words in ("no figures", "no version yet", "No training", "No synthesis", "No round"):
        assert words in read.text, words
    assert len(read.of("article", "none")) == 6


def test_a_training_that_failed_is_told_of(document: Document) -> None:
    with open_store(document) as store:
        run = MetricRun("r", "fresh", "pocket", "shed.dlm", now())
        metrics.begin(store.database, run)
        metrics.end(store.database, "r", RunOutcome.REFUSED, "a pair is too long")
        text = drawn(document, store).text
    assert "the last training was refused (a pair is too long)" in text
    assert "No losses are kept" in text


def test_what_was_edited_since_is_not_said_to_be_known(document: Document, tmp_path: Path) -> None:
    with open_store(document) as store:
        train(store, document)
        later = write(tmp_path, TEXT.replace("In the drainpipe.", "In the cocoa tin."))
        read = drawn(later, store)
    assert "The document was edited: 1 section not measured yet" in read.text
    assert "In the cocoa tin." in read.text
    assert [one["class"] for one in read.of("article", "none")] == ["sec none"] * 3


def test_a_version_without_a_scorecard_has_a_page(document: Document) -> None:
    with open_store(document) as store:
        train(store, document)
        store.database.execute("DELETE FROM scorecards")
        text = drawn(document, store).text
    assert "v0001 was never measured" in text


def test_pruned_versions_keep_their_place_in_the_curve(document: Document) -> None:
    with open_store(document) as store:
        for _ in range(4):
            train(store, document)
        store.prune(2)
        facts = gather(document, store)
        text = Page(page(facts)).text
    assert [version.stands for version in facts.versions] == [False, False, True, True]
    assert "pruned" in text
    assert "v0001" in text


HOSTILE = """</style><script>alert(1)</script>
"quotes' & <b>bold</b> <!-- comment --> ]]> \u202eright to left\u202c שלום \x1b[31m
<svg onload=alert(1)><img src=x onerror=alert(1)><a href="javascript:alert(1)">x</a>"""


def test_hostile_text_stays_text(tmp_path: Path) -> None:
    body = f"\n{HOSTILE}\n\n::instruction#a-name::\n### Q\n{HOSTILE}\n### A\n{HOSTILE}\n::\n"
    document = write(tmp_path, TEXT + body)
    with open_store(document) as store:
        question = document.sections[-1].pairs[0].question
        train(store, document, {question: HOSTILE})
        train(store, document, {question: HOSTILE, "What floats?": HOSTILE})
        synthesized(store)
        html = page(gather(document, store))
    read = Page(html)
    assert not read.of("script")
    assert not read.of("img")
    assert all(not name.startswith("on") for _, found in read.elements for name in found)
    assert "<script>alert(1)</script>" in read.text
    assert "שלום" in read.text
    assert "\x1b" not in html


def test_a_very_long_section_is_cut_with_a_note(tmp_path: Path) -> None:
    document = write(tmp_path, f"{HEAD_LONG}{'The boat is blue. ' * 60_000}\n")
    html = page(gather(document, None))
    assert len(html) < 3 * MOST_TEXT + 60_000
    assert "more characters are in the file, from line 8 on" in Page(html).text


def test_a_very_long_document_ends_with_how_much_more_there_is(tmp_path: Path) -> None:
    pairs = "".join(
        f"\n::instruction::\n### Q\nWhat is {n}?\n### A\n{'word ' * 300}{n}\n::\n"
        for n in range(600)
    )
    document = write(tmp_path, TEXT + pairs)
    facts = gather(document, None)
    read = Page(page(facts))
    shown = len(read.of("article", "sec"))
    assert shown < len(facts.sections)
    assert 200 < len(read.of("rect", "k")) <= MOST_BLOCKS
    ids = {found["id"] for _, found in read.elements if "id" in found}
    assert {found["href"][1:] for found in read.of("a")} <= ids
    assert f"{len(facts.sections) - shown} more sections" in read.text
    assert len(read.text) < 3 * MOST_SHOWN


HEAD_LONG = TEXT.split("# The shed")[0] + "\n"
