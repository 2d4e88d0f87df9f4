"""Training. The package is a function too: `from dlm import train`, then `train(document)`."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dlm.doc.document import Document
    from dlm.store.records import Version
    from dlm.train.options import Progress


class _Train(ModuleType):
    def __call__(
        self,
        document: Document,
        *,
        fresh: bool = False,
        max_steps: int | None = None,
        seed: int | None = None,
        progress: Progress | None = None,
    ) -> Version:
        """Train on the document until it is learned; returns the version that is current then.

        That is the one before where it knows all that the document says. `fresh` starts from the
        base, `max_steps` bounds the optimiser steps of each phase, `seed` overrides the
        frontmatter's. `progress` is told what happens; nothing is printed. Raises DlmError before
        anything is changed.
        """
        from dlm.train.options import Progress, TrainOptions
        from dlm.train.run import train

        options = TrainOptions(fresh=fresh, max_steps=max_steps, seed=seed)
        return train(document, options, progress or Progress()).version


# A function of this name would be hidden by the package as soon as that is imported.
sys.modules[__name__].__class__ = _Train
