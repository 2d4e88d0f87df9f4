"""What every loop's command does with the plan it made: show it, then stage, apply or review it."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from dlm.cli.common import (
    document_store,
    green,
    note,
    one_line,
    print_diff,
    print_json,
    require_terminal,
    shown,
)
from dlm.errors import DlmError, EditConflict, StoreError, UsageError
from dlm.text.words import count

if TYPE_CHECKING:
    from dlm.doc.document import Document
    from dlm.doc.provenance import Provenance
    from dlm.loops.edits import Addition, Applied, EditPlan, Place, Refusal, Removal
    from dlm.store.database import Database


class Mode(StrEnum):
    """What a command does with the plan it made."""

    DRY_RUN = "dry_run"
    STAGE = "stage"
    APPLY = "apply"
    REVIEW = "review"


def mode_of(*, dry_run: bool, apply: bool, review: bool, as_json: bool = False) -> Mode:
    """The mode that a loop's `--dry-run`, `--apply` and `--review` ask for; staging without any.

    Raises UsageError when two are given, and when a review has no terminal: call it before the
    loop begins its work.
    """
    asked = ((Mode.DRY_RUN, dry_run), (Mode.APPLY, apply), (Mode.REVIEW, review))
    given = [mode for mode, on in asked if on]
    if len(given) > 1:
        names = " and ".join(f"--{mode.value.replace('_', '-')}" for mode in given)
        raise UsageError(f"{names} cannot go together", hint="give one of them")
    if review:
        require_review(as_json=as_json)
    return given[0] if given else Mode.STAGE


def require_review(*, as_json: bool = False) -> None:
    """Refuse a review where nobody can answer, or where only JSON may be printed."""
    if as_json:
        raise UsageError("--review and --json cannot go together", hint="give one of them")
    require_terminal("--review", hint="leave it out, and choose with `apply --only ID`")


def present(
    document: Document,
    plan: EditPlan,
    mode: Mode,
    *,
    command: str,
    place: Place = "after",
    as_json: bool = False,
) -> None:
    """Show a plan that was just made as a diff, and do with it what `mode` says.

    `command` is how the loop's list, apply, discard and revert are called, such as `dlm synth`.
    """
    from dlm.loops.edits import diff, stage

    path = document_path(document)
    shown = diff(document, plan, place=place)
    facts = {**plan_json(plan), "mode": mode.value, "diff": shown}
    if not plan:
        say(facts, "nothing to change", as_json=as_json)
        return
    if not as_json and mode is not Mode.REVIEW:
        print_diff(shown)
    if mode is Mode.DRY_RUN:
        say(facts, f"{size(plan)}; nothing was changed (--dry-run)", as_json=as_json)
        return
    with open_database(document) as database:
        stage(database, plan)
        if mode is Mode.STAGE:
            how = f"`{command} apply {path}` applies them"
            say(facts, f"staged {size(plan)} as run {one_line(plan.run)}: {how}", as_json=as_json)
        else:
            chosen = None
            if mode is Mode.REVIEW:
                plan, chosen = review(database, document, plan, place=place)
            carry_out_all(database, path, [plan], chosen, place, command, as_json=as_json)


def review(
    database: Database,
    document: Document,
    plan: EditPlan,
    ids: Collection[str] | None = None,
    *,
    place: Place = "after",
) -> tuple[EditPlan, set[str]]:
    """Ask about each change of a staged plan, or those in `ids`; which were accepted.

    What was rejected is gone from the staged plan, what was edited has its new text there.
    """
    from dlm.loops.edits import discard, stage

    plan, accepted = _asked(document, plan, ids, place)
    if plan:
        stage(database, plan)
    else:
        discard(database, plan.run)
    return plan, accepted


def carry_out_all(
    database: Database,
    path: Path,
    plans: Sequence[EditPlan],
    only: Collection[str] | None,
    place: Place,
    command: str,
    *,
    as_json: bool,
) -> None:
    """Apply staged plans to the file one after the other, and say what became of each change."""
    from dlm.loops.edits import carry_out

    outcomes: list[tuple[EditPlan, Applied]] = []
    for plan in plans:
        chosen = None if only is None else [name for name in plan.ids if name in only]
        if chosen is None or chosen:
            outcome = carry_out(database, path, plan, only=chosen, place=place)
            outcomes.append((plan, outcome))
    refused = [each for _, outcome in outcomes for each in outcome.refusals]
    made = sum(len(outcome.made) for _, outcome in outcomes)
    if as_json:
        print_json({"applied": [_outcome_json(*each) for each in outcomes]})
    else:
        for plan, outcome in outcomes:
            if outcome.made:
                back = f"`{command} revert {path} --run {one_line(plan.run)}` takes it back"
                print(f"{path}: applied {size(outcome.made)} of run {one_line(plan.run)}; {back}")
            if outcome.present:
                print(f"{path}: {count(len(outcome.present), 'addition')} stood there already")
        if not outcomes:
            print("nothing was applied")
    tell_refused(refused, "not applied", "they stay staged")
    if refused and not made:
        raise EditConflict(
            f"nothing fits {path} any more",
            hint=f"`{command} discard {path}` forgets what is staged; then run the loop again",
        )


@contextmanager
def open_database(document: Document) -> Iterator[Database]:
    """The database of the document's store; StoreError when it cannot be written."""
    with document_store(document) as store:
        if store.read_only:
            raise StoreError(
                f"the store of {document.path} cannot be written, so no edit can be noted there",
                hint="`dlm doctor` says where it lies; --dry-run only shows a change",
            )
        yield store.database


