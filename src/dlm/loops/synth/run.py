"""One synthesis, from a document to an edit plan: ask, read, filter, plan."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final

from dlm.data.completion import Refused
from dlm.doc.document import Document
from dlm.doc.provenance import Origin
from dlm.engine.resident import Resident
from dlm.errors import DlmError
from dlm.loops.edits import EditPlan
from dlm.loops.judges import open_judge
from dlm.loops.proposals import Funnel, Proposer, run_id
from dlm.loops.synth import SynthOptions
from dlm.loops.synth.backtranslate import back_asks, backtranslated
from dlm.loops.synth.candidates import Candidate, funnel_of
from dlm.loops.synth.filters import Bench, run_filters
from dlm.loops.synth.generate import Ask, Written, plan_asks, read
from dlm.loops.synth.passages import Source
from dlm.loops.synth.provenance import addition_of, keep_run
from dlm.loops.teachers import (
    Cached,
    Counts,
    Estimate,
    LocalTeacher,
    estimate,
    open_teacher,
)
from dlm.store.database import Database
from dlm.working import Tell, untold

_STRENGTH: Final = 0.35  # of the adapter when it writes: one trained to answer forgets how to ask
_TOGETHER: Final = 32  # requests of a commission that are asked and kept as one
_SMALL: Final = 300_000_000  # weights up to which a teacher reads one sentence at a time


@dataclass(frozen=True, slots=True)
class Asking:
    """How the teacher is reached: what it is called, and what it may cost."""

    teacher: str = "self"
    judge: str = "sway"
    thinking: bool = False
    api_key_env: str | None = None
    at_once: int | None = None
    timeout: float | None = None
    max_calls: int | None = None


@dataclass(frozen=True, slots=True)
class Commission:
    """What a loop that lets synthesize asks besides: the same of it gives the same plan again.

    `run` and `at` name the run; `hints` are texts to ask about beyond the prose of the document.
    """

    run: str
    at: datetime
    hints: tuple[Source, ...] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a synthesis gave. `gave_up` is the sentence of a teacher that could not go on."""

    plan: EditPlan
    candidates: tuple[Candidate, ...]
    funnel: Funnel
    counts: Counts
    written: Written
    notes: tuple[str, ...] = ()
    gave_up: DlmError | None = None


def synthesize(
    document: Document,
    options: SynthOptions,
    asking: Asking,
    database: Database,
    tell: Tell = untold,
    commission: Commission | None = None,
) -> Outcome:
    """Ask the teacher for candidates, filter them, and plan those that are kept.

    What a teacher gave before it failed is kept and used. Raises TeacherError when it gave nothing,
    and UsageError, BaseModelError or JudgeError.
    """
    with _opened(document, options, asking, database, commission) as session:
        requests = [ask.request for ask in session.asks]
        answers, gave_up = session.cached.answers(requests, tell)
        written = read(session.asks, answers, keep_reasoning=options.keep_reasoning)
        written.refused += [found.reason for found in answers if isinstance(found, Refused)]
        filters = backtranslated if options.backtranslates else run_filters
        candidates = filters(
            written.candidates, document, options, replace(session.bench, tell=tell)
        )
    funnel = funnel_of(candidates, len(written.unparsed))
    note: dict[str, Any] = {
        "funnel": funnel,
        "strategy": options.strategy.value,
        "filter": options.filter.value,
        "calls": session.cached.counts.to_json(),
    }
    if written.reasoning:
        note["reasoning"] = written.reasoning
    proposer = Proposer(
        commission.run
        if commission
        else run_id("synth", document, session.cached.identity, (options, asking.judge)),
        Origin.SYNTHESIZED,
        session.cached.name,
        commission.at if commission else datetime.now(UTC).replace(microsecond=0),
    )
    kept = [addition_of(one, proposer, asking.judge) for one in candidates if not one.dropped]
    plan = proposer.plan(document, kept, **note)
    keep_run(database, plan, candidates)
    notes = (*session.notes, *dict.fromkeys(written.refused))
    return Outcome(plan, tuple(candidates), funnel, session.cached.counts, written, notes, gave_up)


def estimate_cost(
    document: Document, options: SynthOptions, asking: Asking, database: Database
) -> Estimate:
    """What `synthesize` would ask, without asking it."""
    with _opened(document, options, asking, database) as session:
        return estimate(session.cached, [ask.request for ask in session.asks])


@dataclass(slots=True)
class _Session:
    """An open teacher with the requests for it, and the bench its candidates are measured on."""

    cached: Cached
    bench: Bench
    asks: list[Ask]
    notes: list[str]


@contextlib.contextmanager
def _opened(
    document: Document,
    options: SynthOptions,
    asking: Asking,
    database: Database,
    commission: Commission | None = None,
) -> Iterator[_Session]:
    with contextlib.ExitStack() as stack:
        resident = stack.enter_context(Resident.open(document))
        teacher = stack.enter_context(
            open_teacher(
                asking.teacher,
                document,
                resident=None if asking.thinking else resident,
                thinking=asking.thinking,
                strength=_STRENGTH,
                api_key_env=asking.api_key_env,
                at_once=asking.at_once,
                timeout=asking.timeout,
            )
        )
        local = isinstance(teacher, LocalTeacher)
        together = _TOGETHER if commission and local else None
        cached = Cached(teacher, database, max_calls=asking.max_calls, together=together)
        bench = Bench(resident, cache(lambda: open_judge(asking.judge, resident)))
        notes: list[str] = []
        if options.backtranslates:
            asks, notes = back_asks(document, options, resident.codec)
        else:
            small = isinstance(teacher, LocalTeacher) and 0 < teacher.resident.base.params <= _SMALL
            hints = commission.hints if commission else ()
            asks = plan_asks(document, options, resident.codec, narrow=small, hints=hints)
        yield _Session(cached, bench, asks, notes)
