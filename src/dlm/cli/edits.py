"""What every loop's command does with the plan it made: show it, then stage, apply or review it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlm.cli.common import count, note, one_line, plain, print_diff, print_json, require_terminal
from dlm.cli.edits_review import reviewed, size
from dlm.errors import EditConflict, StoreError, UsageError

if TYPE_CHECKING:
    from dlm.doc.document import Document
    from dlm.loops.edits import Applied, EditPlan, Place, Refusal
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
    given = [mode for mode, on in zip(_ASKED, (dry_run, apply, review), strict=True) if on]
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

    answers = reviewed(document, plan, ids, place)
    if answers.plan:
        stage(database, answers.plan)
    else:
        discard(database, plan.run)
    return answers.plan, set(answers.accepted)


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
    from dlm.store.store import Store

    frontmatter = document.frontmatter
    with Store.open(frontmatter.dlm_id, base_model=frontmatter.base_model) as store:
        for text in store.notices:
            note(f"note: {text}")
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
        "run": plain(plan.run),
        "origin": plan.origin.value,
        "by": plain(plan.by),
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
        "run": plain(plan.run),
        "added": [each.id for each in outcome.made.additions],
        "removed": [each.section_id for each in outcome.made.removals],
        "present": list(outcome.present),
        "refused": [refusal_json(each) for each in outcome.refusals],
        "before_sha256": outcome.before.sha256,
        "after_sha256": outcome.after.sha256,
    }


_ASKED = (Mode.DRY_RUN, Mode.APPLY, Mode.REVIEW)
