"""Where in a document a block goes, and what goes away with it: sections, offsets, blank lines.

A block is put directly after the last line of the section before it, together with the blank lines
between the two; what stood behind stays as it was. So the blank lines before a block are its own,
and taking it out with them gives back the bytes that were there.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

from dlm.doc.document import Document
from dlm.doc.grammar import landmarks
from dlm.doc.sections import Section
from dlm.doc.spans import Span, Splice
from dlm.loops.edits.plan import Addition, Place, Removal

WRITTEN: Final = "written"
"""The attribute of a marker that holds the id of the section as the machine wrote it."""

GAP: Final = "gap"
"""The attribute that says how many blank lines came with the section, where it is not one."""

_USUAL_GAP: Final = 1
_WIDEST_GAP: Final = 2
_BLANK: Final = " \t\r\n"  # what `section_id` ignores at the ends of a section


class Anchors:
    """The sections of one document, found by what a plan says of them."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self._positions: defaultdict[str, list[int]] = defaultdict(list)
        self._machine: set[tuple[str, str, str]] = set()
        for position, section in enumerate(document.sections):
            self._positions[section.section_id].append(position)
            if section.provenance is not None:
                self._machine.add(_mark(section))
        last = document.sections[-1] if document.sections else None
        self._open_code = open_code(document, last) if last else None

    def position(self, addition: Addition, place: Place) -> int | None:
        """The position of the section an addition goes behind: -1 is the frontmatter.

        None when the section it was derived from is gone. What machines derived from that section
        earlier, and stands right behind it, stays before.
        """
        sections = self.document.sections
        found = self._positions.get(addition.after) if addition.after else None
        if addition.after and not found:
            return None
        if place == "end" or not found:
            return len(sections) - 1
        position = found[0]
        while position + 1 < len(sections) and _derived(sections[position + 1], addition.after):
            position += 1
        return position

    def find(self, removal: Removal) -> int | None:
        """The position of the section a removal names; None when it is gone."""
        found = self._positions.get(removal.section_id, [])
        return found[removal.occurrence] if 0 <= removal.occurrence < len(found) else None

    def holds(self, addition: Addition) -> bool:
        """Whether this very block of this run stands in the document already, edited or not."""
        origin, run = addition.provenance.origin, addition.provenance.run
        return (origin, run, addition.section_id) in self._machine

    def hidden_behind(self, position: int) -> int | None:
        """The line of the unclosed code block that would hide what is put behind a section."""
        return self._open_code if position == len(self.document.sections) - 1 else None


def text_end(document: Document, section: Section | None) -> int:
    """Where the last line of a section ends, blank lines left out; None is the frontmatter."""
    if section is not None and is_closed(section):
        return section.block_end
    start, end = (0, document.frontmatter_span.end)
    if section is not None:
        start, end = section.start, section.block_end
    last = start + len(document.text[start:end].rstrip(_BLANK))
    newline = document.text.find("\n", last, end)
    return end if newline < 0 else newline + 1


def first_line(section: Section) -> int:
    """Where the first line of a section begins that is not blank."""
    if has_fence(section):
        return section.start
    content = section.content
    blank = content[: len(content) - len(content.lstrip(_BLANK))]
    return section.start + blank.rfind("\n") + 1


def usual_gap(document: Document) -> int:
    """How many blank lines the file mostly leaves between its sections: none, one or two."""
    gaps = Counter({_USUAL_GAP: 1})  # One odd pair of neighbours is no habit.
    for before, after in zip(document.sections, document.sections[1:], strict=False):
        end = text_end(document, before)
        gaps[min(_blank_lines(document, end, first_line(after)), _WIDEST_GAP)] += 1
    return min(gaps, key=lambda gap: (-gaps[gap], abs(gap - _USUAL_GAP), gap))


def marked(addition: Addition, gap: int) -> Section:
    """The section of an addition whose marker says what is needed to take it out again."""
    extra = {key: value for key, value in addition.provenance.extra.items() if key != GAP}
    extra[WRITTEN] = addition.section_id
    if gap != _USUAL_GAP:
        extra[GAP] = str(gap)
    return replace(addition, provenance=replace(addition.provenance, extra=extra)).section()


