"""One call of `train`, and what stays in memory between the trainings of one process.

The adapter in memory is the version that was last committed from it. Whenever that is not the one
to go on from, or a training did not end, everything is loaded from the disk again.
"""

from __future__ import annotations

import gc
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

from dlm.doc.document import Document
from dlm.engine.model import Model
from dlm.eval.measure import Evaluator
from dlm.store.records import Version
from dlm.store.store import Store
from dlm.train.base import BaseCache, Setup
from dlm.train.checkpoint import Checkpoint
from dlm.train.lock_file import LockMode
from dlm.train.options import Progress, TrainOptions
from dlm.train.ranks import Crew
from dlm.train.recorder import Board, Recorder
from dlm.train.trainer import RowTrainer


@dataclass(frozen=True, slots=True)
class Bench:
    """A loaded model with what is needed to train and to measure it."""

    model: Model
    trainer: RowTrainer
    evaluator: Evaluator


class Workshop:
    """A context manager; leaving it frees the trainer's folder.

    With `stays`, for a process that trains again and again, what is loaded is set aside from
    garbage collection: each training ends with one, which would look through all of torch. A
    `crew` are the other processes that train along.
    """

    def __init__(self, *, stays: bool = False, crew: Crew | None = None) -> None:
        self._stays = stays
        self._crew = crew
        self.base_cache = BaseCache()
        self.loads = 0  # how often a model was loaded
        self._bench: Bench | None = None
        self._frozen = False
        self._made_for: tuple[Any, ...] = ()
        self._holds: str | None = None  # the digest of the version that is in memory

    def set_up(self, plan: Setup, previous: Version | None, load: Callable[[], Model]) -> Bench:
        """The bench for a run that goes on from `previous`; `load` is called when it must be.

        Until `committed`, what is in memory counts as no version.
        """
        made_for = (plan.base_folder, plan.base_fingerprint, plan.hardware)
        wanted = previous.sha256 if previous else None
        usable = wanted is not None and wanted == self._holds and made_for == self._made_for
        self._holds = None
        if self._bench is None or not usable:
            self.close()
            self._bench = self._loaded(plan, load)
            self._made_for = made_for
            self.loads += 1
        return self._bench

    def _loaded(self, plan: Setup, load: Callable[[], Model]) -> Bench:
        crew = self._crew
        if crew is not None:
            crew.load(plan)
        model = load()
        if crew is not None:
            crew.adapt(model.network)
        trainer = RowTrainer(model, pad_id=plan.codec.pad_id, line=crew.line if crew else None)
        if crew is not None and crew.line.here.sharded:
            trainer.spread()
        return Bench(model, trainer, Evaluator(model, plan.codec))

    def holds(self, version: Version) -> bool:
        """Whether the adapter in memory is this version."""
        return self._holds == version.sha256

    def committed(self, version: Version) -> None:
        """The adapter in memory was committed as `version`, or was loaded from it."""
        self._holds = version.sha256
        if self._stays and not self._frozen:
            gc.collect()
            gc.freeze()
            self._frozen = True

    def close(self) -> None:
        """Let go of the model."""
        if self._bench is not None:
            self._bench.trainer.close()
        self._bench, self._holds = None, None
        if self._frozen:
            gc.unfreeze()
            self._frozen = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def load_version(plan: Setup, store: Store, version: Version) -> Model:
    """A version as it lies on the disk, to be trained on; CorruptStore when it is damaged."""
    store.verify(version)
    return Model.load(plan.base_folder, plan.hardware, adapter=version.path, trainable=True)


@dataclass(frozen=True, slots=True)
class Session:
    """`kept` is the interrupted run to go on with, of whichever phase."""

    document: Document
    options: TrainOptions
    store: Store
    progress: Progress
    lock: LockMode
    board: Board | None
    workshop: Workshop
    kept: Checkpoint | None

    @property
    def name(self) -> str:
        return str(self.document.path or "document")

    def recorder(self, mode: str) -> Recorder:
        """What a phase is recorded with; it goes on where an interrupted one ended."""
        return Recorder(
            self.store.database,
            mode=mode,
            base_key=self.document.frontmatter.base_model,
            document_path=self.name,
            started=self.kept.course.started if self.kept else None,
            board=self.board,
            say=self.progress.note,
        )
