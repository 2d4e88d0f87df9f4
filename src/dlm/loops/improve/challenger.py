"""Trains one version from the base on a document that nobody wrote yet, as a candidate.

A run that was killed is found again: as a version if it was committed, else by its checkpoint.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Final

from dlm.doc.document import Document
from dlm.errors import CorruptStore, Interrupted, TrainingError
from dlm.loops.improve.options import ImproveOptions
from dlm.store.records import Version
from dlm.store.store import Store
from dlm.train.checkpoint import read_checkpoint
from dlm.train.options import TrainOptions
from dlm.train.progress import Progress
from dlm.train.run import train

_BACK_RANK: Final = 32
_BACK_EPOCHS: Final = 12


def with_settings(document: Document, options: ImproveOptions, *, backtranslates: bool) -> Document:
    """The document as a round trains it: its anchor, and the rank where the owner chose none."""
    training = document.frontmatter.training
    changes: dict[str, object] = {"real_share": options.real_share}
    if backtranslates and "lora_r" not in training.model_fields_set:
        scale = training.lora_alpha / training.lora_r
        changes |= {"lora_r": _BACK_RANK, "lora_alpha": round(scale * _BACK_RANK)}
    settled = training.model_copy(update=changes)
    frontmatter = document.frontmatter.model_copy(update={"training": settled})
    return replace(document, frontmatter=frontmatter)


def how(document: Document, options: ImproveOptions, *, backtranslates: bool) -> TrainOptions:
    """From the base, as a candidate. Backtranslation has a fixed end for its rate to decay to."""
    free = document.frontmatter.training.num_epochs == "auto"
    return TrainOptions(
        fresh=True,
        candidate=True,
        seed=options.seed,
        max_steps=options.max_steps,
        epochs=_BACK_EPOCHS if backtranslates and free else None,
    )


def train_challenger(
    document: Document, options: TrainOptions, store: Store, after: int, progress: Progress
) -> Version:
    """The candidate of this document; `after` is the newest version when its round began."""
    return _found(document, store, after) or _trained(document, options, progress, store)


def train_champion(
    document: Document, options: TrainOptions, store: Store, progress: Progress
) -> Version:
    """The current version, trained on what the document says now where it is not."""
    return _trained(document, options, progress, store)


def _found(document: Document, store: Store, after: int) -> Version | None:
    """The candidate that an earlier process committed before it could note that.

    With triples the first version of a training need not be its last; it is then trained again.
    """
    if any(section.triples for section in document.sections):
        return None
    for version in store.versions():
        run = store.run_of(version)
        same = run.document_sha256 == document.sha256 and run.mode == "fresh"
        if version.number > after and same:
            return version
    return None


def _trained(
    document: Document, options: TrainOptions, progress: Progress, store: Store
) -> Version:
    report = None
    if _interrupted(document, options, store):
        try:
            report = train(document, options, progress, resume=True)
        except Interrupted:
            raise
        except (TrainingError, CorruptStore) as error:
            progress.note(f"{error.message}; the training starts over")
    report = report or train(document, options, progress)
    return report.version


def _interrupted(document: Document, options: TrainOptions, store: Store) -> bool:
    """Whether the checkpoint in the store is of this training."""
    try:
        kept = read_checkpoint(store.path.checkpoint)
    except CorruptStore:
        return False
    if kept is None or kept.identity.document != document.sha256:
        return False
    return dict(kept.identity.options) == asdict(options)
