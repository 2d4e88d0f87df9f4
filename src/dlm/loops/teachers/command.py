"""A teacher that is any program: one process a request, JSON in and JSON out.

stdin   {"system", "prompt", "n", "max_new_tokens", "temperature", "seed"}, and "top_p" if not 1
stdout  {"completions": ["…", …]}
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from dlm.data.completion import Completion, Done, Request
from dlm.errors import TeacherError
from dlm.loops.programs import Program, Unusable
from dlm.loops.teachers.protocol import Unanswered, ask_together

TIMEOUT = 300.0  # seconds a request


class CommandTeacher:
    """Runs `command`, in the current folder."""

    def __init__(self, command: str, *, at_once: int = 1, timeout: float = TIMEOUT) -> None:
        """Raises TeacherError when there is no such command."""
        self.name = f"cli:{command}"
        self._at_once = at_once
        example = '--teacher "cli:./teach.py --fast"'
        self._program = Program(command, TeacherError, example=example, timeout=timeout)

    @property
    def identity(self) -> str:
        """The command, and the text of the scripts in it: an edited script is another teacher."""
        return " ".join([self.name, *self._program.digests()])

    def complete(self, requests: Sequence[Request], done: Done) -> None:
        """One process a request; one that fails, hangs or prints something else is refused."""
        asyncio.run(ask_together(self.name, requests, self._ask, done, at_once=self._at_once))

    async def _ask(self, request: Request) -> list[Completion]:
        told = {
            "system": request.system,
            "prompt": request.prompt,
            "n": request.n,
            "max_new_tokens": request.max_new_tokens,
            "temperature": request.temperature,
            "seed": request.seed,
        }
        if request.top_p != 1:
            told["top_p"] = request.top_p
        try:
            found = await self._program.ask(told, _texts, '{"completions": ["…"]}')
        except Unusable as error:
            raise Unanswered(str(error)) from error
        if not found:
            raise Unanswered("gave no completion")
        return [Completion.of(text) for text in found[: request.n]]


def _texts(value: Any) -> list[str]:
    found = value["completions"]
    if not isinstance(found, list) or not all(isinstance(text, str) for text in found):
        raise TypeError
    return found
