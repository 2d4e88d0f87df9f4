"""What a training did, as values: for the terminal, JSON, and the record beside the adapter."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from dlm.base_models.cache import commit_of
from dlm.data.examples import Example
from dlm.engine.model import Score
from dlm.store.records import RunRecord, Version, run_name
from dlm.train.ask import Asked
from dlm.train.budget import EpochFigures
from dlm.train.environment import versions
from dlm.train.plan import TrainingPlan
from dlm.train.preview import shares


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was measured. Losses and drift are nats per token; `scores` are of the training pairs.

    `prose_nll` is measured on the prose that was trained on, `drift` on texts that never are.
    """

    scores: tuple[Score, ...]
    missed: tuple[Example, ...]
    answer_nll: float | None
    prose_nll: float | None
    base_prose_nll: float | None
    drift: float
    drift_texts: int
    asked: tuple[Asked, ...]
    losses: tuple[float, ...]
    epochs: tuple[EpochFigures, ...]
    steps: int
    seconds: float
    stop_reason: str

    @property
    def pairs(self) -> int:
        return len(self.scores)

    @property
    def learned(self) -> int:
        """Answers that greedy decoding gives word for word."""
        return self.pairs - len(self.missed)

    def figures(self) -> dict[str, Any]:
        """Everything that is a number or a short text, for JSON."""
        return {
            "learned": self.learned,
            "pairs": self.pairs,
            "answer_nll": self.answer_nll,
            "prose_nll": self.prose_nll,
            "base_prose_nll": self.base_prose_nll,
            "drift": self.drift,
            "drift_texts": self.drift_texts,
            "epochs": len(self.epochs),
            "asked": [asdict(item) for item in self.asked],
            "missed": [{"line": item.line, "question": item.question} for item in self.missed],
        }


@dataclass(frozen=True, slots=True)
class TrainingReport:
    """The committed version, the one before it, and what was measured."""

    version: Version
    previous: Version | None
    outcome: Outcome

    def to_json(self) -> dict[str, Any]:
        """The facts that `dlm train --json` prints."""
        return {
            "version": self.version.name,
            "previous": self.previous.name if self.previous else None,
            "path": str(self.version.path),
            **self.outcome.figures(),
            "steps": self.outcome.steps,
            "seconds": round(self.outcome.seconds, 2),
            "stop_reason": self.outcome.stop_reason,
        }


def run_record(
    plan: TrainingPlan, outcome: Outcome, started: datetime, previous: Version | None
) -> RunRecord:
    """The record that is kept with the version."""
    config = plan.document.frontmatter.training.model_dump(mode="json")
    by_epoch = [
        {"epoch": e.epoch, "learned": e.learned, "answer_nll": e.answer_nll, "drift": e.drift}
        for e in outcome.epochs
    ]
    return RunRecord(
        run_id=run_name(started),
        started_at=started,
        ended_at=datetime.now(UTC),
        base_key=plan.base.key,
        base_fingerprint=plan.base_fingerprint,
        document_sha256=plan.document.sha256,
        document_path=plan.name,
        mode="continue" if previous else "fresh",
        config={
            **config,
            "seed": plan.seed,
            "learning_rate": plan.optimisation.learning_rate,
            "sequence_len": plan.sequence_length,
            "device": plan.hardware.device,
            "dtype": plan.hardware.dtype,
            "threads": plan.hardware.threads,
            "micro_batch": plan.hardware.micro_batch,
            "grad_accum": plan.hardware.grad_accum,
            "gradient_checkpointing": plan.hardware.gradient_checkpointing,
            "base_commit": commit_of(plan.base_folder),
            "libraries": versions(),
        },
        figures={
            **outcome.figures(),
            "shares": [asdict(one) for one in shares(plan.rows_of(outcome.steps))],
            "losses": list(outcome.losses),
            "by_epoch": by_epoch,
        },
        stop_reason=outcome.stop_reason,
        steps=outcome.steps,
        seconds=outcome.seconds,
    )
