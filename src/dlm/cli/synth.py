"""The bodies of `dlm synth instructions` and `dlm synth verify`: what they print."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from dlm.cli.asking_bar import AskingBar
from dlm.cli.common import count, note, print_json, read_document
from dlm.cli.edits import Mode, open_database, present
from dlm.cli.terminal import one_line
from dlm.errors import DlmError, EditConflict, UsageError

if TYPE_CHECKING:
    from dlm.loops.edits import Place
    from dlm.loops.synth.candidates import Candidate
    from dlm.loops.synth.options import Filter, Strategy, SynthOptions
    from dlm.loops.synth.run import Asking, Outcome
    from dlm.loops.synth.verify import Verdict

COMMAND = "dlm synth"


def run(
    path: str | None,
    options: SynthOptions,
    asking: Asking,
    *,
    mode: Mode,
    place: Place,
    only_estimate: bool,
    explain: bool,
    as_json: bool,
) -> None:
    """Synthesize, print the funnel, and do with the plan what `mode` says."""
    document = read_document(path)
    from dlm.loops.synth.run import estimate_cost, synthesize

    with open_database(document) as database:
        if only_estimate:
            cost = estimate_cost(document, options, asking, database)
            print_json(cost.to_json()) if as_json else print(cost)
            return
        bar = AskingBar()
        try:
            outcome = synthesize(document, options, asking, database, bar)
        finally:
            bar.close()
    plan = outcome.plan
    if explain:
        told = [candidate.to_json() for candidate in outcome.candidates]
        plan = replace(plan, note={**plan.note, "candidates": told})
    if not as_json:
        _tell(outcome, explain)
    present(document, plan, mode, command=COMMAND, place=place, as_json=as_json)
    if not plan and not explain:
        note("hint: --explain says why each candidate was dropped")
    if outcome.gave_up:
        kept = "" if mode is Mode.DRY_RUN else "; what it gave before is kept"
        raise DlmError(f"{outcome.gave_up.message}{kept}", hint=outcome.gave_up.hint)


def verify(path: str | None, *, as_json: bool) -> None:
    """Print every synthesized pair that its source does not support any more; fail if one is."""
    document = read_document(path)
    from dlm.loops.synth.verify import verify as check

    found = check(document)
    fallen = [verdict for verdict in found if verdict.reason]
    if as_json:
        print_json([verdict.to_json() for verdict in found])
    else:
        _tell_verdicts(str(document.path), found, fallen)
    if fallen:
        raise EditConflict(
            f"{count(len(fallen), 'pair')} of {document.path} say what the prose does not say",
            hint=f"correct them by hand, or `{COMMAND} revert --run ID` takes a run out",
        )


def as_strategy(text: str) -> Strategy:
    """The value of `--strategy`; UsageError for another word."""
    from dlm.loops.synth.options import Strategy

    return Strategy(_known("--strategy", text, [each.value for each in Strategy]))


def as_filter(text: str) -> Filter:
    """The value of `--filter`; UsageError for another word."""
    from dlm.loops.synth.options import Filter

    return Filter(_known("--filter", text, [each.value for each in Filter]))


def as_scorer(text: str) -> str:
    """The value of `--scorer`; UsageError for another word."""
    return _known("--scorer", text, ["base", "self"])


def _known(option: str, text: str, words: Sequence[str]) -> str:
    if text not in words:
        raise UsageError(f"{option} cannot be {text!r}", hint=f"it is {', '.join(words)}")
    return text


def _tell(outcome: Outcome, explain: bool) -> None:
    for text in outcome.notes:
        note(f"note: {one_line(text)}")
    note(f"{outcome.plan.by}: {outcome.counts}")
    if explain:
        for candidate in outcome.candidates:
            _tell_candidate(candidate)
        for reason in outcome.written.unparsed:
            print(f"- not read: {one_line(reason)}")
        print()
    print(outcome.funnel)


def _tell_candidate(candidate: Candidate) -> None:
    fate = (
        f"dropped ({candidate.dropped.value}): {candidate.reason}" if candidate.dropped else "kept"
    )
    times = f" (x{candidate.votes})" if candidate.votes > 1 else ""
    print(f"- {one_line(candidate.question, 200)}{times}")
    print(f"    {one_line(candidate.answer, 200)}")
    scores = "  ".join(f"{name} {score:.2f}" for name, score in candidate.scores.items())
    if scores:
        print(f"    {scores}")
    print(f"    {one_line(fate, 200)}")


def _tell_verdicts(path: str, found: Sequence[Verdict], fallen: Sequence[Verdict]) -> None:
    for verdict in fallen:
        print(f"{path}:{verdict.line}: {one_line(verdict.question, 120)}")
        print(f"  says     {one_line(verdict.answer, 200)}")
        print(f"  but      {one_line(verdict.reason or '', 200)}")
    unchecked = sum(not verdict.checked for verdict in found)
    held = len(found) - len(fallen) - unchecked
    print(f"{count(held, 'pair')} of {len(found)} supported by the prose as it is now")
    if unchecked:
        print(f"{count(unchecked, 'pair')} not checked: no source sentence is noted with them")
