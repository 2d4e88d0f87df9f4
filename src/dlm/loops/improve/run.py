"""A run of `dlm improve`: one round after the other, until they are done or help no more."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from dlm.doc.document import Document
from dlm.doc.parser import parse_file
from dlm.errors import DlmError, Interrupted
from dlm.eval.comparison import kept
from dlm.loops.edits import plan_to_json
from dlm.loops.improve import writing
from dlm.loops.improve.context import Context, alone, exam_of
from dlm.loops.improve.options import (
    Clock,
    ImproveOptions,
    ImproveProgress,
    TimeIsUp,
    is_external,
    round_name,
)
from dlm.loops.improve.round import go_on
from dlm.loops.improve.teachers import choose_teacher
from dlm.loops.synth.passages import sources
from dlm.loops.teachers import open_teacher
from dlm.store import improving
from dlm.store.improving import ImproveRun, Round, Step, TeacherRecord
from dlm.store.records import Version
from dlm.store.store import Store, open_store
from dlm.train.options import TrainOptions

_REFUSALS: Final = 2  # in a row that end a run


@dataclass(frozen=True, slots=True)
class Improved:
    """What a run came to. It is not `ended` when its time was over: the next one goes on."""

    outcome: str
    ended: bool
    rounds: tuple[Round, ...]
    current: str
    teacher: TeacherRecord | None

    @property
    def promoted(self) -> tuple[Round, ...]:
        return tuple(one for one in self.rounds if one.step is Step.PROMOTED)


@dataclass(frozen=True, slots=True)
class Preview:
    """The next round, and whether it would go on with an interrupted run."""

    name: str
    teacher: str
    strategy: str
    sections: int
    prose_sections: int
    hints: int
    questions: int
    current: str | None
    interrupted: bool

    def to_json(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}

    def rows(self) -> Iterator[tuple[str, str]]:
        if self.interrupted:
            yield "first", "goes on with the run that was interrupted"
        trained = self.current or "none yet; the document is trained first"
        yield "champion", trained
        yield "round", f"{self.name}: {self.teacher} teaches by {self.strategy}"
        yield "asks about", f"{self.sections} of {self.prose_sections} prose sections"
        if self.hints:
            yield "hints", f"{self.hints} pairs that {self.current} gets wrong, with their answers"
        yield "exam", f"{self.questions} questions that never train"


def improve(
    path: Path,
    options: ImproveOptions,
    progress: ImproveProgress | None = None,
    *,
    resume: bool = True,
    checkpoint: Callable[[str], None] = lambda step: None,
) -> Improved:
    """Go on with the run that was interrupted, or begin one.

    With `resume` an interrupted run keeps its own options, otherwise one with other options
    than these is given up. `checkpoint` is called with the name of each durable step. Raises
    DlmError before anything is changed, or Interrupted; what was done until then is kept.
    """
    progress = progress or ImproveProgress()
    document = parse_file(path)
    exam = exam_of(document, options.benchmark_samples)
    if options.teacher is not None and is_external(options.teacher):
        with open_teacher(options.teacher, document):
            pass  # one that does not exist should not cost a training first
    with alone(document, "improve") as store:
        run = _run_to_do(store, options, progress, resume=resume)
        options = replace(ImproveOptions.from_json(run.options), max_minutes=options.max_minutes)
        clock = Clock(options.max_minutes)
        context = Context(path, document, options, store, exam, progress, clock, checkpoint)
        try:
            outcome, ended = _all_rounds(context, run.id), True
        except TimeIsUp as error:
            outcome, ended = error.message, False
        except Interrupted:
            if not clock.over:
                raise
            outcome, ended = f"the {options.max_minutes:g} minutes are over", False
        except DlmError as error:
            if not improving.rounds(store.database, run.id):  # nothing to go on with
                with store.database.transaction():
                    improving.end_run(store.database, run.id, f"failed: {error.message}")
            raise
        current = store.current()
        return Improved(
            outcome,
            ended,
            improving.rounds(store.database, run.id),
            current.name if current else "none",
            improving.serving(store.database),
        )


def preview(document: Document, options: ImproveOptions) -> Preview:
    """The next round of a document; TrainingError when it has no exam."""
    questions = exam_of(document, options.benchmark_samples)
    with open_store(document) as store:
        current, serving = store.current(), improving.serving(store.database)
        card = kept(store, current, document.sha256) if current else None
        ordinal = len(improving.rounds(store.database)) + 1
        interrupted = improving.open_run(store.database) is not None
    prose = [source.id for source in sources(document)]
    return Preview(
        name=round_name(document.frontmatter.dlm_id, ordinal),
        teacher=options.teacher or (serving.spec if serving else "self"),
        strategy=options.strategy_of(1).value,
        sections=len(writing.focus(document, card, ordinal)) if card else len(prose),
        prose_sections=len(prose),
        hints=len(writing.hints(document, card)) if card else 0,
        questions=len(questions),
        current=current.name if current else None,
        interrupted=interrupted,
    )


def _run_to_do(
    store: Store, options: ImproveOptions, progress: ImproveProgress, *, resume: bool
) -> ImproveRun:
    unfinished = improving.open_run(store.database)
    if unfinished is not None:
        before = replace(ImproveOptions.from_json(unfinished.options), max_minutes=None)
        if resume or before == replace(options, max_minutes=None):
            progress.note(f"going on with the run that began at {unfinished.started_at:%H:%M}")
            return unfinished
        progress.note("an unfinished run with other options is given up")
        with store.database.transaction():
            for one in improving.rounds(store.database, unfinished.id):
                if not one.step.ends:
                    improving.advance(store.database, one, Step.ABANDONED, reasons=["given up"])
            improving.end_run(store.database, unfinished.id, "given up for other options")
    with store.database.transaction():
        return improving.begin_run(store.database, options.to_json())


def _all_rounds(context: Context, run: int) -> str:
    """All rounds of a run that are left; returns why the run is over."""
    while True:
        done = improving.rounds(context.database, run)
        one = next((each for each in done if not each.step.ends), None)
        counted = [each for each in done if each.step is not Step.ABANDONED]
        if one is None:
            if (reason := _why_over(counted, context.options.rounds)) is not None:
                with context.database.transaction():
                    improving.end_run(context.database, run, reason)
                return reason
            context.clock.check()
            one = _begin(context.on(parse_file(context.path)), run, done, counted)
        if (document := _document_of(context, one)) is None:
            continue
        rounds = context.options.rounds
        context.progress.round(one.name, one.number, rounds, one.teacher, one.strategy)
        one = go_on(context.on(document), one)
        context.progress.ended(one)
        with context.store.lock("improve"):
            context.store.prune(context.options.keep_last_n)
        context.checkpoint("pruned")


def _why_over(counted: Sequence[Round], most: int) -> str | None:
    if counted and (fallen := counted[-1].facts.get("collapsed")):
        return f"stopped: {fallen}"
    last = counted[-_REFUSALS:]
    if len(last) == _REFUSALS and all(one.step is Step.REFUSED for one in last):
        return f"{_REFUSALS} challengers in a row were refused"
    if len(counted) >= most:
        return f"{len(counted)} round{'s' if len(counted) != 1 else ''} done"
    return None


def _begin(context: Context, run: int, done: Sequence[Round], counted: Sequence[Round]) -> Round:
    """Open the next round on the document as it is, with the version that knows it."""
    document, options, database = context.document, context.options, context.database
    champion = _champion(context)
    teacher = choose_teacher(context, champion, done)
    ordinal = len(improving.rounds(database)) + 1
    card = context.card_of(champion.number, document)
    seed = document.frontmatter.training.seed if options.seed is None else options.seed
    name = round_name(document.frontmatter.dlm_id, ordinal)
    given = writing.handed_on(document, counted, name)
    facts = {
        "handed_on": plan_to_json(given) if given else None,
        "sections": writing.focus(document, card, ordinal),
        "seed": seed + ordinal,
        "after": context.store.versions()[-1].number,
    }
    with database.transaction():
        one = improving.begin_round(
            database,
            run,
            name=name,
            teacher=teacher,
            strategy=options.strategy_of(len(counted) + 1).value,
            document_sha256=document.sha256,
            champion=champion.number,
            facts=facts,
        )
    context.checkpoint("opened")
    return one


def _champion(context: Context) -> Version:
    """The current version, once it was taught what the document says."""
    context.progress.step("the champion: the current version, taught what the document says now")
    store = context.store
    chosen = context.options
    options = TrainOptions(
        seed=chosen.seed, max_steps=chosen.max_steps, allow_secrets=chosen.allow_secrets
    )
    if (current := store.current()) is not None:
        if store.run_of(current).document_sha256 == context.document.sha256:
            return current
        options = TrainOptions(allow_secrets=chosen.allow_secrets)
    context.train(context.document, options)
    champion = store.current()
    assert champion is not None
    context.checkpoint("champion")
    return champion


def _document_of(context: Context, one: Round) -> Document | None:
    """The document of an open round; None, and the round is over, where it is another now."""
    document, current = parse_file(context.path), context.store.current()
    if current is None or current.number != one.champion:
        changed = "another version became current"
    elif one.step is not Step.DECIDED and document.sha256 != one.document_sha256:
        changed = "the document was edited"
    else:
        return document
    context.progress.note(f"round {one.name} is given up: {changed} since it began")
    context.advance(one, Step.ABANDONED, reasons=[changed])
    return None
