"""A plan put into a document, and a run taken out of it: new documents, no file.

A change fits when what it hangs on still stands in the text: the section an addition was derived
from, the section a removal names. Where in the text that is now does not matter. Every result is
read anew and must hold exactly the sections it was meant to hold.
"""

from __future__ import annotations

import difflib
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final, NamedTuple

from dlm.doc.document import Document
from dlm.doc.provenance import Origin
from dlm.doc.sections import Section, SectionType
from dlm.doc.spans import Splice
from dlm.errors import DocumentError, EditConflict
from dlm.loops.edits.places import (
    Anchors,
    deletions,
    has_fence,
    insertion,
    is_edited,
    marked,
    open_code,
    text_end,
    usual_gap,
)
from dlm.loops.edits.plan import Addition, EditPlan, Place, Removal

_NO_NEWLINE: Final = "\n\\ No newline at end of file\n"


class Refusal(NamedTuple):
    """A change that cannot be made, by name, and why."""

    id: str
    summary: str
    reason: str


class Rebased(NamedTuple):
    """The part of a plan that fits a document, the rest with reasons, and what stands already."""

    plan: EditPlan
    refusals: tuple[Refusal, ...] = ()
    present: tuple[str, ...] = ()


class Reverted(NamedTuple):
    """A document before, and without what a run wrote; the sections that went, those that stay."""

    before: Document
    document: Document
    removed: tuple[Section, ...]
    kept: tuple[Refusal, ...] = ()


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


def applied(
    document: Document,
    plan: EditPlan,
    only: Collection[str] | None = None,
    place: Place = "after",
) -> Document:
    """The document with the plan, or the changes that `only` names, carried out; all or nothing.

    Raises EditConflict when a change does not fit any more, or would do more than it says.
    """
    rebased = rebase(document, plan, only, place)
    if rebased.refusals or rebased.present:
        reasons = [f"{refusal.id}: {refusal.reason}" for refusal in rebased.refusals]
        reasons += [f"{name}: it is in the document already" for name in rebased.present]
        raise EditConflict(
            f"the plan does not fit the document: {'; '.join(reasons)}",
            hint="apply the others by name, or make the plan anew",
        )
    return fitted(document, rebased.plan, place)


def fitted(document: Document, plan: EditPlan, place: Place = "after") -> Document:
    """The document with a plan carried out that `rebase` found to fit."""
    anchors = Anchors(document)
    gone = [position for item in plan.removals if (position := anchors.find(item)) is not None]
    added: defaultdict[int, list[Section]] = defaultdict(list)
    gap = usual_gap(document)
    # What goes to the end stands behind what goes after the last section, whatever came first.
    for addition in sorted(plan.additions, key=lambda each: place == "end" or each.after is None):
        position = anchors.position(addition, place)
        assert position is not None
        added[position].append(marked(addition, gap))
    longer = document
    if added:
        splices = []
        for position, blocks in added.items():
            texts = [block.source.text for block in blocks]
            section = document.sections[position] if position >= 0 else None
            splices.append(insertion(document, text_end(document, section), texts, gap))
        longer = _checked(document, splices, list(_with(document.sections, added)))
    # Each section stands further down now, by what was put in above it.
    moved = [at + sum(len(new) for before, new in added.items() if before < at) for at in gone]
    return without(longer, moved)


def reverted(
    document: Document, origins: Collection[Origin], run: str | None = None, *, force: bool = False
) -> Reverted:
    """The document without the sections of these origins, or of one run among them.

    A section that was edited since is its owner's: it is kept, unless `force` takes it too.
    """
    positions: list[int] = []
    kept: list[Refusal] = []
    for position, section in enumerate(document.sections):
        if section.provenance is None or section.provenance.origin not in origins:
            continue
        if run is not None and section.provenance.run != run:
            continue
        if reason := _reason_to_keep(document, section, force):
            kept.append(Refusal(section.section_id[:8], summary_of(section), reason))
        else:
            positions.append(position)
    removed = tuple(document.sections[position] for position in positions)
    return Reverted(document, without(document, positions), removed, tuple(kept))


def without(document: Document, positions: Collection[int]) -> Document:
    """The document without the sections at these positions."""
    if not positions:
        return document
    gone = set(positions)
    stay = [section for at, section in enumerate(document.sections) if at not in gone]
    return _checked(document, deletions(document, gone), stay)


