"""Lessons become rows without losing or cutting anything silently."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from dlm.data.chat import Codec
from dlm.data.lessons import Lesson, lessons_of
from dlm.data.rows import RowKind, chunk_prose, encode_rows, sentence_rows
from dlm.data.wording import Answers
from dlm.doc.parser import parse_text
from dlm.errors import DocumentError, TrainingError

HEAD = "---\ndlm_id: 01J9ZQ6W3N8R2T4V6X8Y0A1B2C\ndlm_version: 15\nbase_model: pocket\n---\n"
PAIR = "::instruction::\n### Q{mark}\n{q}\n\n### A\n{a}\n::\n"


@pytest.fixture(scope="module")
def codec(pocket_folder: Path) -> Codec:
    return Codec.load(pocket_folder)


def _pair(question: str, answer: str, mark: str = "") -> str:
    return PAIR.format(q=question, a=answer, mark=mark)


def test_exam_pairs_never_train_and_probes_do() -> None:
    text = (
        HEAD + _pair("One?", "1") + _pair("Two?", "2", " !probe") + _pair("Three?", "3", " !exam")
    )
    lessons = lessons_of(parse_text(text))
    assert [lesson.question for lesson in lessons.train] == ["One?", "Two?"]
    assert [lesson.question for lesson in lessons.probes] == ["Two?"]
    assert [lesson.question for lesson in lessons.exam] == ["Three?"]


def test_trust_weighs_a_section_by_who_wrote_it() -> None:
    marker = '<!-- dlm-auto-synth: synth_teacher="self" synth_strategy="extraction" -->\n'
    written = "::instruction::\n" + marker + "### Q\nOne?\n### A\n1\n::\n"
    text = HEAD + written + _pair("Two?", "2")
    assert [lesson.weight for lesson in lessons_of(parse_text(text)).train] == [0.5, 1.0]


def test_a_document_with_nothing_to_train_on_is_refused() -> None:
    with pytest.raises(TrainingError, match="nothing to train on"):
        lessons_of(parse_text(HEAD + _pair("Three?", "3", " !exam")))


def test_an_image_section_is_refused_with_its_line() -> None:
    with pytest.raises(DocumentError, match=r"^<text>:6:1: an ::image:: section cannot train"):
        lessons_of(parse_text(HEAD + '::image path="a.png" alt="b"::\ncaption\n'))


def test_a_pair_that_does_not_fit_is_named_by_line(codec: Codec) -> None:
    lesson = Lesson("word " * 200, "Why?", line=12)
    with pytest.raises(TrainingError, match=r"notes\.dlm:12: this pair takes 2\d\d tokens"):
        encode_rows([lesson], codec, sequence_length=128, path="notes.dlm")


def test_only_the_answer_of_a_pair_and_all_of_prose_is_supervised(codec: Codec) -> None:
    pair = Lesson("It is teal.", "What colour?")
    prose = Lesson("The lamp is teal.")
    rows = encode_rows([pair, prose], codec, sequence_length=128, path="x")
    counted = [t for t, on in zip(rows[0].ids, rows[0].supervised, strict=True) if on]
    assert codec.decode(counted, skip_special=False) == "It is teal.<|im_end|>"
    assert rows[1].kind is RowKind.PROSE
    assert all(rows[1].supervised)


_WORDS = st.sampled_from(
    ["lamp", "the teal", "burns. ", "Odile!", "\n\n", "\n", "x" * 90, "é", "  "]
)


@given(parts=st.lists(_WORDS, max_size=80))
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_chunks_fit_and_lose_nothing(codec: Codec, parts: list[str]) -> None:
    text = " ".join(parts)
    chunks = list(chunk_prose(text, codec, 40))
    assert all(len(codec.encode(chunk)) <= 40 + 2 for chunk in chunks)
    assert "".join("".join(chunks).split()) == "".join(text.split())


def test_prose_is_cut_at_paragraph_ends(codec: Codec) -> None:
    paragraphs = ["One sentence stands here.", "Another stands there.", "A third one ends it."]
    longest = max(len(codec.encode(paragraph + "\n\n")) for paragraph in paragraphs)
    assert list(chunk_prose("\n\n".join(paragraphs), codec, longest)) == paragraphs


def test_only_the_last_row_of_a_text_ends_it(codec: Codec) -> None:
    text = "\n\n".join(f"Sentence number {number} stands here." for number in range(12))
    lesson = Lesson(text)
    rows = encode_rows([lesson], codec, sequence_length=40, path="x")
    assert len(rows) > 2
    assert [row.ids[-1] == codec.end_of_text_id for row in rows] == [False] * (len(rows) - 1) + [
        True
    ]


def test_the_sentences_of_prose_are_trusted_as_it_is(codec: Codec) -> None:
    prose = Lesson("The spare key hangs behind the drainpipe. So it is.", line=3, weight=0.5)
    (row,) = sentence_rows([prose], Answers(), codec, 128)
    assert (row.kind, row.sentence) == (
        RowKind.SENTENCE,
        "The spare key hangs behind the drainpipe.",
    )
    assert (row.lesson, row.weight) == (prose, 0.5)
