"""One training: its phases, from a document to committed adapter versions.

`ResidentTrainer` stays in memory: the first training is the usual one, those that follow find
everything there.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from typing import Self

from dlm.data.rows import sequence_length
from dlm.doc.document import Document
from dlm.errors import TrainingError
from dlm.sources.reading import read_sources
from dlm.store.records import Version
from dlm.store.store import Store
from dlm.train.checkpoint import Checkpoint
from dlm.train.figures import Standing
from dlm.train.lock_file import LockMode
from dlm.train.options import Progress, TrainOptions
from dlm.train.plan import make_plan
from dlm.train.preference import train_preference
from dlm.train.ranks import leading
from dlm.train.recorder import Board
from dlm.train.report import Refusal, TrainingReport
from dlm.train.resume import finished_run, interrupted, interrupted_run
from dlm.train.session import Session, Workshop, load_version
from dlm.train.sft import train_sft
from dlm.train.start import NothingToTrain, check_triples, prepare_preference


def train(
    document: Document,
    options: TrainOptions,
    progress: Progress,
    *,
    resume: bool = False,
    lock: LockMode = LockMode.WARN,
    board: Board | None = None,
    workshop: Workshop | None = None,
) -> TrainingReport | NothingToTrain:
    """Train on `document` and commit new versions, unless the current one knows all of it.

    Prose and pairs come first; then, from the version that knows them, triples. Each phase commits
    a version of its own, the second only if it cost nothing. With `resume`, go on with the run that
    was interrupted. `workshop` is what a process that trains again and again keeps in memory. What
    is measured goes into the store as it comes, and to `board` too. Where torchrun or accelerate
    started several processes, this is the first of them, and the others `follow`. Raises DlmError
    before anything is changed, or Interrupted while it is planned or at a step boundary.
    """
    frontmatter = document.frontmatter
    name = str(document.path or "document")
    if not options.allow_secrets:
        read_sources(document).refuse_secrets()
    with (
        Store.open(frontmatter.dlm_id, base_model=frontmatter.base_model) as store,
        store.lock(f"training {name}"),
        leading() as crew,
        Workshop(crew=crew) if workshop is None else nullcontext(workshop) as place,
    ):
        place.base_cache.tell = progress.working
        before = store.current()
        session = Session(document, options, store, progress, lock, board, place, None)
        try:
            return _train(session, resume=resume)
        except KeyboardInterrupt:
            what = "before the first step: nothing was changed"
            what = what if store.current() == before else "at once"
            raise interrupted(store, name, f"stopped {what}") from None
        finally:
            progress.done()


def _train(session: Session, *, resume: bool) -> TrainingReport | NothingToTrain:
    """Go through the phases."""
    document, options, store = session.document, session.options, session.store
    report: TrainingReport | NothingToTrain | None = None
    kept = ended = None
    if resume and (finished := finished_run(document, store)):
        version, ended, options = finished
        session.progress.note(f"the interrupted run was finished: it is {version.name}")
        report = NothingToTrain(version)
    elif resume:
        kept, options = interrupted_run(document, options, store)
    session = replace(session, options=options, kept=kept)
    phases = _phases(options, kept, ended)
    if "preference" in phases:
        check_triples(document, options, session.workshop.base_cache)
    if "sft" in phases:
        report = train_sft(session)
        session = replace(session, kept=None)
    if "preference" in phases:
        return _preference(session, report)
    assert report is not None
    return report


def _phases(options: TrainOptions, kept: Checkpoint | None, ended: str | None) -> tuple[str, ...]:
    """Those to go through: from the one that was interrupted on, or what follows one that ended."""
    only_pairs = options.phase == "sft" or options.quick
    wanted = tuple(
        phase
        for phase, left_out in (("sft", options.phase == "preference"), ("preference", only_pairs))
        if not left_out
    )
    if ended is not None:
        return wanted[1:] if ended == wanted[0] else ()
    return wanted[wanted.index(kept.identity.phase) :] if kept else wanted


def _preference(
    session: Session, report: TrainingReport | NothingToTrain | None
) -> TrainingReport | NothingToTrain:
    """The second phase, after what the first one came to, if there was one."""
    previous = report.version if report else _version_to_sharpen(session)
    plan = prepare_preference(
        session.document,
        session.options,
        session.store,
        previous,
        session.workshop.base_cache,
        hardware=session.kept.hardware if session.kept else None,
    )
    if plan is None:
        return report or NothingToTrain(previous)
    done = train_preference(session, plan, previous)
    if isinstance(done, Refusal):
        return replace(report or NothingToTrain(previous), refused=done)
    if isinstance(done, Standing):
        return replace(report or NothingToTrain(previous), preferred=done)
    return replace(done, earlier=report) if isinstance(report, TrainingReport) else done


def _version_to_sharpen(session: Session) -> Version:
    """The version that a preference phase on its own goes on from; raises TrainingError."""
    kept, versions = session.kept, session.store.versions()
    if kept is not None:  # which may be a candidate
        return next(one for one in versions if one.sha256 == kept.identity.previous)
    current = session.store.current()
    if current is None:
        raise TrainingError(
            f"there is no version of {session.name} yet whose answers could be compared",
            hint=f"train its prose and pairs first: dlm train {session.name}",
        )
    return current


class ResidentTrainer:
    """A context manager around a workshop. `resume` and `lock` are for the first training."""

    def __init__(self, *, resume: bool = False, lock: LockMode = LockMode.WARN) -> None:
        self.workshop = Workshop(stays=True)
        self._resume, self._lock = resume, lock

    def train(
        self, document: Document, options: TrainOptions, progress: Progress
    ) -> TrainingReport | NothingToTrain:
        """As `train.run.train`, with what is in memory."""
        resume, self._resume = self._resume, False
        return train(
            document, options, progress, resume=resume, lock=self._lock, workshop=self.workshop
        )

    def warm_up(self, document: Document) -> None:
        """Load the current version, so that the first cycle does not have to."""
        from trl import SFTTrainer  # noqa: F401 - seconds of imports that the first cycle is spared

        frontmatter = document.frontmatter
        with Store.open(frontmatter.dlm_id, base_model=frontmatter.base_model) as store:
            current = store.current()
            if current is None or self.workshop.holds(current):
                return
            tools = self.workshop.base_cache.of(document)
            plan = make_plan(document, TrainOptions(max_steps=1, epochs=1), tools=tools)
            self.workshop.set_up(plan, current, lambda: load_version(plan, store, current))
            self.workshop.committed(current)

    def fits(self, document: Document) -> Callable[[str, str], str | None]:
        """Says of a pair why it cannot be trained; None when it can."""
        codec = self.workshop.base_cache.of(document).codec
        limit = sequence_length(document.frontmatter.training, codec.context_length)

        def reason(question: str, answer: str) -> str | None:
            tokens = len(codec.pair(question, answer).ids)
            return None if tokens <= limit else f"it takes {tokens} tokens, of {limit} at most"

        return reason

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.workshop.close()
