"""The steps of a round: write, train, examine, decide, and then promote or refuse.

Each takes the round as the store knows it and returns it one step further. One that was killed is
done again and comes to the same end: answers are cached, trainings resumed, candidates found.
"""

from __future__ import annotations

from typing import Any

from dlm.doc.document import Document
from dlm.doc.parser import parse_file
from dlm.eval.exam import Paper
from dlm.eval.gate import Side, judge
from dlm.loops.edits import applied, carry_out, plan_from_json, rebase
from dlm.loops.improve.bench import Bench, external
from dlm.loops.improve.composing import write
from dlm.loops.improve.examining import card_of, sit_teacher
from dlm.loops.improve.history import enrol, own
from dlm.loops.improve.watching import brief
from dlm.store import rounds
from dlm.store.database import Database
from dlm.store.records import version_name
from dlm.store.rounds import Round, Step


def go_on(bench: Bench, one: Round) -> Round:
    """Take a round to its end."""
    steps = {
        Step.OPENED: write,
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


def _train(bench: Bench, one: Round) -> Round:
    bench.watch.step(f"training a challenger from the base, with {one.facts['brings']} more")
    version = bench.trained(one, planned(bench.document, one))
    runs = bench.runs_of(version)
    steps = sum(run.steps for run in runs)
    shares = {str(each["source"]): each["share"] for each in runs[0].figures.get("shares", [])}
    why = "; ".join(run.stop_reason for run in runs)
    bench.watch.told("challenger", f"{version.name}, {steps} steps ({why})")
    with bench.database.transaction():
        return rounds.advance(
            bench.database,
            one,
            Step.TRAINED,
            challenger=version.number,
            steps=steps,
            shares=shares,
        )


def _examine(bench: Bench, one: Round) -> Round:
    bench.watch.step(f"the exam: {len(bench.exam)} questions that never train")
    assert one.challenger is not None
    papers = {
        "champion": bench.paper_of(one.champion),
        "challenger": bench.paper_of(one.challenger),
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
