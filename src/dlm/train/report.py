"""What a training did, as values: for the terminal, JSON, and the record beside the adapter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from dlm.base_models.locate import commit_of
from dlm.engine.model import Score
from dlm.eval.answers import Kind
from dlm.eval.comparison import Comparison
from dlm.eval.scorecard import Scorecard
from dlm.store.records import RunRecord, Version, run_name
from dlm.train.base import Setup
from dlm.train.figures import EpochFigures, PairEpoch, PhaseFigures, Standing
from dlm.train.lock_file import versions
from dlm.train.steps import Optimisation


@dataclass(frozen=True, slots=True)
class Outcome:
    """How the training went, and the scorecard of what came of it."""

    card: Scorecard
    losses: tuple[float, ...]
    epochs: tuple[EpochFigures, ...] | tuple[PairEpoch, ...]
    steps: int
    seconds: float
    stop_reason: str

    @property
    def scores(self) -> dict[str, Score]:
        """Of the training pairs, by the id of their lesson."""
        return {
            item.lesson_id: Score(item.fit.nll, item.fit.tokens, item.fit.exact)
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
class Refusal:
    """A preference phase that was not kept, and why; `version` stays as it was.

    `figures` is None when it was refused before its first step: for what its triples say, or
    because the same was refused `before`.
    """

    version: Version
    reasons: tuple[str, ...]
    figures: PhaseFigures | None = None
    before: bool = False

    def to_json(self) -> dict[str, Any]:
        return {
            "version": self.version.name,
            "reasons": list(self.reasons),
            "refused_before": self.before,
            "preference": self.figures.to_json() if self.figures else None,
        }


@dataclass(frozen=True, slots=True)
class TrainingReport:
    """The committed version, the one it continued, what was measured, and what that changed.

    `compared` is None without a version before it, or without a scorecard of that one. After a
    preference phase `preference` holds what that did, with `despite` the reasons that `--force`
    overrode, and `earlier` the phase before it in the same call. `refused` is the preference phase
    that followed this one and was not kept, `preferred` how the new triples stood that asked for
    none.
    """

    version: Version
    previous: Version | None
    outcome: Outcome
    compared: Comparison | None = None
    preference: PhaseFigures | None = None
    despite: tuple[str, ...] = ()
    earlier: TrainingReport | None = None
    refused: Refusal | None = None
    preferred: Standing | None = None

    @property
    def phase(self) -> str:
        return "preference" if self.preference else "sft"

    def to_json(self) -> dict[str, Any]:
        """The facts that `dlm train --json` prints."""
        facts = {
            "version": self.version.name,
            "previous": self.previous.name if self.previous else None,
            "path": str(self.version.path),
            "phase": self.phase,
            **self.outcome.figures(),
            "missed": [
                {"line": item.line, "question": item.question} for item in self.outcome.card.missed
            ],
            "compared": self.compared.to_json() if self.compared else None,
            "steps": self.outcome.steps,
            "seconds": round(self.outcome.seconds, 2),
            "stop_reason": self.outcome.stop_reason,
        }
        if self.preference:
            facts |= {"preference": self.preference.to_json(), "despite": list(self.despite)}
        if self.earlier:
            facts["earlier"] = self.earlier.to_json()
        if self.refused:
            facts["refused"] = self.refused.to_json()
        if self.preferred:
            facts["preferred"] = self.preferred.to_json()
        return facts


def run_record(
    setup: Setup,
    outcome: Outcome,
    started: datetime,
    *,
    mode: str,
    optimisation: Optimisation,
    more: Mapping[str, Any],
) -> RunRecord:
    """The record that is kept with the version; `more` are figures of the phase."""
    config = setup.document.frontmatter.training.model_dump(mode="json")
    return RunRecord(
        run_id=run_name(started),
        started_at=started,
        ended_at=datetime.now(UTC),
        base_key=setup.base.key,
        base_fingerprint=setup.base_fingerprint,
        document_sha256=setup.document.sha256,
        document_path=setup.name,
        mode=mode,
        config={
            **config,
            "seed": setup.seed,
            "learning_rate": optimisation.learning_rate,
            "sequence_len": setup.sequence_length,
            "device": setup.hardware.device,
            "dtype": setup.hardware.dtype,
            "threads": setup.hardware.threads,
            "micro_batch": optimisation.micro_batch,
            "grad_accum": optimisation.grad_accum,
            "gradient_checkpointing": optimisation.gradient_checkpointing,
            "base_commit": commit_of(setup.base_folder),
            "libraries": versions(),
        },
        figures={
            **outcome.figures(),
            **more,
            "losses": list(outcome.losses),
            "by_epoch": [{"epoch": one.epoch, **one.named()} for one in outcome.epochs],
        },
        stop_reason=outcome.stop_reason,
        steps=outcome.steps,
        seconds=outcome.seconds,
    )
