"""Who teaches the next round: the current version, or another's model until it is surpassed."""

from __future__ import annotations

from collections.abc import Sequence

from dlm.eval.figures import Figure
from dlm.loops.improve.bench import Bench, external
from dlm.loops.improve.examining import sit_base, sit_teacher
from dlm.loops.improve.history import enrol, own
from dlm.store import teachers
from dlm.store.records import Version
from dlm.store.rounds import Round, Step


def serve(bench: Bench, champion: Version, done: Sequence[Round]) -> str:
    """Who writes the next round, noted in the history; returns how it is named."""
    database = bench.database
    first = teachers.serving(database) is None
    base = sit_base(bench.document, bench.exam).overall if first else None
    spec = _wanted(bench, champion, done)
    known = {one.spec: one.number for one in teachers.teachers(database)}
    serving = teachers.serving(database)
    if serving is not None and serving.spec == spec:
        return spec
    score = None if spec in known or spec == "base" else _score(bench, champion, spec)
    with database.transaction():
        if base is not None:
            why = "the base is always there"
            _enrol(bench, champion, "base", base, why)
        if score is not None:
            why = "the current version" if spec == own(champion) else "named as teacher"
            _enrol(bench, champion, spec, score, why)
        elif not first:
            teachers.serve(database, known[spec])
    bench.checkpoint("teacher")
    return spec


def _wanted(bench: Bench, champion: Version, done: Sequence[Round]) -> str:
    """Another's model teaches until a student of this run was promoted that surpasses it."""
    wanted, serving = bench.options.teacher, teachers.serving(bench.database)
    if wanted is None and serving is not None and not serving.spec.startswith("self"):
        wanted = serving.spec
    if wanted is None or wanted == "self":
        return own(champion)
    surpassed = any(one.step is Step.PROMOTED and one.facts.get("surpasses") for one in done)
    return own(champion) if surpassed else wanted


def _score(bench: Bench, champion: Version, spec: str) -> Figure:
    if spec == own(champion):
        return bench.paper_of(champion.number).overall
    if external(spec):
        return sit_teacher(bench.document, bench.exam, spec, bench.store).spoken
    name = spec.partition(":")[2]
    return bench.paper_of(bench.store.version(name).number).overall


def _enrol(bench: Bench, champion: Version, spec: str, score: Figure, why: str) -> None:
    enrol(
        bench.database,
        bench.document,
        spec,
        current=champion,
        score=(score.value, score.n),
        why=why,
    )
