"""The steps of a round: write, train, examine, decide, and then promote or refuse.

Each takes the round as the store knows it and returns it one step further. One that was killed is
done again and comes to the same end: answers are cached, trainings resumed, candidates found.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from dlm.doc.document import Document
from dlm.doc.parser import parse_file
from dlm.doc.provenance import Origin
from dlm.eval.exam import Paper
from dlm.eval.questions import Question
from dlm.loops.edits import EditPlan, applied, carry_out, rebase
from dlm.loops.edits.codec import plan_from_json, plan_to_json
from dlm.loops.improve import writing
from dlm.loops.improve.challenger import how, train_challenger, with_settings
from dlm.loops.improve.diversity import Diversity, collapsed, diversity
from dlm.loops.improve.examining import card_of, sit, sit_teacher
from dlm.loops.improve.history import enrol, own
from dlm.loops.improve.options import ImproveOptions
from dlm.loops.improve.verdict import Side, judge
from dlm.loops.improve.watching import Bounded, Clock, Watch, brief
from dlm.loops.mine.options import MineOptions
from dlm.loops.mine.run import mine
from dlm.loops.synth.options import Strategy
from dlm.loops.synth.run import Asking, Commission, Outcome, synthesize
from dlm.store import rounds
from dlm.store.database import Database
from dlm.store.records import Version, version_name
from dlm.store.rounds import Round, Step
from dlm.store.store import Store

_JUDGE: Final = "sway"


@dataclass(slots=True)
class Bench:
    """What every step needs. `checkpoint` is called with the name of each durable step."""

    path: Path
    document: Document  # as the round began
    options: ImproveOptions
    store: Store
    exam: tuple[Question, ...]
    watch: Watch
    clock: Clock
    checkpoint: Callable[[str], None]

    @property
    def database(self) -> Database:
        return self.store.database


def go_on(bench: Bench, one: Round) -> Round:
    """Take a round to its end."""
    steps = {
        Step.OPENED: _write,
        Step.PLANNED: _train,
        Step.TRAINED: _examine,
        Step.EXAMINED: _decide,
        Step.DECIDED: _carry_out_verdict,
    }
    while not one.step.ends:
        bench.clock.check()
        one = steps[one.step](bench, one)
        bench.checkpoint(one.step.value)
    return one


def planned(document: Document, one: Round) -> Document:
    """The document with the plan of a round in it."""
    return applied(document, plan_from_json(one.facts["plan"]))


def external(teacher: str) -> bool:
    """Whether a teacher is none of our own versions, nor our base."""
    return teacher != "base" and not teacher.startswith("self")


def _write(bench: Bench, one: Round) -> Round:
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
    plan = _together(one, parts, bench.document)
    return _planned(bench, one, plan, parts)


def _written(
    bench: Bench, one: Round, sections: tuple[str, ...], before: list[Mapping[str, Any]]
) -> dict[str, Any]:
    """One part: written by the teacher, or by what was just trained on the parts before it."""
    so_far = _together(one, before, bench.document)
    document = applied(bench.document, so_far) if so_far else bench.document
    teacher = one.teacher
    if before and so_far:
        bench.watch.step("training a sampler with the pairs so far")
        version = _trained(bench, one, document)
        teacher = own(version)
        bench.watch.told("sampler", f"refreshed: {teacher} writes the rest")
    strategy = Strategy(one.strategy)
    hints = () if before else _hints(bench, one)
    outcome = synthesize(
        document,
        writing.synth_options(strategy, sections, int(one.facts["seed"]), one.ordinal, len(before)),
        Asking(teacher=teacher, judge=_JUDGE),
        bench.database,
        _timed(bench),
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
    outcome = mine(bench.document, options, bench.database, _timed(bench))
    for text in outcome.notes:
        bench.watch.note(text)
    bench.watch.told("mined", str(outcome.funnel))
    plan = writing.renamed(outcome.plan, one.name)
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
        "funnel": writing.funnels(parts),
        "diversity": now.to_json(),
        "synthetic": diversity(writing.synthetic_pairs(applied(bench.document, plan))).to_json(),
        "parts": [],
    }
    refused = None
    if fallen:
        refused = f"what {one.teacher} wrote is not varied enough: {fallen}"
        facts["collapsed"] = fallen
    elif len(plan) == len(_together(one, [], bench.document)):
        refused = "nothing new was left to teach after the filters"
    with bench.database.transaction():
        if refused:
            facts["verdict"] = {"promote": False, "met": [], "reasons": [refused], "contest": None}
            return rounds.advance(bench.database, one, Step.DECIDED, **facts)
        return rounds.advance(bench.database, one, Step.PLANNED, **facts)


def _train(bench: Bench, one: Round) -> Round:
    bench.watch.step(f"training a challenger from the base ({one.facts['added']} new pairs)")
    version = _trained(bench, one, planned(bench.document, one))
    run = bench.store.run_of(version)
    shares = {str(each["source"]): each["share"] for each in run.figures.get("shares", [])}
    bench.watch.told("challenger", f"{version.name}, {run.steps} steps ({run.stop_reason})")
    with bench.database.transaction():
        return rounds.advance(
            bench.database,
            one,
            Step.TRAINED,
            challenger=version.number,
            steps=run.steps,
            shares=shares,
        )


def _trained(bench: Bench, one: Round, document: Document) -> Version:
    back = Strategy(one.strategy) is Strategy.BACKTRANSLATE
    return train_challenger(
        with_settings(document, bench.options, backtranslates=back),
        how(document, bench.options, backtranslates=back),
        bench.store,
        int(one.facts["after"]),
        Bounded(bench.watch.training, bench.clock),
    )


def _examine(bench: Bench, one: Round) -> Round:
    bench.watch.step(f"the exam: {len(bench.exam)} questions that never train")
    assert one.challenger is not None
    papers = {
        "champion": paper_of(bench, one.champion),
        "challenger": paper_of(bench, one.challenger),
    }
    if external(one.teacher):
        papers["teacher"] = sit_teacher(bench.document, bench.exam, one.teacher, bench.store)
    told = {who: paper.to_json() for who, paper in papers.items()}
    bench.watch.told("champion", f"{version_name(one.champion)} {brief(told['champion'])}")
    bench.watch.told("challenger", f"{version_name(one.challenger)} {brief(told['challenger'])}")
    facts: dict[str, Any] = {"exam": told}
    if "teacher" in papers:
        student, teacher = papers["challenger"].spoken.value, papers["teacher"].spoken.value
        facts["surpasses"] = (student or 0.0) > (teacher or 0.0)
        how_much = "surpasses" if facts["surpasses"] else "does not surpass"
        bench.watch.told(
            "teacher",
            f"{one.teacher} {brief(told['teacher'], 'spoken')} without the passage; the challenger "
            f"by its words {brief(told['challenger'], 'spoken')}: it {how_much} its teacher",
        )
    with bench.database.transaction():
        return rounds.advance(bench.database, one, Step.EXAMINED, **facts)


def paper_of(bench: Bench, number: int) -> Paper:
    """The paper of a version, from an earlier round where it sat the same exam there."""
    asked = [(question.text, question.reference) for question in bench.exam]
    for one in rounds.rounds(bench.database):
        for who, version in (("champion", one.champion), ("challenger", one.challenger)):
            if version == number and "exam" in one.facts:
                paper = Paper.from_json(one.facts["exam"][who])
                if [(each.question, each.reference) for each in paper.answers] == asked:
                    return paper
    chosen = bench.store.version(version_name(number))
    return sit(bench.document, bench.exam, chosen, bench.store)


def _decide(bench: Bench, one: Round) -> Round:
    assert one.challenger is not None
    exam = one.facts["exam"]
    document = planned(bench.document, one)
    sides = [
        Side(
            text,
            Paper.from_json(exam[who]),
            card_of(bench.store, bench.store.version(version_name(number)), text),
        )
        for who, number, text in (
            ("champion", one.champion, bench.document),
            ("challenger", one.challenger, document),
        )
    ]
    verdict = judge(
        *sides,
        threshold=bench.options.improvement_threshold,
        steps=int(one.facts["steps"]),
        min_steps=bench.options.min_steps,
    )
    for text in verdict.met:
        bench.watch.told("holds", text)
    for text in verdict.reasons:
        bench.watch.told("fails", text)
    with bench.database.transaction():
        return rounds.advance(
            bench.database,
            one,
            Step.DECIDED,
            verdict=verdict.to_json(),
            harmless=verdict.harmless,
        )


def _carry_out_verdict(bench: Bench, one: Round) -> Round:
    """Promote: the document first, then pointer, teacher and round in one transaction."""
    if not one.facts["verdict"]["promote"]:
        with bench.database.transaction():
            return rounds.advance(bench.database, one, Step.REFUSED)
    plan = plan_from_json(one.facts["plan"])
    if unfit := rebase(parse_file(bench.path), plan).refusals:
        reason = f"the document was edited meanwhile: {unfit[0].reason}"
        verdict = {**one.facts["verdict"], "promote": False, "reasons": [reason]}
        with bench.database.transaction():
            return rounds.advance(bench.database, one, Step.REFUSED, verdict=verdict)
    carry_out(bench.database, bench.path, plan)
    bench.checkpoint("document")
    after = parse_file(bench.path)
    assert one.challenger is not None
    version = bench.store.version(version_name(one.challenger))
    contest = one.facts["verdict"]["contest"]
    overall = one.facts["exam"]["challenger"]["overall"]

    def also(database: Database) -> None:
        enrol(
            database,
            after,
            own(version),
            current=version,
            score=(overall["value"], overall["n"]),
            why=f"promoted: {contest['difference']['value']:+.3f} overall, p = {contest['p']:.2g}",
            round=one.name,
        )
        rounds.advance(database, one, Step.PROMOTED)

    bench.store.set_current(version, why=f"improve {one.name}", also=also)
    return next(each for each in rounds.rounds(bench.database) if each.id == one.id)


def _together(one: Round, parts: Sequence[Mapping[str, Any]], document: Document) -> EditPlan:
    """The plans of all parts, and what the round before handed on, as one run."""
    given = [one.facts["handed_on"]] if one.facts.get("handed_on") else []
    plans = [plan_from_json(each) for each in (*given, *(part["plan"] for part in parts))]
    additions = {each.id: each for plan in plans for each in plan.additions}
    return EditPlan(
        one.name,
        Origin.SYNTHESIZED,
        one.teacher,
        one.started_at,
        document.sha256,
        tuple(additions.values()),
    )


def _hints(bench: Bench, one: Round) -> tuple[Any, ...]:
    if Strategy(one.strategy) is Strategy.BACKTRANSLATE:
        return ()
    champion = bench.store.version(version_name(one.champion))
    return writing.hints(bench.document, card_of(bench.store, champion, bench.document))


def _timed(bench: Bench) -> Callable[[str, int, int], None]:
    def progress(what: str, done: int, of: int) -> None:
        bench.watch.asking(what, done, of)
        bench.clock.check()

    return progress


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
