"""Contrasts as an edit plan: one preference section each, behind the question it comes from."""

from __future__ import annotations

from typing import Final

from dlm.eval.answers import normalise
from dlm.loops.edits import Addition, NewTriple
from dlm.loops.mine.candidates import AUTHORED, Contrast, Mined
from dlm.loops.proposals import Proposer

CHOSEN_FROM: Final = "chosen_from"
REJECTED_FROM: Final = "rejected_from"


def addition_of(mined: Mined, found: Contrast, proposer: Proposer) -> Addition:
    """The preference section of a contrast, behind the section that asks the question."""
    chosen_from = found.chosen.source
    if chosen_from != AUTHORED and normalise(found.chosen.text) == normalise(mined.answer):
        chosen_from = f"{chosen_from}, as authored"
    return proposer.triple(
        triple_of(mined, found),
        mined.example.section_id,
        after=mined.example.section_id,
        scores={
            "chosen": round(found.chosen.score, 4),
            "rejected": round(found.rejected.score, 4),
        },
        extra={CHOSEN_FROM: chosen_from, REJECTED_FROM: found.rejected.source},
    )


def triple_of(mined: Mined, found: Contrast) -> NewTriple:
    return NewTriple(mined.prompt, found.chosen.text, found.rejected.text)
