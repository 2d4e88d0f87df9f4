"""Puts pushed probes on the disk: those that come in together share one transaction.

Knows the queue; neither HTTP nor what becomes of a probe.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from dlm.store import probe_queue
from dlm.store.database import Database
from dlm.store.probe_queue import Probe


@dataclass(frozen=True, slots=True)
class Receipt:
    """Whether a probe is on the disk, and how many wait now."""

    accepted: bool
    depth: int


class Intake:
    """The one writer of a server; belongs to one event loop."""

    def __init__(self, database: Path, *, capacity: int, pushed: Callable[[int], None]) -> None:
        self._path, self._capacity, self._pushed = database, capacity, pushed
        self._arrived: list[tuple[Probe, asyncio.Future[Receipt]]] = []
        self._writing: asyncio.Task[None] | None = None
        # SQLite wants a connection to stay in its thread.
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="dlm-probes")
        self._database: Database | None = None

    async def accept(self, probes: list[Probe]) -> list[Receipt]:
        """Keep probes, as far as there is room; returns when they are durable.

        Raises StoreError when the disk refuses.
        """
        loop = asyncio.get_running_loop()
        futures: list[asyncio.Future[Receipt]] = [loop.create_future() for _ in probes]
        self._arrived += zip(probes, futures, strict=True)
        if self._writing is None:
            self._writing = loop.create_task(self._write())
        return list(await asyncio.gather(*futures))

    async def depth(self) -> int:
        """How many probes wait."""
        return await asyncio.get_running_loop().run_in_executor(
            self._thread, lambda: probe_queue.depth(self._connected())
        )

    def close(self) -> None:
        """Wait for the write that is under way, and close the database."""
        if self._database is not None:
            self._thread.submit(self._database.close)
        self._thread.shutdown(wait=True)

    async def _write(self) -> None:
        """Write what has arrived until nothing more has."""
        loop = asyncio.get_running_loop()
        try:
            while self._arrived:
                batch, self._arrived = self._arrived, []
                probes = [probe for probe, _ in batch]
                try:
                    taken, depth = await loop.run_in_executor(self._thread, self._put, probes)
                except Exception as error:
                    _fail([future for _, future in batch], error)
                    continue
                if taken:
                    self._pushed(depth)
                for place, (_, future) in enumerate(batch):
                    if not future.done():
                        future.set_result(Receipt(place < taken, depth))
        finally:
            self._writing = None

    def _put(self, probes: list[Probe]) -> tuple[int, int]:
        database = self._connected()
        taken = probe_queue.push(database, probes, capacity=self._capacity)
        return taken, probe_queue.depth(database)

    def _connected(self) -> Database:
        if self._database is None:
            self._database = Database.open(self._path)
        return self._database


def _fail(futures: list[asyncio.Future[Receipt]], error: Exception) -> None:
    for future in futures:
        with contextlib.suppress(asyncio.InvalidStateError):
            future.set_exception(error)
