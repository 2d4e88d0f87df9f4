"""What every teacher is to the loops. Knows no models and no network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from dlm.data.completion import Done, Request


class Teacher(Protocol):
    """Completes prompts.

    `name` is for people and for provenance, as in `self:v0003`. `identity` changes with anything
    that may change an answer, such as the weights behind the same name; the cache goes by it.
    """

    @property
    def name(self) -> str: ...

    @property
    def identity(self) -> str: ...

    def complete(self, requests: Sequence[Request], done: Done) -> None:
        """Call `done` with each index and its completions, in any order, as they come.

        A request that cannot be answered gets a `Refused`, which holds the reason. Raises
        TeacherError when the teacher cannot go on; what was passed to `done` before stands.
        """
        ...
