"""What holds for every text: nothing is lost, nothing leaks, nothing moves unasked."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from hypothesis import assume, given, settings, strategies as st
from strategies import (
    dlm_texts,
    filled_strings,
    names,
    newlines,
    noise,
    provenances,
    sections,
    splices as splices_of,
    strings,
)

from dlm.doc.bodies import meant
from dlm.doc.document import Document
from dlm.doc.parser import parse_bytes, parse_text
from dlm.doc.provenance import format_marker, parse_marker
from dlm.doc.render import (
    escape_body,
    normalise,
    render_pair,
    render_section,
    render_triple,
    unescape_body,
)
from dlm.doc.sections import PairRole, SectionType
from dlm.doc.spans import Source, Span, Splice, apply_splices
from dlm.doc.yaml_tree import _plain_lines, _Reader
from dlm.errors import DocumentError

PLACE = re.compile(r"<text>:[1-9]\d*:[1-9]\d*: \S")
FRONT = "---\ndlm_id: 01HRZYQ2X0MB5K4VN7E9DNT5GH\nbase_model: pocket\n---\n"

relaxed = settings(deadline=None, max_examples=60)
thorough = settings(deadline=None, max_examples=250)


@thorough
@given(noise())
def test_any_text_parses_or_names_the_place_that_is_wrong(text: str) -> None:
    outcome = attempt(text.encode(errors="surrogatepass"))
    assert isinstance(outcome, Document) or PLACE.match(str(outcome))


@relaxed
@given(st.binary())
def test_any_bytes_parse_or_are_refused(data: bytes) -> None:
    for whole in (data, FRONT.encode() + data):
        outcome = attempt(whole)
        assert isinstance(outcome, Document) or PLACE.match(str(outcome))


def attempt(data: bytes) -> Document | DocumentError:
    """The document, which must hold all of `data`, or why there is none."""
    try:
        document = parse_bytes(data)
    except DocumentError as error:
        return error
    assert document.to_bytes() == data
    return document


PLAIN = st.builds(
    "{}: {}{}".format,
    st.sampled_from(("a", "base_model", "null", "y_")),
    st.sampled_from(
        ("true", "0x1F", "1e9", "1_0", "2026-05-04", "12.", "1.5", "null", "no", "a/B-")
    ),
    st.sampled_from(("\n", "\r\n")),
)
ODD = st.builds(
    "{}: {}{}".format,
    st.sampled_from(("a", "A", "a1", "a b", "- a")),
    st.text("aZ01.-_/:#~ '\t\r", max_size=6) | st.sampled_from(("hf:org/name", "a #b", ".5", "")),
    st.sampled_from(("\n", " \n", "\n\n", "")),
)
LINES = st.lists(PLAIN, max_size=3).flatmap(
    lambda lines: st.just(lines) | st.lists(ODD).map(lines.__add__)
)


@thorough
@given(LINES, st.sampled_from(("", "---\n")))
def test_plain_lines_mean_what_the_yaml_library_says_of_them(lines: list[str], top: str) -> None:
    source = Source(top + "".join(lines))
    span = Span(len(top), len(source.text))
    quick = _plain_lines(source, span)
    assert quick is None or quick == _Reader(source, span).document()


def test_plain_lines_are_read_without_the_yaml_library() -> None:
    text = FRONT[4:-4]
    assert _plain_lines(Source(text), Span(0, len(text))) is not None


@relaxed
@given(dlm_texts())
def test_spans_tile_the_text(text: str) -> None:
    document = parse_text(text)
    assert document.to_bytes() == text.encode()
    spans = [document.frontmatter_span, *(section.span for section in document.sections)]
    assert "".join(span.of(text) for span in spans) == text
    assert spans[0].start == 0
    for before, after in pairwise(spans):
        assert before.end == after.start
    for section in document.sections:
        assert section.start <= section.content_start <= section.content_end <= section.block_end
        assert not text[section.block_end : section.end].strip()
        assert section.content == section.content_span.of(text)
        fenced = text.startswith("::", section.start)
        assert fenced or (section.type is SectionType.PROSE and section.content.strip())


@relaxed
@given(dlm_texts(), st.data())
def test_an_edit_changes_nothing_outside_its_splice(text: str, data: st.DataObject) -> None:
    document = parse_text(text)
    place = data.draw(
        st.sampled_from([section.end for section in document.sections] or [len(text)])
    )
    added = data.draw(sections(document.newline))
    if place == len(text) and not text.endswith("\n"):
        added = document.newline + added
    before = [section.section_id for section in document.sections]
    # Everything behind an unclosed code block is code.
    assume(not any("not closed" in warning.message for warning in document.warnings))
    edited = document.apply([Splice(Span(place, place), added)])
    assert edited.text == text[:place] + added + text[place:]
    assert edited.frontmatter == document.frontmatter
    after = [section.section_id for section in edited.sections]
    new = next(section for section in edited.sections if section.start >= place)
    assert after[: after.index(new.section_id)] == before[: after.index(new.section_id)]
    assert sorted([*before, new.section_id]) == sorted(after)
    removed = edited.apply([Splice(Span(place, place + len(added)), "")])
    assert removed.text == text


@relaxed
@given(st.text(), st.data())
def test_splices_compose_from_pieces(text: str, data: st.DataObject) -> None:
    changes = data.draw(splices_of(text))
    expected, shift = text, 0
    for change in changes:
        start, end = change.span.start + shift, change.span.end + shift
        expected = expected[:start] + change.text + expected[end:]
        shift += len(change.text) - (end - start)
    assert apply_splices(text, changes) == expected


@thorough
@given(filled_strings(), filled_strings(), st.sampled_from(PairRole), newlines())
def test_a_pair_reads_as_it_was_written(
    question: str, answer: str, role: PairRole, newline: str
) -> None:
    body = render_pair(question, answer, role, newline)
    section = render_section(SectionType.INSTRUCTION, body, newline=newline)
    document = parse_text(FRONT + section + "after\n")
    written, after = document.sections
    (pair,) = written.pairs
    assert (pair.question, pair.answer) == (normalise(question), normalise(answer))
    assert pair.role is role
    assert after.content == "after\n"
    assert document.warnings == ()


@relaxed
@given(st.lists(filled_strings(), min_size=3, max_size=3), newlines())
def test_a_triple_reads_as_it_was_written(texts: list[str], newline: str) -> None:
    body = render_triple(*texts, newline=newline)
    section = render_section(SectionType.PREFERENCE, body, newline=newline)
    (written,) = parse_text(FRONT + section).sections
    (triple,) = written.triples
    assert [triple.prompt, triple.chosen, triple.rejected] == [normalise(text) for text in texts]


@relaxed
@given(filled_strings(), newlines(), names(), provenances())
def test_prose_reads_as_it_was_written(text: str, newline: str, name: str, origin: object) -> None:
    body = escape_body(normalise(text))
    section = render_section(SectionType.PROSE, body, origin, newline, name)  # type: ignore[arg-type]
    (written,) = parse_text(FRONT + section).sections
    assert meant(written.content) == normalise(text)
    assert (written.name, written.provenance) == (name, origin)
    if "<!--" not in text:
        assert written.text == normalise(text)


@relaxed
@given(filled_strings(), st.sampled_from(("mine", "two\nlines", "::instruction::")))
def test_prose_without_its_comments_is_what_is_learned(text: str, comment: str) -> None:
    assume("<!--" not in text and not {"`", "~"} & set(text))
    body = escape_body(normalise(text)) + f"\n\n<!-- {comment} -->\n"
    (written,) = parse_text(FRONT + render_section(SectionType.PROSE, body)).sections
    assert comment in written.content
    assert written.text.strip() == normalise(text).strip()


@thorough
@given(strings())
def test_escaping_is_undone_by_reading(text: str) -> None:
    text = text.replace("\r", "\n")
    assert unescape_body(escape_body(text)) == text
    assert unescape_body(escape_body(escape_body(text))) == escape_body(text)


@thorough
@given(filled_strings(), provenances(), newlines())
def test_untrusted_text_cannot_reach_beyond_its_section(
    text: str, origin: object, newline: str
) -> None:
    before = f"{FRONT}::instruction::\n### Q\nfirst\n### A\nsecond\n::\n"
    hostile = render_section(
        SectionType.INSTRUCTION,
        render_pair(text, text, newline=newline),
        origin,  # type: ignore[arg-type]
        newline,
    )
    after = "::preference::\n### Prompt\np\n### Chosen\nc\n### Rejected\nr\n::\n"
    clean = parse_text(before + after)
    document = parse_text(before + hostile + after)
    first, written, last = document.sections
    assert (first.section_id, last.section_id) == tuple(s.section_id for s in clean.sections)
    assert document.frontmatter == clean.frontmatter
    assert written.provenance == origin
    assert len(written.pairs) == 1


@thorough
@given(provenances())
def test_a_marker_reads_as_it_was_written(origin: object) -> None:
    marker = format_marker(origin)  # type: ignore[arg-type]
    assert "\n" not in marker
    assert "\r" not in marker
    assert marker.encode()
    assert parse_marker(marker) == origin


@relaxed
@given(dlm_texts())
def test_a_section_id_survives_other_newlines_and_spaces_at_line_ends(text: str) -> None:
    text = text.replace("\r\n", "\n")
    assume("\r" not in text)
    plain = [section.section_id for section in parse_text(text).sections]
    windows = parse_text(text.replace("\n", "\r\n"))
    assert [section.section_id for section in windows.sections] == plain


@relaxed
@given(strings(), st.data())
def test_a_section_id_does_not_know_where_its_section_stands(
    text: str, data: st.DataObject
) -> None:
    section = data.draw(sections())
    (alone,) = parse_text(FRONT + section).sections
    below = parse_text(f"{FRONT}\n{escape_body(text)}\n{section}")
    assert alone.section_id in [other.section_id for other in below.sections]


@pytest.mark.parametrize("line", ["::instruction::", "::", "### Q", '::image path="a"::'])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r\r\n", "\r \r\n"])
def test_a_line_that_means_something_is_text_once_escaped_whatever_ends_it(
    line: str, end: str
) -> None:
    sections = parse_text(f"{FRONT}{escape_body(f'one{end}{line}{end}two{end}')}").sections
    assert [section.type for section in sections] == [SectionType.PROSE]
    assert not sections[0].pairs


@relaxed
@given(dlm_texts(), st.data())
def test_setting_a_key_keeps_every_other_line(text: str, data: st.DataObject) -> None:
    document = parse_text(text)
    key, value = data.draw(
        st.sampled_from(
            (
                ("training.seed", 7),
                ("training.learning_rate", 1e-05),
                ("training.trust.mined", 0.75),
                ("training.target_modules", ["q_proj", "v_proj"]),
                ("system_prompt", "Say: yes # no\n\u0007"),
                ("system_prompt", None),
                ("base_model", "hf:org/name"),
                ("dlm_version", 15),
            )
        )
    )
    splice = document.set_key(key, value)
    edited = document.apply([splice])
    found: object = edited.frontmatter
    for step in key.split("."):
        found = getattr(found, step)
    assert found == value
    assert edited.text == text[: splice.span.start] + splice.text + text[splice.span.end :]
    assert [s.section_id for s in edited.sections] == [s.section_id for s in document.sections]
    assert text.count("#") - edited.text.count("#") <= ("#" in splice.span.of(text))
    if document.newline == "\r\n":
        assert "\n" not in splice.text.replace("\r\n", "")


@pytest.mark.parametrize("character", ["\0", "\ud800"])
def test_a_character_no_file_can_hold_is_refused_on_the_way_in(character: str) -> None:
    with pytest.raises(DocumentError, match="no document can hold"):
        render_pair(f"a{character}", "b")
    with pytest.raises(DocumentError) as caught:
        parse_text(f"{FRONT}\nab{character}")
    assert caught.value.at is not None
    assert (caught.value.at.line, caught.value.at.column) == (6, 3)
