"""The trainings beside a server: one process a document, started again when it dies.

A training in a process of its own can neither hold up an answer nor take the server with it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Sequence
from typing import Any, Final

from dlm.serve.shelf import Book

_AGAIN_SECONDS: Final = 5.0
_END_SECONDS: Final = 4.0
_LINE_LIMIT: Final = 1024 * 1024  # bytes


class Trainings:
    """Watches and trains each book while its context lasts. `facts` is how each one stands."""

    def __init__(self, books: Sequence[Book], note: Callable[[str], None]) -> None:
        self.facts: dict[str, dict[str, Any]] = {book.name: {"phase": "starting"} for book in books}
        self._books, self._note = books, note
        self._processes: dict[str, Process] = {}
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Trainings:
        self._tasks = [asyncio.create_task(self._keep(book)) for book in self._books]
        return self

    async def __aexit__(self, *error: object) -> None:
        """The end of their input ends the processes; one that does not hear it is killed."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for process in self._processes.values():
            if process.stdin is not None:
                process.stdin.close()
        for process in self._processes.values():
            try:
                async with asyncio.timeout(_END_SECONDS):
                    await process.wait()
            except TimeoutError:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()

    def pushed(self, name: str) -> None:
        """Have the probes that wait for a document taken up, where it is watched."""
        process = self._processes.get(name)
        if process is not None and process.stdin is not None and process.returncode is None:
            process.stdin.write(b"\n")

    async def _keep(self, book: Book) -> None:
        while True:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "dlm.serve.watcher", str(book.path.absolute())),
                stdin=PIPE,
                stdout=PIPE,
                limit=_LINE_LIMIT,
                start_new_session=True,  # Ctrl-C is for the server, which then ends it
            )
            self._processes[book.name] = process
            assert process.stdout is not None
            async for line in process.stdout:
                with contextlib.suppress(ValueError):
                    self._take(book.name, json.loads(line))
            status = await process.wait()
            self.facts[book.name] = {"phase": "starting", "error": f"ended with status {status}"}
            self._note(f"warning: the training of {book.path} ended with status {status}")
            await asyncio.sleep(_AGAIN_SECONDS)

    def _take(self, name: str, said: dict[str, Any]) -> None:
        if "note" in said:
            self._note(str(said["note"]))
        self.facts[name] = said.get("facts", self.facts[name])
