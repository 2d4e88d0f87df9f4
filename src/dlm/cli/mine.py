"""The body of `dlm preference mine`: what it prints."""

from __future__ import annotations

from dataclasses import replace
from math import isfinite
from typing import TYPE_CHECKING

from dlm.cli.asking_bar import AskingBar
from dlm.cli.common import note, read_document
from dlm.cli.edits import Mode, open_database, present
from dlm.cli.terminal import one_line
from dlm.errors import DlmError, UsageError

if TYPE_CHECKING:
    from dlm.loops.edits import Place
    from dlm.loops.mine.candidates import Candidate, Mined, MineOptions, RejectFrom
    from dlm.loops.mine.run import Outcome

COMMAND = "dlm preference"


def run(
    path: str | None,
    options: MineOptions,
    *,
    mode: Mode,
    place: Place,
    explain: bool,
    as_json: bool,
) -> None:
    """Mine, print the funnel, and do with the plan what `mode` says."""
    document = read_document(path)
    from dlm.loops.mine.run import mine

    with open_database(document) as database:
        bar = AskingBar()
        try:
            outcome = mine(document, options, database, bar)
        finally:
            bar.close()
    plan = outcome.plan
    if explain:
        told = [each.to_json() for each in outcome.mined]
        plan = replace(plan, note={**plan.note, "prompts": told})
    _tell(outcome, explain=explain, as_json=as_json)
    present(document, plan, mode, command=COMMAND, place=place, as_json=as_json)
    if not plan and not explain:
        note("hint: --explain says why each prompt gave no pair")
    if outcome.gave_up:
        kept = " is staged" if plan and mode is Mode.STAGE else " was used"
        kept = f"; what it judged before{kept}" if plan else ""
        raise DlmError(
            f"{outcome.gave_up.message}{kept}; the answers are kept, so they are not drawn again",
            hint=outcome.gave_up.hint,
        )


def as_reject_from(text: str) -> RejectFrom:
    """The value of `--reject-from`; UsageError for another word."""
    from dlm.loops.mine.candidates import RejectFrom

    if text not in [each.value for each in RejectFrom]:
        words = ", ".join(each.value for each in RejectFrom)
        raise UsageError(f"--reject-from cannot be {text!r}", hint=f"it is {words}")
    return RejectFrom(text)


def _tell(outcome: Outcome, *, explain: bool, as_json: bool) -> None:
    for text in outcome.notes:
        note(f"note: {one_line(text, 200)}")
    for name, counts in outcome.counts:
        note(f"{name}: {counts}")
    for text in outcome.balance.warnings:
        note(f"warning: {text}")
    if as_json:
        return
    if explain:
        for each in outcome.mined:
            _tell_prompt(each)
        print()
    print(outcome.funnel)
    if outcome.balance.n:
        print(f"balance: {outcome.balance}")


def _tell_prompt(mined: Mined) -> None:
    print(f"- {one_line(mined.prompt, 200)}")
    print(f"    authored  {_score(mined.anchor)}  {one_line(mined.answer, 160)}")
    for one in mined.candidates:
        times = f" (x{one.times})" if one.times > 1 else ""
        said = one.reason or one.why
        why = f" [{said}]" if said else ""
        print(
            f"    {_part(mined, one):<8}  {_score(one.score)}  {one_line(one.text, 160)}{times} "
            f"({one.source}){one_line(why, 120)}"
        )
    if mined.reason:
        print(f"    no pair: {one_line(mined.reason, 200)}")


def _part(mined: Mined, one: Candidate) -> str:
    found = mined.contrast
    if found is None or one.dropped or not mined.kept:
        return ""
    pair = {found.chosen.text: "chosen", found.rejected.text: "rejected"}
    return pair.get(one.text, "")


def _score(value: float) -> str:
    return f"{value:6.2f}" if isfinite(value) else "     -"
