"""The body of list: what is staged, and what machines wrote into the document, by run."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from dlm.cli.common import count, note, print_json, read_document
from dlm.cli.edits import plan_json, size
from dlm.cli.terminal import one_line, plain

if TYPE_CHECKING:
    from dlm.doc.document import Document
    from dlm.doc.provenance import Origin
    from dlm.doc.sections import Section
    from dlm.loops.edits import EditPlan
    from dlm.store.staged_plans import DocumentEdit

_SHOWN: Final = 20

_Written = dict[tuple[str, str, str], list["Section"]]


@dataclass(frozen=True, slots=True)
class _Kept:
    """What the store knows: plans that wait, and when edits were made."""

    staged: list[EditPlan]
    edits: tuple[DocumentEdit, ...]


def run(
    path: str | None, origins: Sequence[Origin], name: str | None, *, command: str, as_json: bool
) -> None:
    document = read_document(path)
    kept = _kept(document, origins)
    staged = [plan for plan in kept.staged if name in (None, plan.run)]
    written = {
        key: sections
        for key, sections in _written(document, origins).items()
        if name in (None, key[0])
    }
    if as_json:
        print_json(
            {
                "staged": [_staged_json(document, plan) for plan in staged],
                "applied": [
                    _written_json(key, sections, kept.edits) for key, sections in written.items()
                ],
            }
        )
        return
    if not staged and not written:
        print(f"{document.path}: nothing is staged, and nothing was applied")
    for plan in staged:
        _print_staged(document, plan, everything=name is not None)
    for key, sections in written.items():
        _print_written(key, sections, kept.edits, everything=name is not None)
    if staged:
        print(f"apply with `{command} apply {document.path}`, forget with `{command} discard`")


def _kept(document: Document, origins: Sequence[Origin]) -> _Kept:
    """What the store says; a document without a store gets none for this."""
    from dlm.loops.edits import staged
    from dlm.store.paths import for_dlm
    from dlm.store.staged_plans import document_edits
    from dlm.store.store import Store

    frontmatter = document.frontmatter
    if not for_dlm(frontmatter.dlm_id).database.exists():
        return _Kept([], ())
    with Store.open(frontmatter.dlm_id, base_model=frontmatter.base_model) as store:
        for text in store.notices:
            note(f"note: {text}")
        return _Kept(staged(store.database, origins), document_edits(store.database))


def _written(document: Document, origins: Sequence[Origin]) -> _Written:
    """The sections of these origins in the document, by run, origin and maker."""
    runs: _Written = {}
    for section in document.sections:
        made = section.provenance
        if made is not None and made.origin in origins:
            runs.setdefault((made.run, made.origin.value, made.by), []).append(section)
    return runs


def _applied_at(
    key: tuple[str, str, str], sections: Iterable[Section], edits: Iterable[DocumentEdit]
) -> datetime | None:
    """When the run was last applied; without a record, when its sections say they were made."""
    times = [each.at for each in edits if each.run == key[0] and each.action == "apply"]
    made = [s.provenance.at for s in sections if s.provenance and s.provenance.at]
    return max(times or made, default=None)


def _print_staged(document: Document, plan: EditPlan, *, everything: bool) -> None:
    title = _title(plan.run, plan.origin.value, plan.by, plan.created_at)
    print(f"staged   {title}, {size(plan)}")
    reasons = _reasons(document, plan)
    lines = {section.section_id: section.line for section in reversed(document.sections)}
    rows: list[tuple[str, str, str]] = []
    for addition in plan.additions:
        line = lines.get(addition.after or "")
        place = f"after line {line}" if line else "at the end"
        rows.append((addition.id, place, addition.summary))
    for removal in plan.removals:
        line = lines.get(removal.section_id)
        rows.append((removal.id, f"remove line {line}" if line else "remove", removal.summary))
    for name, place, summary in rows if everything else rows[:_SHOWN]:
        reason = f"  (does not fit: {reasons[name]})" if name in reasons else ""
        print(f"  {name}  {place:<16}  {one_line(summary)}{reason}")
    _print_rest(rows, plan.run, everything)


def _print_written(
    key: tuple[str, str, str],
    sections: Sequence[Section],
    edits: Sequence[DocumentEdit],
    *,
    everything: bool,
) -> None:
    from dlm.loops.edits import is_edited, summary_of

    edited = sum(is_edited(section) for section in sections)
    note_edited = f", {edited} edited since" if edited else ""
    title = _title(*key, _applied_at(key, sections, edits))
    print(f"applied  {title}, {count(len(sections), 'section')}{note_edited}")
    for section in sections if everything else ():
        mark = "  (edited since)" if is_edited(section) else ""
        print(f"  line {section.line:<6}  {one_line(summary_of(section))}{mark}")


def _print_rest(rows: Sequence[object], run: str, everything: bool) -> None:
    if not everything and len(rows) > _SHOWN:
        print(f"  … and {len(rows) - _SHOWN} more: --run {one_line(run)} lists all")


def _title(run: str, origin: str, by: str, at: datetime | None) -> str:
    made = f"{origin} by {one_line(by)}" if by else origin
    when = f", {at.astimezone():%Y-%m-%d %H:%M}" if at else ""
    return f"{one_line(run) or '-'}  {made}{when}"


def _reasons(document: Document, plan: EditPlan) -> dict[str, str]:
    """Why changes of a plan would be refused now, by id."""
    from dlm.loops.edits import rebase

    rebased = rebase(document, plan)
    present = dict.fromkeys(rebased.present, "it stands in the document already")
    return present | {each.id: each.reason for each in rebased.refusals}


def _staged_json(document: Document, plan: EditPlan) -> dict[str, Any]:
    return {**plan_json(plan), "does_not_fit": _reasons(document, plan)}


def _written_json(
    key: tuple[str, str, str], sections: Sequence[Section], edits: Sequence[DocumentEdit]
) -> dict[str, Any]:
    from dlm.loops.edits import is_edited, summary_of

    return {
        "run": plain(key[0]),
        "origin": key[1],
        "by": plain(key[2]),
        "applied_at": _applied_at(key, sections, edits),
        "sections": [
            {
                "section_id": section.section_id,
                "line": section.line,
                "summary": plain(summary_of(section)),
                "edited": is_edited(section),
                "derived_from": _provenance_text(section),
                "scores": dict(section.provenance.scores) if section.provenance else {},
            }
            for section in sections
        ],
        "edits": [
            {
                "action": each.action,
                "at": each.at,
                "added": list(each.added),
                "removed": list(each.removed),
                "before_sha256": each.before_sha256,
                "after_sha256": each.after_sha256,
            }
            for each in edits
            if each.run == key[0]
        ],
    }


def _provenance_text(section: Section) -> str | None:
    source = section.provenance.derived_from if section.provenance else None
    return None if source is None else plain(source)
