"""`--review`: one change at a time, on the terminal."""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from dlm.cli.common import count, green, note, one_line, shown
from dlm.errors import DlmError

if TYPE_CHECKING:
    from dlm.doc.document import Document
    from dlm.doc.provenance import Provenance
    from dlm.loops.edits import Addition, EditPlan, Place, Removal

_ASK: Final = "accept, reject, edit, all the rest, quit [a,r,e,A,q] "
_HELP: Final = """a  accept this one
r  reject it: it is forgotten
e  edit its text in $EDITOR first
A  accept this one and all that follow
q  quit: what was accepted is applied, this one and what follows stay staged"""


@dataclass(frozen=True, slots=True)
class Reviewed:
    """The plan without what was rejected and with what was edited, and the ids to apply."""

    plan: EditPlan
    accepted: tuple[str, ...]


def reviewed(
    document: Document, plan: EditPlan, ids: Collection[str] | None, place: Place
) -> Reviewed:
    """Ask about each change that fits the document; the others stay as they are."""
    from dlm.loops.edits import rebase

    rebased = rebase(document, plan, ids, place)
    for refusal in rebased.refusals:
        note(f"skipped: {refusal.id}: {refusal.reason}")
    total = len(rebased.plan)
    print(f"run {one_line(plan.run)}: {size(rebased.plan)} by {one_line(plan.by)}")
    accepted: list[str] = []
    everything = False
    items: list[Addition | Removal] = [*rebased.plan.additions, *rebased.plan.removals]
    for number, item in enumerate(items, start=1):
        answer, changed = ("a", item) if everything else _ask(document, item, number, total)
        everything = everything or answer == "A"
        if answer == "q":
            break
        if answer == "r":
            plan = plan.without({item.id})
            continue
        plan = _with(plan, item, changed)
        accepted.append(changed.id)
    print(f"{count(len(accepted), 'change')} accepted")
    return Reviewed(plan, tuple(accepted))


def _ask(
    document: Document, item: Addition | Removal, number: int, total: int
) -> tuple[str, Addition | Removal]:
    _show(document, item, number, total)
    while True:
        try:
            answer = input(_ASK).strip()
        except EOFError:
            print()
            return "q", item
        if answer == "e":
            item = _edited(item)
            _show(document, item, number, total)
        elif answer in ("a", "r", "A", "q"):
            return answer, item
        else:
            print(_HELP)


def _show(document: Document, item: Addition | Removal, number: int, total: int) -> None:
    from dlm.loops.edits import Removal

    if isinstance(item, Removal):
        print(f"\n{number} of {total}  {item.id}  remove: {one_line(item.summary)}")
        return
    print(f"\n{number} of {total}  {item.id}  {_where(document, item)}")
    for line in _facts(item.provenance):
        print(f"  {line}")
    for line in shown(item.body()).rstrip("\n").split("\n"):
        print(green(f"+ {line}"))


def _where(document: Document, item: Addition) -> str:
    for section in document.sections:
        if section.section_id == item.after:
            return f"after line {section.line}: {one_line(section.text, 50)}"
    return "at the end"


def _facts(provenance: Provenance) -> list[str]:
    scores = [f"{name} {score:.3g}" for name, score in provenance.scores.items()]
    extra = [f"{name}: {one_line(value)}" for name, value in provenance.extra.items()]
    return ([", ".join(scores)] if scores else []) + extra


def _edited(item: Addition | Removal) -> Addition | Removal:
    """The addition with the text its owner gave it in an editor; as it was when that fails."""
    from dlm.loops.edits import Removal

    if isinstance(item, Removal):
        print("a removal has no text to edit")
        return item
    try:
        return item.with_body(_in_editor(item.body()))
    except DlmError as error:
        print(f"not changed: {error.message}")
        return item


def _in_editor(text: str) -> str:
    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "section.md"
        path.write_text(text, "utf-8", newline="")
        try:
            subprocess.run([*shlex.split(editor), str(path)], check=True)
            return path.read_text("utf-8")
        except (OSError, ValueError, subprocess.CalledProcessError) as error:
            raise DlmError(f"the editor {editor!r} failed: {error}") from error


def _with(plan: EditPlan, before: Addition | Removal, after: Addition | Removal) -> EditPlan:
    """The plan with one addition in the place of another."""
    from dlm.loops.edits import Removal

    if isinstance(after, Removal) or after is before:
        return plan
    additions = tuple(after if each is before else each for each in plan.additions)
    return replace(plan, additions=additions)


def size(plan: EditPlan) -> str:
    """`3 additions`, `1 removal`, or both."""
    parts = [
        count(len(items), noun)
        for items, noun in ((plan.additions, "addition"), (plan.removals, "removal"))
        if items
    ]
    return " and ".join(parts) or "no change"