def diff(
    document: Document,
    plan: EditPlan,
    only: Collection[str] | None = None,
    place: Place = "after",
) -> str:
    """What the plan, as far as it fits, would change in the document; empty when nothing."""
    return unified(document, fitted(document, rebase(document, plan, only, place).plan, place))


def unified(before: Document, after: Document) -> str:
    """The unified diff of two documents, lines of the file with their own newlines."""
    name = str(after.path or "document.dlm")
    found = difflib.unified_diff(_lines(before.text), _lines(after.text), name, name)
    return "".join(line if line.endswith("\n") else f"{line}{_NO_NEWLINE}" for line in found)


def summary_of(section: Section) -> str:
    """One line that tells a section from others: its first question, prompt, or line of text."""
    asked = [pair.question for pair in section.pairs] + [each.prompt for each in section.triples]
    return next(iter((asked[0] if asked else section.text).strip().split("\n")))


def _fits(anchors: Anchors, plan: EditPlan, addition: Addition, place: Place) -> bool:
    """Whether an addition can be made, False when it stands already; EditConflict says why not."""
    if addition.provenance.run != plan.run:  # of which a round of improvement has two origins
        raise EditConflict("its marker names another run than the plan")
    if anchors.holds(addition):
        return False
    position = anchors.position(addition, place)
    if position is None:
        raise EditConflict("the section it was derived from was changed or removed since")
    if line := anchors.hidden_behind(position):
        raise EditConflict(f"the code block that begins at line {line} is not closed and hides it")
    return True


def _reason_to_keep(document: Document, section: Section, force: bool) -> str | None:
    line = document.location(section.start).line
    if code := open_code(document, section):
        return f"line {line}: the code block at line {code} is not closed, so its end is not known"
    if is_edited(section) and not force:
        return f"line {line}: it was edited since the machine wrote it"
    return None


def _with(sections: Sequence[Section], added: Mapping[int, Sequence[Section]]) -> Iterator[Section]:
    yield from added.get(-1, ())
    for position, section in enumerate(sections):
        yield section
        yield from added.get(position, ())


def _checked(document: Document, splices: Iterable[Splice], expected: list[Section]) -> Document:
    """The document after the splices, which must hold the expected sections and no others."""
    try:
        after = document.apply(splices)
    except DocumentError as error:
        raise _unexpected(document, error.message) from error
    found = iter(after.sections)
    for group in _joined(expected):
        section = next(found, None)
        if section is None or not _same(section, group):
            place = group[0].line if section is None else section.line
            raise _unexpected(document, f"line {place} would be read differently")
    if (extra := next(found, None)) is not None:
        raise _unexpected(document, f"line {extra.line} would be read differently")
    if after.frontmatter != document.frontmatter:
        raise _unexpected(document, "the frontmatter would be read differently")
    return after


def _joined(sections: Iterable[Section]) -> Iterator[list[Section]]:
    """Each section; prose without fences that has nothing left in between becomes one."""
    group: list[Section] = []
    for section in sections:
        if group and not (_is_loose(group[-1]) and _is_loose(section)):
            yield group
            group = []
        group.append(section)
    if group:
        yield group


def _is_loose(section: Section) -> bool:
    return section.type is SectionType.PROSE and not has_fence(section)


def _same(section: Section, group: Sequence[Section]) -> bool:
    """Whether a section is what a group of them became; blank lines at its end may differ."""
    if _outside(section) != _outside(group[0]):
        return False
    if len(group) == 1 and section.section_id == group[0].section_id:
        return True
    return section.content.split() == [word for part in group for word in part.content.split()]


def _outside(section: Section) -> tuple[object, ...]:
    return section.type, section.name, section.attributes, section.provenance, has_fence(section)


def _unexpected(document: Document, reason: str) -> EditConflict:
    return EditConflict(
        f"{document.path or 'the document'} would not come out as planned: {reason}",
        hint="nothing was written; this is a bug in dlm, or the file is unusual: please report it",
    )


def _lines(text: str) -> list[str]:
    # Not `splitlines`: a line of a document ends at "\n" and nothing else.
    lines = text.split("\n")
    return [f"{line}\n" for line in lines[:-1]] + [line for line in lines[-1:] if line]
