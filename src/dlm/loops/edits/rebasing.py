"""Which changes of a plan still fit a document, and why the others do not.

A change fits when what it hangs on still stands in the text: the section an addition was derived
from, the section a removal names. Where in the text that is now does not matter.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass, replace

from dlm.doc.document import Document
from dlm.doc.sections import Section
from dlm.errors import EditConflict
from dlm.loops.edits.places import WRITTEN, open_code
from dlm.loops.edits.plan import Addition, EditPlan, Place, Removal


@dataclass(frozen=True, slots=True)
class Refusal:
    """A change that cannot be made, by name, and why."""

    id: str
    summary: str
    reason: str


@dataclass(frozen=True, slots=True)
class Rebased:
    """The part of a plan that fits a document, the rest with reasons, and what stands already."""

    plan: EditPlan
    refusals: tuple[Refusal, ...] = ()
    present: tuple[str, ...] = ()


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

    def holds(self, block: Section) -> bool:
        """Whether this very block of this run stands in the document already, edited or not."""
        return _mark(block) in self._machine

    def hidden_behind(self, position: int) -> int | None:
        """The line of the unclosed code block that would hide what is put behind a section."""
        return self._open_code if position == len(self.document.sections) - 1 else None


def rebase(
    document: Document, plan: EditPlan, only: Collection[str] | None = None, place: Place = "after"
) -> Rebased:
    """Sort the changes of a plan, or those that `only` names, by whether they fit the document."""
    wanted = plan if only is None else plan.only(only)
    anchors = Anchors(document)
    additions, removals = list[Addition](), list[Removal]()
    refusals, present = list[Refusal](), list[str]()
    for addition in wanted.additions:
        try:
            if _fits(anchors, wanted, addition, place):
                additions.append(addition)
            else:
                present.append(addition.id)
        except EditConflict as error:
            refusals.append(Refusal(addition.id, addition.summary, error.message))
    for removal in wanted.removals:
        if anchors.find(removal) is None:
            reason = "the section it removes is not in the document any more"
            refusals.append(Refusal(removal.id, removal.summary, reason))
        else:
            removals.append(removal)
    unknown = sorted({*(only or ())} - {*plan.ids})
    refusals += [Refusal(name, "", "the plan holds no change of this name") for name in unknown]
    fitting = replace(wanted, additions=tuple(additions), removals=tuple(removals))
    return Rebased(fitting, tuple(refusals), tuple(present))


def _fits(anchors: Anchors, plan: EditPlan, addition: Addition, place: Place) -> bool:
    """Whether an addition can be made, False when it stands already; EditConflict says why not."""
    block = addition.block()
    assert block.provenance is not None
    if block.provenance.run != plan.run:  # of which a round of improvement has two origins
        raise EditConflict("its marker names another run than the plan")
    if anchors.holds(block):
        return False
    position = anchors.position(addition, place)
    if position is None:
        raise EditConflict("the section it was derived from was changed or removed since")
    if line := anchors.hidden_behind(position):
        raise EditConflict(f"the code block that begins at line {line} is not closed and hides it")
    return True


def _mark(section: Section) -> tuple[str, str, str]:
    """What makes a machine's section the one it is: origin, run, and its text when written."""
    provenance = section.provenance
    assert provenance is not None
    written = provenance.extra.get(WRITTEN, section.section_id)
    return provenance.origin, provenance.run, written


def _derived(section: Section, source: str | None) -> bool:
    return section.provenance is not None and section.provenance.derived_from == source
