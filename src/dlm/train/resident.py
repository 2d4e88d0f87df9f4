"""A trainer that stays: what `dlm train --watch` calls for every cycle.

The first training is the usual one; those that follow find everything in memory.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Self

from dlm.data.rows import sequence_length
from dlm.doc.document import Document
from dlm.store.store import Store
from dlm.train.lock_file import LockMode
from dlm.train.options import TrainOptions
from dlm.train.plan import make_plan
from dlm.train.progress import Progress
from dlm.train.report import TrainingReport
from dlm.train.run import train
from dlm.train.start import NothingToTrain
from dlm.train.workshop import Workshop, load_version


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
            tools = self.workshop.toolbox.of(document)
            plan = make_plan(document, TrainOptions(max_steps=1, epochs=1), tools=tools)
            self.workshop.set_up(plan, current, lambda: load_version(plan, store, current))
            self.workshop.committed(current)

    def fits(self, document: Document) -> Callable[[str, str], str | None]:
        """Says of a pair why it cannot be trained; None when it can."""
        codec = self.workshop.toolbox.of(document).codec
        limit = sequence_length(document.frontmatter.training, codec.context_length)

        def reason(question: str, answer: str) -> str | None:
            tokens = len(codec.pair(question, answer).ids)
            return None if tokens <= limit else f"it takes {tokens} tokens, of {limit} at most"

        return reason

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.workshop.close()
