"""What is left of a synthesis when its plan is applied or discarded: the funnel, and samples."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, Final

from dlm.loops.edits import EditPlan
from dlm.loops.synth.candidates import Candidate, Stage
from dlm.store import completions
from dlm.store.database import Database

SAMPLES: Final = 4
"""How many candidates of each fate are kept."""

_LONGEST: Final = 400  # characters of a question or an answer


def keep_run(database: Database, plan: EditPlan, candidates: Iterable[Candidate]) -> None:
    """Note what a synthesis came to, whatever happens to its plan."""
    run = completions.SynthRun(
        run=plan.run,
        teacher=plan.by,
        made_at=plan.created_at,
        document_sha256=plan.document_sha256,
        planned=len(plan.additions),
        note=plan.note,
        samples=tuple(_samples(candidates)),
    )
    with database.transaction():
        completions.add_synth_run(database, run)


def _samples(candidates: Iterable[Candidate]) -> Iterator[dict[str, Any]]:
    """The first few candidates of each fate, in the order they were written."""
    taken: Counter[Stage | None] = Counter()
    for candidate in candidates:
        if taken[candidate.dropped] < SAMPLES:
            taken[candidate.dropped] += 1
            told = candidate.to_json()
            scores = {k: v if math.isfinite(v) else None for k, v in told["scores"].items()}
            short = {key: told[key][:_LONGEST] for key in ("question", "answer", "reason")}
            yield {**told, **short, "scores": scores}
