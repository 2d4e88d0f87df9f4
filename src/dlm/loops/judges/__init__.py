"""Judges: whoever scores candidate answers for the loops, behind one protocol."""

from dlm.loops.judges.protocol import Judge, Question
from dlm.loops.judges.spec import open_judge
from dlm.loops.judges.sway import SwayJudge

__all__ = ["Judge", "Question", "SwayJudge", "open_judge"]
