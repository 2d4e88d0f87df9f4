"""Accepted candidates as sections: one instruction section a pair, behind its source."""

from __future__ import annotations

from typing import Final

from dlm.loops.edits import Addition, NewPair
from dlm.loops.proposals import Proposer
from dlm.loops.synth.candidates import Candidate

SOURCE: Final = "source"  # the sentence that supports a pair, among the extra attributes
STRATEGY: Final = "synth_strategy"
JUDGE: Final = "judge"
_LONGEST_SOURCE: Final = 600  # characters


def addition_of(candidate: Candidate, proposer: Proposer, judge: str) -> Addition:
    """The section of a candidate."""
    extra = {STRATEGY: candidate.strategy.value}
    if candidate.sentence:
        extra[SOURCE] = candidate.sentence[:_LONGEST_SOURCE]
    if "judge" in candidate.scores:
        extra[JUDGE] = judge
    return proposer.pair(
        NewPair(candidate.question, candidate.answer),
        candidate.source.id,
        after=candidate.source.id,
        scores={name: round(score, 3) for name, score in candidate.scores.items()},
        extra=extra,
    )
