"""Laws of machine edits, on any document and any text."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

from edits_kit import plans, texts
from hypothesis import HealthCheck, assume, given, settings, strategies as st

from dlm.doc.document import Document
from dlm.doc.parser import parse_text
from dlm.doc.provenance import Origin
from dlm.doc.spans import Span, Splice, apply_splices
from dlm.errors import DocumentError
from dlm.loops.edits import EditPlan, applied, diff, rebase, reverted, unified
from dlm.loops.edits.applying import without
from dlm.loops.edits.places import deletions, has_fence, is_closed
from dlm.loops.edits.plan import Place

SYNTH = (Origin.SYNTHESIZED,)
RELAXED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
PLACES = st.sampled_from(("after", "end"))


def _fitting(document: Document, wanted: EditPlan, place: Place) -> EditPlan:
    return rebase(document, wanted, None, place).plan


@RELAXED
@given(text=texts(), place=PLACES, data=st.data())
def test_apply_then_revert_gives_the_first_bytes(
    text: str, place: Place, data: st.DataObject
) -> None:
    document = parse_text(text)
    wanted = _fitting(document, data.draw(plans(document)), place)
    after = applied(document, wanted, place=place)
    assert len(after.sections) == len(document.sections) + len(wanted.additions)
    assert reverted(after, SYNTH, "r1").document.to_bytes() == document.to_bytes()


@RELAXED
@given(text=texts(), data=st.data())
def test_reverting_the_first_of_two_runs_leaves_the_second(text: str, data: st.DataObject) -> None:
    document = parse_text(text)
    place = data.draw(PLACES)
    first = _fitting(document, data.draw(plans(document, run="first", most=2)), place)
    second = _fitting(document, data.draw(plans(document, run="second", most=2)), place)
    both = applied(applied(document, first, place=place), second, place=place)
    assert (
        reverted(both, SYNTH, "first").document.text == applied(document, second, place=place).text
    )
    assert (
        reverted(both, SYNTH, "second").document.text == applied(document, first, place=place).text
    )


@RELAXED
@given(text=texts(), data=st.data())
def test_revert_undoes_the_run_and_keeps_what_the_owner_changed_meanwhile(
    text: str, data: st.DataObject
) -> None:
    document = parse_text(text)
    wanted = _fitting(document, data.draw(plans(document, most=2)), "after")
    after = applied(document, wanted)
    inserted = _insertions(after)
    at = data.draw(st.integers(document.frontmatter_span.end, len(document.text)))
    end = data.draw(st.integers(at, min(at + 5, len(document.text))))
    assume(not any(at <= offset <= end for offset, _ in inserted))
    mine = data.draw(st.text(max_size=6) | st.sampled_from(("new\n", "\n\nA line.\n\n")))
    shift = sum(length for offset, length in inserted if offset <= at)
    try:
        expected = parse_text(apply_splices(document.text, [Splice(Span(at, end), mine)]))
        edited = parse_text(
            apply_splices(after.text, [Splice(Span(at + shift, end + shift), mine)])
        )
    except DocumentError:
        assume(False)
        raise
    back = reverted(edited, SYNTH, "r1")
    assume(len(back.removed) == len(wanted.additions))  # None is hidden by the owner's text.
    assume(not _holds_apart(edited))
    assert back.document.text == expected.text


@RELAXED
@given(text=texts(), data=st.data())
def test_any_sections_can_be_removed_and_the_others_stay(text: str, data: st.DataObject) -> None:
    document = parse_text(text)
    count = len(document.sections)
    gone = data.draw(st.sets(st.integers(0, max(count - 1, 0)), max_size=count))
    after = without(document, gone)
    words = [s.content.split() for at, s in enumerate(document.sections) if at not in gone]
    assert [section.content.split() for section in after.sections] == _joined(after, words)
    assert after.text.endswith("\n") == text.endswith("\n") or not after.sections


@settings(RELAXED, max_examples=40)
@given(text=texts(), place=PLACES, data=st.data())
def test_a_diff_is_a_patch(text: str, place: Place, data: st.DataObject) -> None:
    document = parse_text(text)
    wanted = _fitting(document, data.draw(plans(document, most=2)), place)
    after = applied(document, wanted, place=place)
    assert _patched(document.text, diff(document, wanted, place=place)) == after.text
    assert _patched(after.text, unified(after, document)) == document.text


def _joined(after: Document, words: list[list[str]]) -> list[list[str]]:
    """The words of sections, those of prose that came together as one."""
    rest = iter(words)
    joined: list[list[str]] = []
    for section in after.sections:
        group = next(rest)
        while section.content.split() != group and not has_fence(section):
            group = group + next(rest)
        joined.append(group)
    assert next(rest, None) is None
    return joined


def _holds_apart(document: Document) -> bool:
    """Whether a closer of the run is what keeps prose out of an open section before."""
    waits = False
    for section in document.sections:
        if section.provenance is not None and section.provenance.run == "r1":
            continue
        if waits and not has_fence(section):
            return True
        waits = has_fence(section) and not is_closed(section)
    return False


def _insertions(after: Document) -> list[tuple[int, int]]:
    """Where the blocks of the run went in the text without them, and how long each is."""
    at = [
        position
        for position, section in enumerate(after.sections)
        if section.provenance and section.provenance.run == "r1"
    ]
    found: list[tuple[int, int]] = []
    shift = 0
    for splice in deletions(after, at):
        length = splice.span.end - splice.span.start
        found.append((splice.span.start - shift, length))
        shift += length
    return found


def _patched(text: str, patch: str) -> str:
    """What `git apply` makes of a text."""
    if not patch:
        return text
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "document.dlm"
        path.write_bytes(text.encode())
        (Path(folder) / "p").write_bytes(patch.encode())
        command = ["git", "apply", "-p0", "--whitespace=nowarn", "--unidiff-zero", "p"]
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
        return path.read_bytes().decode()
