"""Teachers: whoever completes prompts for the loops, here or elsewhere, behind one protocol."""

from dlm.data.completion import Completion, Done, Refused, Request
from dlm.loops.teachers.cached import Cached, Counts
from dlm.loops.teachers.estimate import Estimate, estimate
from dlm.loops.teachers.protocol import Teacher
from dlm.loops.teachers.spec import open_teacher

__all__ = [
    "Cached",
    "Completion",
    "Counts",
    "Done",
    "Estimate",
    "Refused",
    "Request",
    "Teacher",
    "estimate",
    "open_teacher",
]
