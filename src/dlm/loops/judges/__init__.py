"""Judges: whoever scores candidate answers for the loops, behind one protocol."""

from dlm.loops.judges.judge import Judge, Question, Sway, SwayJudge, asked, asked_with
from dlm.loops.judges.spec import open_judge

__all__ = ["Judge", "Question", "Sway", "SwayJudge", "asked", "asked_with", "open_judge"]
