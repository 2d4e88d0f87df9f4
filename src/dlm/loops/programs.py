"""A program of the owner's, run once a question: JSON in, JSON out, bounded in time and size.

Knows nothing of what is asked.
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
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from dlm.errors import DlmError

T = TypeVar("T")

_CLOSING = 1.0  # seconds
_MOST_OUTPUT = 16 * 1024 * 1024
_LARGEST_SCRIPT = 1024 * 1024
_SCRIPTS = {".py", ".sh", ".bash", ".js", ".ts", ".rb", ".pl", ".lua", ".php", ".jl", ".R"}


class Unusable(Exception):
    """The program ran and gave nothing to use. The text goes on from its name: `ended with …`."""


class Program:
    """A command, split as a shell would but without one; it reads JSON and prints JSON.

    Whatever is wrong with the command itself is an `error`, in which `example` stands as a hint.
    """

    def __init__(
        self, command: str, error: type[DlmError], *, example: str, timeout: float
    ) -> None:
        """Raises `error` when there is no such command; a question may take `timeout` seconds."""
        try:
            self._arguments = shlex.split(command)
        except ValueError as caught:
            raise error(f"cli:{command} has a quotation mark without its partner") from caught
        if not self._arguments:
            raise error("cli: names no command", hint=f"as in {example}")
        if shutil.which(self._arguments[0]) is None:
            raise error(
                f"there is no command {self._arguments[0]!r} that can be run",
                hint="check its path, and that it may be executed (chmod +x)",
            )
        self._error, self._timeout = error, timeout

    async def ask(self, told: Mapping[str, Any], read: Callable[[Any], T], shape: str) -> T:
        """What `read` makes of the JSON that the program prints when it is `told` something.

        Raises Unusable when it fails, takes too long or prints too much, or something that `read`
        raises a ValueError, TypeError or KeyError for; it should have the `shape`.
        """
        try:
            output = await self._run(json.dumps(told).encode())
        except OSError as error:
            raise self._error(
                f"{self._arguments[0]} does not start: {error.strerror}",
                hint="a script needs its first line (#!) and the right to be executed",
            ) from error
        try:
            return read(json.loads(output))
        except (ValueError, TypeError, KeyError, OverflowError, RecursionError) as error:
            start = _shown(output[:200].decode("utf-8", "replace"))
            but = f"but {start!r}" if start else "but nothing"
            raise Unusable(f"did not print {shape}, {but}") from error

    def digests(self) -> list[str]:
        """Digests of the program and of the scripts it is given, large binaries left out."""
        found = []
        for place, word in enumerate(self._arguments):
            path = Path(shutil.which(word) or word) if place == 0 else Path(word)
            if place and path.suffix not in _SCRIPTS:
                continue
            with contextlib.suppress(OSError, ValueError):
                if path.is_file() and path.stat().st_size <= _LARGEST_SCRIPT:
                    found.append(hashlib.sha256(path.read_bytes()).hexdigest())
        return found

    async def _run(self, text: bytes) -> bytes:
        """What is printed for `text`; whatever was started ends with the program."""
        process = await asyncio.create_subprocess_exec(
            *self._arguments, stdin=PIPE, stdout=PIPE, stderr=PIPE, start_new_session=True
        )
        try:
            async with asyncio.timeout(self._timeout):
                output, said = await _talk(process, text)
        except TimeoutError as error:
            raise Unusable(f"gave no answer within {self._timeout:g} s") from error
        finally:
            await _end(process)
        if process.returncode:
            code = process.returncode
            outcome = f"exit code {code}" if code > 0 else f"signal {-code}"
            raise Unusable(f"ended with {outcome}{said}")
        return output


async def _talk(process: Process, text: bytes) -> tuple[bytes, str]:
    """Everything on stdout, and the last line on stderr."""
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    errors = asyncio.create_task(_last_line(process.stderr))
    try:
        # A program may answer without reading what it was asked.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            process.stdin.write(text)
            await process.stdin.drain()
        process.stdin.close()
        output = bytearray()
        while part := await process.stdout.read(65536):
            output += part
            if len(output) > _MOST_OUTPUT:
                raise Unusable(f"printed more than {_MOST_OUTPUT >> 20} MiB")
        await process.wait()
        return bytes(output), await errors
    finally:
        errors.cancel()


def _shown(text: str) -> str:
    """Short and without control characters, for a sentence on a terminal."""
    return "".join(c if c.isprintable() else " " for c in text)[:200].strip()


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
