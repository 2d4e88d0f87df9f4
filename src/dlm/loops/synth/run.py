"""One synthesis, from a document to an edit plan: ask, read, filter, plan."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final

from dlm.data.completion import Refused
from dlm.doc.document import Document
from dlm.doc.provenance import Origin
from dlm.engine.resident import Resident
from dlm.errors import DlmError, TeacherError
from dlm.loops.edits import EditPlan
from dlm.loops.judges import Judge, open_judge
from dlm.loops.proposals import Proposer, run_id
from dlm.loops.synth import SynthOptions
from dlm.loops.synth.backtranslate import back_asks, backtranslated
from dlm.loops.synth.candidates import Candidate, Funnel
from dlm.loops.synth.filters import Bench, run_filters
from dlm.loops.synth.generate import Ask, Written, plan_asks, read
from dlm.loops.synth.passages import Source
from dlm.loops.synth.provenance import addition_of, keep_run
from dlm.loops.teachers import Cached, Counts, Estimate, LocalTeacher, estimate, open_teacher
from dlm.store.database import Database

_STRENGTH: Final = 0.35  # of the adapter when it writes: one trained to answer forgets how to ask
_TOGETHER: Final = 32  # requests of a commission that are asked and kept as one
_SMALL: Final = 300_000_000  # weights up to which a teacher reads one sentence at a time

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and of how much."""


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
    progress: Progress = lambda what, done, of: None,
    commission: Commission | None = None,
) -> Outcome:
    """Ask the teacher for candidates, filter them, and plan those that are kept.

    What a teacher gave before it failed is kept and used. Raises TeacherError when it gave nothing,
    and UsageError, BaseModelError or JudgeError.
    """
    with _opened(document, options, asking, database, commission) as session:
        answers, gave_up = _answers(session, progress)
        progress("filtering", 0, 0)
        written, candidates = session.filtered(answers)
    funnel = Funnel.of(candidates, len(written.unparsed))
    proposer = Proposer(
        commission.run
        if commission
        else run_id("synth", document, session.cached.identity, (options, asking.judge)),
        Origin.SYNTHESIZED,
        session.cached.name,
        commission.at if commission else datetime.now(UTC).replace(microsecond=0),
    )
    kept = [addition_of(one, proposer, asking.judge) for one in candidates if not one.dropped]
    plan = proposer.plan(document, kept, **_note(funnel, session, options, written))
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

    document: Document
    options: SynthOptions
    cached: Cached
    bench: Bench
    asks: list[Ask]
    notes: list[str] = field(default_factory=list)

    def filtered(self, answers: Sequence[Sequence[str]]) -> tuple[Written, list[Candidate]]:
        """What was written, and every candidate with what became of it."""
        written = read(self.asks, answers, keep_reasoning=self.options.keep_reasoning)
        written.refused += [found.reason for found in answers if isinstance(found, Refused)]
        if self.options.backtranslates:
            kept = backtranslated(written.candidates, self.document, self.options, self.bench)
        else:
            kept = run_filters(written.candidates, self.document, self.options, self.bench)
        return written, kept


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
        bench = Bench(resident, cache(lambda: _judge(asking.judge, resident)))
        session = _Session(document, options, cached, bench, [])
        if options.backtranslates:
            session.asks, skipped = back_asks(document, options, resident.codec)
            session.notes += skipped
        else:
            narrow = isinstance(teacher, LocalTeacher) and _is_small(teacher)
            hints = commission.hints if commission else ()
            session.asks = plan_asks(document, options, resident.codec, narrow=narrow, hints=hints)
        yield session


def _judge(spec: str, resident: Resident) -> Judge:
    return open_judge(spec, resident)


def _is_small(teacher: LocalTeacher) -> bool:
    return 0 < teacher.resident.base.params <= _SMALL


def _answers(
    session: _Session, progress: Progress
) -> tuple[list[Sequence[str]], TeacherError | None]:
    """The completions of every request, none where there was no answer."""
    answers: list[Sequence[str]] = [()] * len(session.asks)
    count = 0

    def done(index: int, texts: Sequence[str]) -> None:
        nonlocal count
        count += 1
        answers[index] = texts
        progress(f"asking {session.cached.name}", count, len(session.asks))

    try:
        session.cached.complete([ask.request for ask in session.asks], done)
        session.cached.check()
    except TeacherError as error:
        if not any(answers):
            raise
        return answers, error
    return answers, None


def _note(
    funnel: Funnel, session: _Session, options: SynthOptions, written: Written
) -> dict[str, Any]:
    note: dict[str, Any] = {
        "funnel": funnel.to_json(),
        "strategy": options.strategy.value,
        "filter": options.filter.value,
        "calls": session.cached.counts.to_json(),
    }
    if written.reasoning:
        note["reasoning"] = written.reasoning
    return note
