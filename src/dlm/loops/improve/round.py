"""One round: propose, train a challenger, put the exam, judge, and then promote or refuse.

Each step takes the round as the store knows it and returns it one step further. One that was killed
is done again and comes to the same end: answers are cached, trainings resumed, candidates found.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from dlm.doc.document import Document
from dlm.doc.parser import parse_file
from dlm.doc.provenance import Origin
from dlm.eval.exam import ExamResult
from dlm.eval.figures import Figure
from dlm.eval.gate import Side, judge
from dlm.loops.edits import EditPlan, applied, carry_out, plan_from_json, plan_to_json, rebase
from dlm.loops.improve import writing
from dlm.loops.improve.context import Context
from dlm.loops.improve.options import is_external
from dlm.loops.improve.teachers import enrol, own
from dlm.loops.mine.candidates import MineOptions
from dlm.loops.mine.run import mine
from dlm.loops.proposals import Proposer
from dlm.loops.synth import Strategy
from dlm.loops.synth.run import Asking, Commission, synthesize
from dlm.store import improving
from dlm.store.database import Database
from dlm.store.improving import Round, Step
from dlm.store.records import version_name


def go_on(context: Context, one: Round) -> Round:
    """Take a round to its end."""
    steps = {
        Step.OPENED: _propose,
        Step.PLANNED: _train,
        Step.TRAINED: _examine,
        Step.EXAMINED: _judge,
        Step.DECIDED: _promote_or_refuse,
    }
    while not one.step.ends:
        context.clock.check()
        one = steps[one.step](context, one)
        context.checkpoint(one.step.value)
    return one


def together(one: Round, parts: Sequence[Mapping[str, Any]], document: Document) -> EditPlan:
    """The plans of all parts, and what the round before handed on, as one run."""
    given = [one.facts["handed_on"]] if one.facts.get("handed_on") else []
    plans = [plan_from_json(each) for each in (*given, *(part["plan"] for part in parts))]
    additions = {each.id: each for plan in plans for each in plan.additions}
    proposer = Proposer(one.name, Origin.SYNTHESIZED, one.teacher, one.started_at)
    return proposer.plan(document, list(additions.values()))


def _propose(context: Context, one: Round) -> Round:
    """Let the teacher write, part after part, and make one plan of what is kept.

    A part that is written is on the disk; one that was cut short is asked again, from the cache.
    """
    strategy = Strategy(one.strategy)
    shares = writing.parts_of(one.facts["sections"], strategy, context.options, one.teacher)
    parts: list[Mapping[str, Any]] = list(one.facts.get("parts", []))
    while len(parts) < len(shares):
        context.progress.step(f"{one.teacher} writes ({one.strategy})")
        parts.append(_written(context, one, shares[len(parts)], parts))
        one = context.advance(one, Step.OPENED, parts=parts)
        context.checkpoint(f"part {len(parts)}")
    if context.options.with_preferences and not parts[-1].get("mined"):
        context.progress.step(f"{version_name(one.champion)} answers, to mine preferences")
        parts.append(_mined(context, one))
        one = context.advance(one, Step.OPENED, parts=parts)
        context.checkpoint("mined")
    return _planned(context, one, parts)


def _written(
    context: Context, one: Round, sections: tuple[str, ...], before: list[Mapping[str, Any]]
) -> dict[str, Any]:
    """One part: written by the teacher, or by what was just trained on the parts before it."""
    strategy = Strategy(one.strategy)
    so_far = together(one, before, context.document)
    document, teacher = applied(context.document, so_far), one.teacher
    if before and so_far:
        context.progress.step("training a sampler with the pairs so far")
        teacher = own(context.train_challenger(one, document))
        context.progress.told("sampler", f"refreshed: {teacher} writes the rest")
    hints: tuple[Any, ...] = ()
    if not before and strategy is not Strategy.BACKTRANSLATE:
        card = context.card_of(one.champion, context.document)
        hints = writing.hints(context.document, card)
    seed = int(one.facts["seed"])
    outcome = synthesize(
        document,
        writing.synth_options(strategy, sections, seed, one.ordinal, len(before)),
        Asking(teacher=teacher, judge=context.options.judge),
        context.database,
        context.asking,
        Commission(one.name, one.started_at, hints),
    )
    for text in outcome.notes:
        context.progress.note(text)
    if outcome.gave_up:
        context.progress.note(f"{outcome.gave_up.message}; going on with what it gave before")
    context.progress.told("funnel", str(outcome.funnel))
    return {
        "teacher": teacher,
        "plan": plan_to_json(outcome.plan),
        "funnel": outcome.funnel,
        "said": outcome.written.said,
    }


def _mined(context: Context, one: Round) -> dict[str, Any]:
    """What the champion's own answers show of better and worse, as one more part."""
    options = MineOptions(judge=context.options.judge, seed=int(one.facts["seed"]))
    outcome = mine(context.document, options, context.database, context.asking)
    for text in outcome.notes:
        context.progress.note(text)
    context.progress.told("mined", str(outcome.funnel))
    plan = plan_to_json(outcome.plan.renamed(one.name))
    return {"mined": True, "plan": plan, "funnel": {}, "said": []}


