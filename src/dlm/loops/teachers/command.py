"""A teacher that is any program: one process a request, JSON in and JSON out.

stdin   {"system", "prompt", "n", "max_new_tokens", "temperature", "seed"}, and "top_p" if not 1
stdout  {"completions": ["…", …]}
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence

from dlm.data.completion import Completion, Done, Request
from dlm.errors import TeacherError
from dlm.loops import programs
from dlm.loops.teachers.protocol import Unanswered, ask_together

TIMEOUT = 300.0  # seconds a request


class CommandTeacher:
    """Runs `command`, split as a shell would but without one, in the current folder."""

    def __init__(self, command: str, *, at_once: int = 1, timeout: float = TIMEOUT) -> None:
        """Raises TeacherError when there is no such command."""
        self.name = f"cli:{command}"
        self._at_once, self._timeout = at_once, timeout
        example = '--teacher "cli:./teach.py --fast"'
        self._arguments = programs.split_command(command, TeacherError, example=example)

    @property
    def identity(self) -> str:
        """The command, and the text of the scripts in it: an edited script is another teacher."""
        return " ".join([self.name, *programs.script_digests(self._arguments)])

    def complete(self, requests: Sequence[Request], done: Done) -> None:
        """One process a request; one that fails, hangs or prints something else is refused."""
        asyncio.run(ask_together(self.name, requests, self._ask, done, at_once=self._at_once))

    async def _ask(self, request: Request) -> list[Completion]:
        try:
            told = _written(request)
            output = await programs.ask(self._arguments, told, timeout=self._timeout)
        except OSError as error:
            raise TeacherError(
                f"{self._arguments[0]} does not start: {error.strerror}",
                hint="a script needs its first line (#!) and the right to be executed",
            ) from error
        except programs.Unusable as error:
            raise Unanswered(str(error)) from error
        return _completions(output, request.n)


def _completions(output: bytes, wanted: int) -> list[Completion]:
    try:
        found = json.loads(output)["completions"]
        if not isinstance(found, list) or not all(isinstance(text, str) for text in found):
            raise TypeError
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        but = programs.printed(output)
        raise Unanswered(f'did not print {{"completions": ["…"]}}, {but}') from error
    if not found:
        raise Unanswered("gave no completion")
    return [Completion.of(text) for text in found[:wanted]]


def _written(request: Request) -> bytes:
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
    return json.dumps(told).encode()
