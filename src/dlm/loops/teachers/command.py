"""A teacher that is any program: one process a request, JSON in and JSON out.

stdin   {"system", "prompt", "n", "max_new_tokens", "temperature", "seed"}, and "top_p" if not 1
stdout  {"completions": ["…", …]}
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import shlex
import shutil
import signal
from asyncio.subprocess import PIPE, Process
from collections.abc import Sequence
from pathlib import Path

from dlm.data.completion import Completion, Done, Request
from dlm.errors import TeacherError
from dlm.loops.teachers.together import Unanswered, ask_together

TIMEOUT = 300.0  # seconds a request
_CLOSING = 1.0  # seconds
_MOST_OUTPUT = 16 * 1024 * 1024
_LARGEST_SCRIPT = 1024 * 1024
_SCRIPTS = {".py", ".sh", ".bash", ".js", ".ts", ".rb", ".pl", ".lua", ".php", ".jl", ".R"}


class CommandTeacher:
    """Runs `command`, split as a shell would but without one, in the current folder."""

    def __init__(self, command: str, *, at_once: int = 1, timeout: float = TIMEOUT) -> None:
        """Raises TeacherError when there is no such command."""
        self.name = f"cli:{command}"
        self._at_once, self._timeout = at_once, timeout
        self._arguments = _split(command)

    @property
    def identity(self) -> str:
        """The command, and the text of the scripts in it: an edited script is another teacher."""
        return " ".join([self.name, *_scripts(self._arguments)])

    def complete(self, requests: Sequence[Request], done: Done) -> None:
        """One process a request; one that fails, hangs or prints something else is refused."""
        asyncio.run(ask_together(self.name, requests, self._ask, done, at_once=self._at_once))

    async def _ask(self, request: Request) -> list[Completion]:
        try:
            process = await asyncio.create_subprocess_exec(
                *self._arguments, stdin=PIPE, stdout=PIPE, stderr=PIPE, start_new_session=True
            )
        except OSError as error:
            raise TeacherError(
                f"{self._arguments[0]} does not start: {error.strerror}",
                hint="a script needs its first line (#!) and the right to be executed",
            ) from error
        try:
            async with asyncio.timeout(self._timeout):
                output, said = await _talk(process, _written(request))
        except TimeoutError as error:
            raise Unanswered(f"gave no answer within {self._timeout:g} s") from error
        finally:
            await _end(process)
        if process.returncode:
            raise Unanswered(f"ended with {_outcome(process.returncode)}{said}")
        return _completions(output, request.n)


async def _talk(process: Process, text: bytes) -> tuple[bytes, str]:
    """Everything on stdout, and the last line on stderr."""
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    errors = asyncio.create_task(_last_line(process.stderr))
    try:
        # A teacher may answer without reading what it was asked.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            process.stdin.write(text)
            await process.stdin.drain()
        process.stdin.close()
        output = bytearray()
        while part := await process.stdout.read(65536):
            output += part
            if len(output) > _MOST_OUTPUT:
                raise Unanswered(f"printed more than {_MOST_OUTPUT >> 20} MiB")
        await process.wait()
        return bytes(output), await errors
    finally:
        errors.cancel()


async def _last_line(stream: asyncio.StreamReader) -> str:
    tail = b""
    while part := await stream.read(65536):
        tail = (tail + part)[-2000:]
    lines = tail.decode("utf-8", "replace").strip().splitlines()
    return f": {_shown(lines[-1])}" if lines else ""


async def _end(process: Process) -> None:
    """Kill what still runs, with all that it started, and read its pipes empty so that they close.

    What the program left running by itself, and said it was done, is left alone.
    """
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if hasattr(os, "killpg"):
                os.killpg(process.pid, signal.SIGKILL)
            else:
                process.kill()
    await process.wait()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_CLOSING):
            for stream in (process.stdout, process.stderr):
                while stream is not None and await stream.read(65536):
                    pass


def _completions(output: bytes, wanted: int) -> list[Completion]:
    try:
        found = json.loads(output)["completions"]
        if not isinstance(found, list) or not all(isinstance(text, str) for text in found):
            raise TypeError
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        start = output[:200].decode("utf-8", "replace").strip()
        printed = f"but {_shown(start)!r}" if start else "but nothing"
        raise Unanswered(f'did not print {{"completions": ["…"]}}, {printed}') from error
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


def _split(command: str) -> list[str]:
    try:
        arguments = shlex.split(command)
    except ValueError as error:
        raise TeacherError(f"cli:{command} has a quotation mark without its partner") from error
    if not arguments:
        raise TeacherError("cli: names no command", hint='as in --teacher "cli:./teach.py --fast"')
    if shutil.which(arguments[0]) is None:
        raise TeacherError(
            f"there is no command {arguments[0]!r} that can be run",
            hint="check its path, and that it may be executed (chmod +x)",
        )
    return arguments


def _scripts(arguments: Sequence[str]) -> list[str]:
    """Digests of the program and of the scripts among its arguments, large binaries left out."""
    digests = []
    for place, word in enumerate(arguments):
        path = Path(shutil.which(word) or word) if place == 0 else Path(word)
        if place and path.suffix not in _SCRIPTS:
            continue
        with contextlib.suppress(OSError, ValueError):
            if path.is_file() and path.stat().st_size <= _LARGEST_SCRIPT:
                digests.append(hashlib.sha256(path.read_bytes()).hexdigest())
    return digests


def _outcome(code: int) -> str:
    return f"exit code {code}" if code > 0 else f"signal {-code}"


def _shown(text: str) -> str:
    """Short and without control characters, for a sentence on a terminal."""
    return "".join(c if c.isprintable() else " " for c in text)[:200].strip()