def _planned(context: Context, one: Round, parts: Sequence[Mapping[str, Any]]) -> Round:
    plan = together(one, parts, context.document)
    strategy = Strategy(one.strategy)
    written = writing.diversity([(str(q), str(a)) for part in parts for q, a in part["said"]])
    context.progress.told("diversity", f"{written}")
    kinds = strategy is not Strategy.BACKTRANSLATE
    fallen = writing.collapsed(written, _first(context.database, one), kinds=kinds)
    synthetic = [
        (pair.question, pair.answer)
        for section, pair in applied(context.document, plan).pairs()
        if section.provenance and section.provenance.origin is Origin.SYNTHESIZED
    ]
    facts: dict[str, Any] = {
        "plan": plan_to_json(plan),
        "added": len(plan),
        "brings": writing.brings(plan),
        "funnel": dict(_funnel(parts)),
        "diversity": written.to_json(),
        "synthetic": writing.diversity(synthetic).to_json(),
        "parts": [],
    }
    refused = None
    if fallen:
        refused = f"what {one.teacher} wrote is not varied enough: {fallen}"
        facts["collapsed"] = fallen
    elif len(plan) == len(together(one, [], context.document)):
        refused = "nothing new was left to teach after the filters"
    if refused is None:
        return context.advance(one, Step.PLANNED, **facts)
    verdict = {"promote": False, "met": [], "reasons": [refused], "contest": None}
    return context.advance(one, Step.DECIDED, **facts, verdict=verdict)


def _train(context: Context, one: Round) -> Round:
    context.progress.step(f"training a challenger from the base, with {one.facts['brings']} more")
    version = context.train_challenger(one, _document_with_plan(context, one))
    runs = context.runs_of(version)
    steps = sum(run.steps for run in runs)
    shares = {str(each["source"]): each["share"] for each in runs[0].figures.get("shares", [])}
    why = "; ".join(run.stop_reason for run in runs)
    context.progress.told("challenger", f"{version.name}, {steps} steps ({why})")
    return context.advance(one, Step.TRAINED, challenger=version.number, steps=steps, shares=shares)