def document_path(document: Document) -> Path:
    """Where the document lies; those on the command line all come from a file."""
    assert document.path is not None
    return document.path


def plan_json(plan: EditPlan) -> dict[str, Any]:
    """What a plan would do, for `--json`."""
    return {
        "run": plan.run,
        "origin": plan.origin.value,
        "by": plan.by,
        "created_at": plan.created_at,
        "additions": [
            {
                "id": each.id,
                "after": each.after,
                "summary": each.summary,
                "section": each.section().source.text,
            }
            for each in plan.additions
        ],
        "removals": [
            {"id": each.id, "section_id": each.section_id, "summary": each.summary}
            for each in plan.removals
        ],
        "note": dict(plan.note),
    }


def refusal_json(refusal: Refusal) -> dict[str, str]:
    """A change that was not made, for `--json`."""
    return {"id": refusal.id, "summary": refusal.summary, "reason": refusal.reason}


def tell_refused(refusals: Sequence[Refusal], what: str, then: str) -> None:
    """Name every change that was not made, with its reason, on standard error."""
    for each in refusals:
        summary = f" ({one_line(each.summary, 50)})" if each.summary else ""
        note(f"{what}: {each.id}{summary}: {each.reason}")
    if refusals:
        note(f"note: {count(len(refusals), 'change')} {what}; {then}")


def say(facts: dict[str, Any], text: str, *, as_json: bool) -> None:
    """The facts as JSON, or the sentence."""
    if as_json:
        print_json(facts)
    else:
        print(text)


def _outcome_json(plan: EditPlan, outcome: Applied) -> dict[str, Any]:
    return {
        "run": plan.run,
        "added": [each.id for each in outcome.made.additions],
        "removed": [each.section_id for each in outcome.made.removals],
        "present": list(outcome.present),
        "refused": [refusal_json(each) for each in outcome.refusals],
        "before_sha256": outcome.before.sha256,
        "after_sha256": outcome.after.sha256,
    }


_ASK: Final = "accept, reject, edit, all the rest, quit [a,r,e,A,q] "
_HELP: Final = """a  accept this one
r  reject it: it is forgotten
e  edit its text in $EDITOR first
A  accept this one and all that follow
q  quit: what was accepted is applied, this one and what follows stay staged"""


def _asked(
    document: Document, plan: EditPlan, ids: Collection[str] | None, place: Place
) -> tuple[EditPlan, set[str]]:
    """The plan without what was rejected and with what was edited, and the ids to apply.

    It is asked about each change that fits the document; the others stay as they are.
    """
    from dlm.loops.edits import rebase

    rebased = rebase(document, plan, ids, place)
    for refusal in rebased.refusals:
        note(f"skipped: {refusal.id}: {refusal.reason}")
    total = len(rebased.plan)
    print(f"run {one_line(plan.run)}: {size(rebased.plan)} by {one_line(plan.by)}")
    accepted: set[str] = set()
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
        accepted.add(changed.id)
    print(f"{count(len(accepted), 'change')} accepted")
    return plan, accepted


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
    import shlex
    import subprocess
    import tempfile

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
