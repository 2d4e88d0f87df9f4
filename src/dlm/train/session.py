"""One call of `train`: what its phases share, and what each of them records."""

from __future__ import annotations

from dataclasses import dataclass

from dlm.doc.document import Document
from dlm.store.store import Store
from dlm.train.checkpoint import Checkpoint
from dlm.train.lock_file import LockMode
from dlm.train.options import TrainOptions
from dlm.train.progress import Progress
from dlm.train.recorder import Board, Recorder
from dlm.train.workshop import Workshop


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
