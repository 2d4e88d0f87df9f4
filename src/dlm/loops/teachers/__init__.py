"""Teachers: whoever completes prompts for the loops, here or elsewhere, behind one protocol."""

from dlm.data.completion import Completion, Done, Refused, Request
from dlm.loops.teachers.cached import Cached, Counts, Estimate, estimate
from dlm.loops.teachers.protocol import Teacher
from dlm.loops.teachers.spec import LocalTeacher, open_teacher

__all__ = [
    "Cached",
    "Completion",
    "Counts",
    "Done",
    "Estimate",
    "LocalTeacher",
    "Refused",
    "Request",
    "Teacher",
    "estimate",
    "open_teacher",
]
