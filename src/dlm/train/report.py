"""What a training did, as values: for the terminal, JSON, and the record beside the adapter."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from dlm.base_models.cache import commit_of
from dlm.engine.model import Score
from dlm.eval.comparison import Comparison
from dlm.eval.items import Kind
from dlm.eval.scorecard import Scorecard
from dlm.store.records import RunRecord, Version, run_name
from dlm.train.budget import EpochFigures
from dlm.train.environment import versions
from dlm.train.plan import TrainingPlan
from dlm.train.preview import shares


@dataclass(frozen=True, slots=True)
class Outcome:
    """How the training went, and the scorecard of what came of it."""

    card: Scorecard
    losses: tuple[float, ...]
    epochs: tuple[EpochFigures, ...]
    steps: int
    seconds: float
    stop_reason: str

    @property
    def scores(self) -> dict[tuple[str, int], Score]:
        """Of the training pairs, by section id and line."""
        return {
            (item.section_id, item.line): Score(item.fit.nll, item.fit.tokens, item.fit.exact)
            for item in self.card.of(Kind.TRAINED)
        }

    @property
    def pairs(self) -> int:
        return self.card.pairs

    @property
    def learned(self) -> int:
        """Answers that greedy decoding gives word for word."""
        return self.pairs - len(self.card.missed)

    @property
    def drift(self) -> float | None:
        """Nats per token on general text that is never trained on, adapter minus base."""
        return self.card.figure("drift", "texts").value

    def figures(self) -> dict[str, Any]:
        """Numbers alone, nothing of the text: they lie beside the adapter too."""
        value = self.card.figure
        return {
            "learned": self.learned,
            "pairs": self.pairs,
            "answer_nll": value("recall", "nll").value,
            "prose_nll": value("prose", "nll").value,
            "base_prose_nll": value("prose", "base_nll").value,
            "drift": self.drift,
            "drift_texts": value("drift", "texts").n,
            "epochs": len(self.epochs),
            "scorecard": self.card.figures_json(),
        }


@dataclass(frozen=True, slots=True)
class TrainingReport:
    """The committed version, the one it continued, what was measured, and what that changed.

    `compared` is None without a version before it, or without a scorecard of that one.
    """

    version: Version
    previous: Version | None
    outcome: Outcome
    compared: Comparison | None = None

    def to_json(self) -> dict[str, Any]:
        """The facts that `dlm train --json` prints."""
        return {
            "version": self.version.name,
            "previous": self.previous.name if self.previous else None,
            "path": str(self.version.path),
            **self.outcome.figures(),
            "missed": [
                {"line": item.line, "question": item.question} for item in self.outcome.card.missed
            ],
            "compared": self.compared.to_json() if self.compared else None,
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
            "drift_bound": plan.limits.max_drift if plan.limits else None,
            "by_epoch": by_epoch,
        },
        stop_reason=outcome.stop_reason,
        steps=outcome.steps,
        seconds=outcome.seconds,
    )
