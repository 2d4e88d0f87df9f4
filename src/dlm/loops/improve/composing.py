"""The first step of a round: the teacher writes, and what is kept becomes one plan.

A part that is written is on the disk; one that was cut short is asked again, from the cache.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from dlm.doc.document import Document
from dlm.doc.provenance import Origin
from dlm.loops.edits import EditPlan, applied, plan_from_json, plan_to_json
from dlm.loops.improve import writing
from dlm.loops.improve.bench import Bench
from dlm.loops.improve.diversity import Diversity, collapsed, diversity
from dlm.loops.improve.examining import card_of
from dlm.loops.improve.history import own
from dlm.loops.mine.options import MineOptions
from dlm.loops.mine.run import mine
from dlm.loops.proposals import Proposer
from dlm.loops.synth.options import Strategy
from dlm.loops.synth.run import Asking, Commission, Outcome, synthesize
from dlm.store import rounds
from dlm.store.database import Database
from dlm.store.records import version_name
from dlm.store.rounds import Round, Step

_JUDGE: Final = "sway"


def write(bench: Bench, one: Round) -> Round:
    """Let the teacher write, part after part, and stage what is kept as one plan."""
    strategy = Strategy(one.strategy)
    shares = writing.parts_of(one.facts["sections"], strategy, bench.options, one.teacher)
    parts: list[Mapping[str, Any]] = list(one.facts.get("parts", []))
    while len(parts) < len(shares):
        bench.watch.step(f"{one.teacher} writes ({one.strategy})")
        parts.append(_written(bench, one, shares[len(parts)], parts))
        with bench.database.transaction():
            one = rounds.advance(bench.database, one, Step.OPENED, parts=parts)
        bench.checkpoint(f"part {len(parts)}")
    if bench.options.with_preferences and not parts[-1].get("mined"):
        bench.watch.step(f"{version_name(one.champion)} answers, to mine preferences")
        parts.append(_mined(bench, one))
        with bench.database.transaction():
            one = rounds.advance(bench.database, one, Step.OPENED, parts=parts)
        bench.checkpoint("mined")
    plan = together(one, parts, bench.document)
    return _planned(bench, one, plan, parts)


def _written(
    bench: Bench, one: Round, sections: tuple[str, ...], before: list[Mapping[str, Any]]
) -> dict[str, Any]:
    """One part: written by the teacher, or by what was just trained on the parts before it."""
    so_far = together(one, before, bench.document)
    document = applied(bench.document, so_far) if so_far else bench.document
    teacher = one.teacher
    if before and so_far:
        bench.watch.step("training a sampler with the pairs so far")
        version = bench.trained(one, document)
        teacher = own(version)
        bench.watch.told("sampler", f"refreshed: {teacher} writes the rest")
    strategy = Strategy(one.strategy)
    hints = () if before else _hints(bench, one)
    outcome = synthesize(
        document,
        writing.synth_options(strategy, sections, int(one.facts["seed"]), one.ordinal, len(before)),
        Asking(teacher=teacher, judge=_JUDGE),
        bench.database,
        bench.progress,
        Commission(one.name, one.started_at, hints),
    )
    _tell_written(bench, outcome)
    return {
        "teacher": teacher,
        "plan": plan_to_json(outcome.plan),
        "funnel": outcome.funnel.to_json(),
        "said": outcome.written.said,
    }


def _mined(bench: Bench, one: Round) -> dict[str, Any]:
    """What the champion's own answers show of better and worse, as one more part."""
    options = MineOptions(judge=_JUDGE, seed=int(one.facts["seed"]))
    outcome = mine(bench.document, options, bench.database, bench.progress)
    for text in outcome.notes:
        bench.watch.note(text)
    bench.watch.told("mined", str(outcome.funnel))
    plan = outcome.plan.renamed(one.name)
    return {"mined": True, "plan": plan_to_json(plan), "funnel": {}, "said": []}


def _planned(bench: Bench, one: Round, plan: EditPlan, parts: list[Mapping[str, Any]]) -> Round:
    said = [(str(q), str(a)) for part in parts for q, a in part["said"]]
    now = diversity(said)
    kinds = Strategy(one.strategy) is not Strategy.BACKTRANSLATE
    fallen = collapsed(now, _first(bench.database, one), kinds=kinds)
    bench.watch.told("diversity", f"{now}")
    facts: dict[str, Any] = {
        "plan": plan_to_json(plan),
        "added": len(plan),
        "brings": writing.brings(plan),
        "funnel": writing.funnels(parts),
        "diversity": now.to_json(),
        "synthetic": diversity(writing.synthetic_pairs(applied(bench.document, plan))).to_json(),
        "parts": [],
    }
    refused = None
    if fallen:
        refused = f"what {one.teacher} wrote is not varied enough: {fallen}"
        facts["collapsed"] = fallen
    elif len(plan) == len(together(one, [], bench.document)):
        refused = "nothing new was left to teach after the filters"
    with bench.database.transaction():
        if refused:
            facts["verdict"] = {"promote": False, "met": [], "reasons": [refused], "contest": None}
            return rounds.advance(bench.database, one, Step.DECIDED, **facts)
        return rounds.advance(bench.database, one, Step.PLANNED, **facts)


def together(one: Round, parts: Sequence[Mapping[str, Any]], document: Document) -> EditPlan:
    """The plans of all parts, and what the round before handed on, as one run."""
    given = [one.facts["handed_on"]] if one.facts.get("handed_on") else []
    plans = [plan_from_json(each) for each in (*given, *(part["plan"] for part in parts))]
    additions = {each.id: each for plan in plans for each in plan.additions}
    proposer = Proposer(one.name, Origin.SYNTHESIZED, one.teacher, one.started_at)
    return proposer.plan(document, list(additions.values()))


def _hints(bench: Bench, one: Round) -> tuple[Any, ...]:
    if Strategy(one.strategy) is Strategy.BACKTRANSLATE:
        return ()
    champion = bench.store.version(version_name(one.champion))
    return writing.hints(bench.document, card_of(bench.store, champion, bench.document))


def _tell_written(bench: Bench, outcome: Outcome) -> None:
    for text in outcome.notes:
        bench.watch.note(text)
    if outcome.gave_up:
        bench.watch.note(f"{outcome.gave_up.message}; going on with what it gave before")
    bench.watch.told("funnel", str(outcome.funnel))


def _first(database: Database, one: Round) -> Diversity | None:
    """What the first round with the same strategy found."""
    for earlier in rounds.rounds(database):
        same = earlier.id < one.id and earlier.strategy == one.strategy
        if same and "diversity" in earlier.facts and "collapsed" not in earlier.facts:
            return Diversity.from_json(earlier.facts["diversity"])
    return None
