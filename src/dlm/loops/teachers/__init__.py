"""Teachers: whoever completes prompts for the loops, here or elsewhere, behind one protocol."""

from dlm.data.completion import Completion, Done, Refused, Request
from dlm.loops.teachers.protocol import Teacher
from dlm.loops.teachers.spec import open_teacher

__all__ = ["Completion", "Done", "Refused", "Request", "Teacher", "open_teacher"]