def insertion(document: Document, at: int, blocks: Sequence[str], gap: int) -> Splice:
    """The splice that puts blocks, each after its blank lines, where a line of the text ends."""
    blank = "\n" * gap
    text = "".join(f"{blank}{block}" for block in blocks)
    if not document.text.endswith("\n", 0, at):  # The file ends without a newline and stays so.
        text = "\n" + text.removesuffix("\n")
    return Splice(Span(at, at), text.replace("\n", document.newline))


def deletions(document: Document, positions: Iterable[int]) -> list[Splice]:
    """The splices that take out the sections at these positions, with their blank lines.

    Where prose follows that would become part of an open section before, the closer stays.
    """
    text, sections = document.text, document.sections
    gone = set(positions)
    spans: list[Span] = []
    for position in sorted(gone):
        start = _start_with_gap(document, position, gone)
        end = text_end(document, sections[position])
        if _holds_prose_apart(sections, position, gone):
            end = sections[position].content_end
        if spans and spans[-1].end == start:
            start = spans.pop().start
        spans.append(Span(start, end))
    if spans and spans[-1].end == len(text) and not text.endswith("\n"):
        start = spans[-1].start
        spans[-1] = Span(start - _newline_before(text, start), len(text))
    return [Splice(span, "") for span in spans]


def is_edited(section: Section) -> bool:
    """Whether a machine's section has another text now than the one it was written with."""
    written = section.provenance.extra.get(WRITTEN) if section.provenance else None
    return written is not None and written != section.section_id


def open_code(document: Document, section: Section) -> int | None:
    """The line of a code block that begins in the section and is never closed."""
    for kind, at, _, _ in landmarks(document.text, section.start, section.end):
        if kind == "code":
            return document.location(at).line
    return None


def is_closed(section: Section) -> bool:
    """Whether a closing line of its own ends the section."""
    return section.block_end > section.content_end


def has_fence(section: Section) -> bool:
    """Whether an opening line begins the section; prose needs none."""
    return section.content_start > section.start


def _holds_prose_apart(sections: Sequence[Section], position: int, gone: set[int]) -> bool:
    """Whether prose follows that would be read as part of an open section before."""
    if position + 1 == len(sections) or has_fence(sections[position + 1]):
        return False
    before = next((n for n in range(position, -1, -1) if n not in gone), None)
    return before is not None and has_fence(sections[before]) and not is_closed(sections[before])


def _start_with_gap(document: Document, position: int, gone: set[int]) -> int:
    """Where a section begins together with the blank lines that go with it."""
    start = first_line(document.sections[position])
    for _ in range(_gap_of(document, position, gone)):
        before = document.text.rfind("\n", 0, start - 1) + 1
        if document.text[before:start].strip(_BLANK):
            break
        start = before
    return start


def _gap_of(document: Document, position: int, gone: set[int]) -> int:
    """How many blank lines go with a section: those it came with, else those of its smaller gap."""
    section = document.sections[position]
    provenance = section.provenance
    if provenance is not None and WRITTEN in provenance.extra:
        gap = provenance.extra.get(GAP, "")
        return int(gap) if gap in ("0", "1", "2") else _USUAL_GAP
    before = document.sections[position - 1] if position else None
    above = _blank_lines(document, text_end(document, before), first_line(section))
    if all(below in gone for below in range(position + 1, len(document.sections))):
        return above
    after = first_line(document.sections[position + 1])
    return min(above, _blank_lines(document, text_end(document, section), after))


def _blank_lines(document: Document, start: int, end: int) -> int:
    return document.text.count("\n", start, end)


def _newline_before(text: str, at: int) -> int:
    """How long the newline before an offset is: of the kind used after it, where that is known."""
    next_one = text.find("\n", at)
    lone = next_one >= 0 and text[next_one - 1] != "\r"
    return 1 if lone or not text.endswith("\r\n", 0, at) else 2


def _mark(section: Section) -> tuple[str, str, str]:
    """What makes a machine's section the one it is: origin, run, and its text when written."""
    provenance = section.provenance
    assert provenance is not None
    written = provenance.extra.get(WRITTEN, section.section_id)
    return provenance.origin, provenance.run, written


def _derived(section: Section, source: str | None) -> bool:
    return section.provenance is not None and section.provenance.derived_from == source
