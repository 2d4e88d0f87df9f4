"""Examples become rows without losing or cutting anything silently."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from dlm.data.chat import Codec
from dlm.data.examples import Example, teaching
from dlm.data.rows import RowKind, chunk_prose, encode_rows
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
    lessons = teaching(parse_text(text))
    assert [example.question for example in lessons.train] == ["One?", "Two?"]
    assert [example.question for example in lessons.probes] == ["Two?"]
    assert [example.question for example in lessons.exam] == ["Three?"]


def test_trust_weighs_a_section_by_who_wrote_it() -> None:
    marker = '<!-- dlm-auto-synth: synth_teacher="self" synth_strategy="extraction" -->\n'
    written = "::instruction::\n" + marker + "### Q\nOne?\n### A\n1\n::\n"
    text = HEAD + written + _pair("Two?", "2")
    assert [example.weight for example in teaching(parse_text(text)).train] == [0.5, 1.0]


def test_a_document_with_nothing_to_train_on_is_refused() -> None:
    with pytest.raises(TrainingError, match="nothing to train on"):
        teaching(parse_text(HEAD + _pair("Three?", "3", " !exam")))


def test_an_image_section_is_refused_with_its_line() -> None:
    with pytest.raises(DocumentError, match=r"^<text>:6:1: an ::image:: section cannot train"):
        teaching(parse_text(HEAD + '::image path="a.png" alt="b"::\ncaption\n'))


def test_a_pair_that_does_not_fit_is_named_by_line(codec: Codec) -> None:
    example = Example("id", "authored", 12, 1.0, "word " * 200, "Why?")
    with pytest.raises(TrainingError, match=r"notes\.dlm:12: this pair takes 2\d\d tokens"):
        encode_rows([example], codec, sequence_length=128, path="notes.dlm")


def test_only_the_answer_of_a_pair_and_all_of_prose_is_supervised(codec: Codec) -> None:
    pair = Example("id", "authored", 1, 1.0, "It is teal.", "What colour?")
    prose = Example("id", "authored", 1, 1.0, "The lamp is teal.")
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
    example = Example("id", "authored", 1, 1.0, text)
    rows = encode_rows([example], codec, sequence_length=40, path="x")
    assert len(rows) > 2
    assert [row.ids[-1] == codec.end_of_text_id for row in rows] == [False] * (len(rows) - 1) + [
        True
    ]