def _examine(context: Context, one: Round) -> Round:
    context.progress.step(f"the exam: {len(context.exam)} questions that never train")
    assert one.challenger is not None
    results = {
        "champion": context.result_of(one.champion),
        "challenger": context.result_of(one.challenger),
    }
    for who, number in (("champion", one.champion), ("challenger", one.challenger)):
        context.progress.told(who, f"{version_name(number)} {_told(results[who].overall)}")
    facts: dict[str, Any] = {}
    if is_external(one.teacher):
        results["teacher"] = context.result_of_teacher(one.teacher)
        student, teacher = results["challenger"].spoken, results["teacher"].spoken
        facts["surpasses"] = (student.value or 0.0) > (teacher.value or 0.0)
        how_much = "surpasses" if facts["surpasses"] else "does not surpass"
        context.progress.told(
            "teacher",
            f"{one.teacher} {_told(teacher)} without the passage; the challenger by its words "
            f"{_told(student)}: it {how_much} its teacher",
        )
    facts["exam"] = {who: result.to_json() for who, result in results.items()}
    return context.advance(one, Step.EXAMINED, **facts)


def _judge(context: Context, one: Round) -> Round:
    assert one.challenger is not None
    sides = [
        Side(text, ExamResult.from_json(one.facts["exam"][who]), context.card_of(number, text))
        for who, number, text in (
            ("champion", one.champion, context.document),
            ("challenger", one.challenger, _document_with_plan(context, one)),
        )
    ]
    verdict = judge(
        *sides,
        threshold=context.options.improvement_threshold,
        steps=int(one.facts["steps"]),
        min_steps=context.options.min_steps,
    )
    for title, texts in (("holds", verdict.met), ("fails", verdict.reasons)):
        for text in texts:
            context.progress.told(title, text)
    return context.advance(one, Step.DECIDED, verdict=verdict.to_json(), harmless=verdict.harmless)


def _promote_or_refuse(context: Context, one: Round) -> Round:
    """Promote: the document first, then pointer, teacher and round in one transaction."""
    verdict = one.facts["verdict"]
    if not verdict["promote"]:
        return context.advance(one, Step.REFUSED)
    plan = plan_from_json(one.facts["plan"])
    if unfit := rebase(parse_file(context.path), plan).refusals:
        reason = f"the document was edited meanwhile: {unfit[0].reason}"
        changed = {**verdict, "promote": False, "reasons": [reason]}
        return context.advance(one, Step.REFUSED, verdict=changed)
    carry_out(context.database, context.path, plan)
    context.checkpoint("document")
    after = parse_file(context.path)
    assert one.challenger is not None
    version = context.store.version(version_name(one.challenger))
    by, p = verdict["contest"]["difference"]["value"], verdict["contest"]["p"]
    why = f"promoted: {by:+.3f} overall, p = {p:.2g}"
    overall = Figure.from_json(one.facts["exam"]["challenger"]["overall"])

    def also(database: Database) -> None:
        enrol(database, after, own(version), version, overall, why, one.name)
        improving.advance(database, one, Step.PROMOTED)

    context.store.set_current(version, why=f"improve {one.name}", also=also)
    return next(each for each in improving.rounds(context.database) if each.id == one.id)


def _document_with_plan(context: Context, one: Round) -> Document:
    return applied(context.document, plan_from_json(one.facts["plan"]))


def _first(database: Database, one: Round) -> writing.Diversity | None:
    """What the first round with the same strategy found."""
    for earlier in improving.rounds(database):
        same = earlier.id < one.id and earlier.strategy == one.strategy
        if same and "diversity" in earlier.facts and "collapsed" not in earlier.facts:
            return writing.Diversity.from_json(earlier.facts["diversity"])
    return None


def _funnel(parts: Sequence[Mapping[str, Any]]) -> Counter[str]:
    """The funnels of all parts as one."""
    total: Counter[str] = Counter()
    for part in parts:
        total.update(part["funnel"])
    return total


def _told(score: Figure) -> str:
    """`0.412 (n = 20, 90 % between 0.350 and 0.470)`."""
    value = "-" if score.value is None else f"{score.value:.3f}"
    known = score.low is not None and score.high is not None
    between = f", 90 % between {score.low:.3f} and {score.high:.3f}" if known else ""
    return f"{value} (n = {score.n}{between})"
