"""Sections as neighbours see them: types, names, provenance, identities, pairs."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

import pytest
from strategies import DLM_ID

from dlm.data.instruction_parser import parse_instruction_body
from dlm.data.preference_parser import parse_preference_body
from dlm.doc.document import Document
from dlm.doc.parser import parse_text
from dlm.doc.provenance import Origin, Provenance, format_marker, parse_marker
from dlm.doc.render import render_pair, render_section
from dlm.doc.sections import PairRole, Section, SectionType
from dlm.doc.spans import Span, Splice, apply_splices
from dlm.errors import DocumentError, EditConflict

HEAD = f"---\ndlm_id: {DLM_ID}\nbase_model: pocket\n---\n"
PAIR = "### Q\nOne?\n### A\n1\n"


def read(body: str) -> Document:
    return parse_text(HEAD + body)


def only(body: str) -> Section:
    (section,) = read(body).sections
    return section


def test_a_type_reads_as_its_word() -> None:
    kind = only(f"::instruction::\n{PAIR}").type
    assert str(kind).lower() == kind.value.lower() == "instruction"


def test_a_section_id_is_made_of_type_and_content() -> None:
    section = only("::prose::\n\n  One. \r\nTwo.\t\n\n::\n")
    expected = hashlib.sha256(b"prose\n  One.\nTwo.").hexdigest()[:16]
    assert section.section_id == expected
    assert only("  One.\nTwo.").section_id == expected


def test_provenance_name_and_closer_are_no_part_of_a_section_id() -> None:
    marker = '<!-- dlm-auto-synth: synth_teacher="self" -->\n'
    plain = only(f"::instruction::\n{PAIR}")
    assert only(f"::instruction#x::\n{marker}{PAIR}::\n").section_id == plain.section_id
    assert only(f"::prose::\n{PAIR}").section_id != plain.section_id


def test_images_of_other_files_have_other_ids() -> None:
    first, second = read('::image path="a.png"::\n::image path="b.png"::\n').sections
    assert first.section_id != second.section_id


def test_sections_can_be_compared_and_kept_in_sets() -> None:
    body = f'::instruction::\n<!-- dlm-auto-synth: score_x="1" -->\n{PAIR}'
    assert {only(body), only(body)} == {only(body)}
    assert only(body) != only(f"{body}\n")


def test_a_synth_marker_answers_to_the_names_of_editors() -> None:
    at = datetime(2026, 4, 23, 20, tzinfo=UTC)
    section = only(
        '::instruction::\n<!-- dlm-auto-synth: synth_teacher="self" synth_strategy="extraction" '
        f'synth_at="2026-04-23T20:00:00Z" source_section_id="0123abc456def789" -->\n{PAIR}'
    )
    assert section.auto_synth
    assert not section.auto_harvest
    assert not section.auto_mined
    assert (section.synth_teacher, section.synth_strategy) == ("self", "extraction")
    assert (section.synth_at, section.source_section_id) == (at, "0123abc456def789")
    assert (section.judge_name, section.mined_at, section.harvest_source) == (None, None, None)


def test_a_harvest_marker_answers_to_the_names_of_editors() -> None:
    section = only(f'::instruction::\n<!-- dlm-auto-harvest: source="ci/quine" -->\n{PAIR}')
    assert section.auto_harvest
    assert section.harvest_source == "ci/quine"
    assert section.provenance == Provenance(Origin.HARVESTED, derived_from="ci/quine")


def test_a_mined_marker_answers_to_the_names_of_editors() -> None:
    section = only(
        '::preference::\n<!-- dlm-auto-mined: judge_name="sway" judge_score_chosen="0.82" '
        'judge_score_rejected="-3" mined_at="2026-04-23T18:42:11" mined_run_id="7" -->\n'
        "### Prompt\np\n### Chosen\nc\n### Rejected\nr\n"
    )
    assert section.auto_mined
    assert (section.judge_name, section.mined_run_id) == ("sway", "7")
    assert (section.judge_score_chosen, section.judge_score_rejected) == (0.82, -3.0)
    assert section.mined_at == datetime(2026, 4, 23, 18, 42, 11, tzinfo=UTC)


def test_a_hand_written_section_has_no_provenance() -> None:
    section = only(f"::instruction::\n{PAIR}")
    assert section.provenance is None
    assert section.tag is None
    assert [section.auto_synth, section.auto_harvest, section.auto_mined] == [False] * 3
    assert section.synth_teacher is section.judge_score_chosen is section.mined_run_id is None


@pytest.mark.parametrize("origin", Origin)
def test_every_origin_has_a_marker_other_tools_can_read(origin: Origin) -> None:
    marker = format_marker(Provenance(origin, by='a "b" --> c\n', run="r"))
    assert marker.count('"') % 2 == 0
    assert marker.index("-->") == len(marker) - 3
    assert parse_marker(marker).origin is origin


def test_an_attribute_of_another_tool_is_kept() -> None:
    origin = parse_marker('<!-- dlm-auto-mined: colour="a &copy b" score_9="x" -->')
    assert origin.extra == {"colour": "a &copy b", "score_9": "x"}


@pytest.mark.parametrize("score", [float("nan"), float("inf")])
def test_a_score_that_is_no_number_is_a_mistake_of_the_caller(score: float) -> None:
    with pytest.raises(ValueError, match="not a finite number"):
        Provenance(Origin.MINED, scores={"x": score})


def test_what_the_tool_writes_looks_like_what_a_person_writes() -> None:
    body = render_pair("One?", "1", PairRole.PROBE) + render_pair("\nTwo?\n\n", "```\n::\n```")
    origin = Provenance(Origin.SYNTHESIZED, by="self", run="7", extra={"synth_strategy": "x"})
    assert render_section(SectionType.INSTRUCTION, body, origin, name="api") == (
        "::instruction#api::\n"
        '<!-- dlm-auto-synth: synth_teacher="self" run="7" synth_strategy="x" -->\n'
        "### Q !probe\nOne?\n\n### A\n1\n"
        "### Q\nTwo?\n\n### A\n```\n::\n```\n"
        "::\n"
    )


@pytest.mark.parametrize(
    "body", ["::\n", "a\n::prose::", "```\na", "<!-- dlm-auto-synth: -->", "\0"]
)
def test_a_body_that_would_break_out_of_its_section_is_refused(body: str) -> None:
    with pytest.raises(DocumentError):
        render_section(SectionType.PROSE, body)


@pytest.mark.parametrize(("question", "answer"), [("", "a"), ("q", " \n\t")])
def test_a_blank_half_of_a_pair_is_refused(question: str, answer: str) -> None:
    with pytest.raises(DocumentError, match="is empty"):
        render_pair(question, answer)


def test_a_name_that_is_none_is_refused() -> None:
    with pytest.raises(DocumentError, match="cannot name a section"):
        render_section(SectionType.PROSE, "a", name="a b")


def test_pairs_come_with_their_sections_in_order() -> None:
    document = read(f"::instruction::\n{PAIR}{PAIR}::\nText.\n::instruction::\n{PAIR}")
    assert [(section.line, pair.line) for section, pair in document.pairs()] == [
        (5, 6),
        (5, 10),
        (16, 17),
    ]


def test_the_spans_of_a_pair_hold_its_raw_bodies() -> None:
    document = read("::instruction::\r\n### Q\r\n\r\n\\::\r\n### A\r\n1\r\n\r\n::\r\n")
    ((section, pair),) = document.pairs()
    assert pair.question == "::"
    assert pair.question_span.of(document.text) == "\r\n\\::\r\n"
    assert pair.answer_span.of(document.text) == "1\r\n\r\n"
    assert section.content == "### Q\r\n\r\n\\::\r\n### A\r\n1\r\n\r\n"


def test_the_content_alone_gives_the_same_pairs() -> None:
    section = only(f"::instruction::\n\n{PAIR}### Q !exam\n\\::\n### A\n2\n")
    alone = parse_instruction_body(section.content, section_id=section.section_id)
    assert [(pair.question, pair.answer, pair.role) for pair in alone] == [
        (pair.question, pair.answer, pair.role) for pair in section.pairs
    ]
    assert [pair.line for pair in alone] == [2, 6]


def test_the_content_alone_gives_the_same_triples() -> None:
    section = only("::preference::\n### Prompt\np\n### Chosen\nc\n### Rejected\nr")
    (triple,) = parse_preference_body(section.content)
    assert (triple.prompt, triple.chosen, triple.rejected, triple.line) == ("p", "c", "r", 1)


def test_an_error_in_content_alone_has_its_place() -> None:
    with pytest.raises(DocumentError) as caught:
        parse_instruction_body("### Q\nx\n### Q\ny", section_id="0123")
    assert str(caught.value) == "section 0123:1:1: this question has no answer"


def test_splices_that_overlap_are_refused() -> None:
    document = read("Some text.\n")
    with pytest.raises(EditConflict):
        document.apply([Splice(Span(80, 83), ""), Splice(Span(82, 84), "")])
    with pytest.raises(EditConflict):
        document.apply([Splice(Span(0, len(document.text) + 1), "")])


def test_insertions_at_one_place_keep_their_order() -> None:
    here = Span(1, 1)
    assert apply_splices("ab", [Splice(here, "1"), Splice(here, "2")]) == "a12b"


def test_an_edit_that_breaks_the_document_is_refused_and_leaves_it_alone() -> None:
    document = read("Some text.\n")
    with pytest.raises(DocumentError):
        document.apply([Splice(Span(0, 3), "")])
    assert document.text == f"{HEAD}Some text.\n"
