"""A program of the owner's, run once a question: text in, text out, bounded in time and size.

Knows nothing of what is asked.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import shlex
import shutil
import signal
from asyncio.subprocess import PIPE, Process
from collections.abc import Sequence
from pathlib import Path

from dlm.errors import DlmError

_CLOSING = 1.0  # seconds
_MOST_OUTPUT = 16 * 1024 * 1024
_LARGEST_SCRIPT = 1024 * 1024
_SCRIPTS = {".py", ".sh", ".bash", ".js", ".ts", ".rb", ".pl", ".lua", ".php", ".jl", ".R"}


class Unusable(Exception):
    """The program ran and gave nothing to use. The text goes on from its name: `ended with …`."""


async def ask(arguments: Sequence[str], text: bytes, *, timeout: float) -> bytes:
    """What the program prints when it is given `text`.

    Raises Unusable when it fails, takes longer than `timeout` seconds or prints too much, OSError
    when it does not start. Whatever it started ends with it.
    """
    process = await asyncio.create_subprocess_exec(
        *arguments, stdin=PIPE, stdout=PIPE, stderr=PIPE, start_new_session=True
    )
    try:
        async with asyncio.timeout(timeout):
            output, said = await _talk(process, text)
    except TimeoutError as error:
        raise Unusable(f"gave no answer within {timeout:g} s") from error
    finally:
        await _end(process)
    if process.returncode:
        raise Unusable(f"ended with {_outcome(process.returncode)}{said}")
    return output


def split_command(command: str, error: type[DlmError], *, example: str) -> list[str]:
    """The command as a shell would split it; `error` when there is no such command."""
    try:
        arguments = shlex.split(command)
    except ValueError as caught:
        raise error(f"cli:{command} has a quotation mark without its partner") from caught
    if not arguments:
        raise error("cli: names no command", hint=f"as in {example}")
    if shutil.which(arguments[0]) is None:
        raise error(
            f"there is no command {arguments[0]!r} that can be run",
            hint="check its path, and that it may be executed (chmod +x)",
        )
    return arguments


def script_digests(arguments: Sequence[str]) -> list[str]:
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


def printed(output: bytes) -> str:
    """The beginning of what was printed, for a sentence: `but 'no idea'`."""
    start = output[:200].decode("utf-8", "replace").strip()
    return f"but {shown(start)!r}" if start else "but nothing"


def shown(text: str) -> str:
    """Short and without control characters, for a sentence on a terminal."""
    return "".join(c if c.isprintable() else " " for c in text)[:200].strip()


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


async def _last_line(stream: asyncio.StreamReader) -> str:
    tail = b""
    while part := await stream.read(65536):
        tail = (tail + part)[-2000:]
    lines = tail.decode("utf-8", "replace").strip().splitlines()
    return f": {shown(lines[-1])}" if lines else ""


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


def _outcome(code: int) -> str:
    return f"exit code {code}" if code > 0 else f"signal {-code}"
