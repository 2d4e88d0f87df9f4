"""The application behind `--listen-rpc`: probes come in here, and its state can be read.

Pushed probes go to the disk, those that come in together in one transaction. Knows the queue and
whom to ask how long the next cycle takes; neither sockets nor what becomes of a probe.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from dlm.errors import DlmError
from dlm.serve.bodies import BODY_SECONDS, Bodies
from dlm.serve.envelope import Call, Complaint, Injection, Message, answer, read_message
from dlm.serve.refusals import Key, Refused, as_json, gone
from dlm.store.database import Database
from dlm.store.edits import Probe, push_probes, queue_depth

BODY_LIMIT: Final = 64 * 1024  # bytes

Outcome = dict[str, Any] | Complaint


class Horizon(Protocol):
    """Who knows when the next cycle takes up what waits, and how everything stands."""

    def eta(self) -> float:
        """Seconds until what is pushed now is written into the document."""
        ...

    def status(self) -> dict[str, Any]:
        """The state of the loop, as JSON."""
        ...

    def pushed(self, depth: int) -> None:
        """Called when probes are on the disk, of which `depth` wait."""
        ...


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
            self._thread, lambda: queue_depth(self._connected())
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
        taken = push_probes(database, probes, capacity=self._capacity)
        return taken, queue_depth(database)

    def _connected(self) -> Database:
        if self._database is None:
            self._database = Database.open(self._path)
        return self._database


def build_app(
    intake: Intake,
    horizon: Horizon,
    token: str,
    *,
    body_seconds: float = BODY_SECONDS,
) -> Starlette:
    """The application: `POST /rpc`, `GET /status`, `GET /healthz`; anything else is 404."""
    desk = _Desk(intake, horizon, token, body_seconds)
    return Starlette(
        routes=[
            Route("/rpc", desk.rpc, methods=["POST"]),
            Route("/status", desk.status, methods=["GET"]),
            Route("/healthz", desk.healthz, methods=["GET"]),
        ],
        exception_handlers={
            404: _not_found,
            405: _not_found,
            Refused: _refused,
            DlmError: _failed,
            ClientDisconnect: gone,
        },
    )


class _Desk:
    def __init__(self, intake: Intake, horizon: Horizon, token: str, body_seconds: float) -> None:
        self._intake, self._horizon = intake, horizon
        self._token = Key(token)
        self._bodies = Bodies(BODY_LIMIT, body_seconds, too_large=400)

    async def healthz(self, request: Request) -> Response:
        return as_json({"status": "ok"})

    async def status(self, request: Request) -> Response:
        self._require_token(request)
        state = {"queue_depth": await self._intake.depth(), **self._horizon.status()}
        return as_json({**state, "next_cycle_eta_s": self._eta()})

    async def rpc(self, request: Request) -> Response:
        self._require_token(request)
        message = read_message(await self._bodies.read(request))
        outcomes = await self._carry_out(message.calls)
        return self._respond(message, outcomes)

    def _require_token(self, request: Request) -> None:
        if not self._token.is_sent(request.scope):
            raise Refused(
                401,
                "the token is missing or wrong: send Authorization: Bearer $DLM_PROBE_TOKEN",
                headers={"WWW-Authenticate": "Bearer"},
            )

    async def _carry_out(self, calls: tuple[Call, ...]) -> list[Outcome]:
        """What became of each call. All probes of a body become durable together."""
        probes = [
            Probe(call.asked.prompt, call.asked.reference, call.asked.tags)
            for call in calls
            if isinstance(call.asked, Injection)
        ]
        receipts = iter(await self._intake.accept(probes) if probes else [])
        outcomes: list[Outcome] = []
        for call in calls:
            if isinstance(call.asked, Complaint):
                outcomes.append(call.asked)
                continue
            receipt = next(receipts)
            facts = {"next_cycle_eta_s": self._eta(), "queue_depth": receipt.depth}
            if receipt.accepted:
                outcomes.append({"accepted": True, **facts})
            else:
                message = "the queue is full; try again after the next cycle"
                outcomes.append(Complaint(429, -32001, message, facts))
        return outcomes

    def _respond(self, message: Message, outcomes: list[Outcome]) -> Response:
        pairs = list(zip(message.calls, outcomes, strict=True))
        answers = [answer(call, outcome) for call, outcome in pairs if call.wants_answer]
        full = any(isinstance(each, Complaint) and each.status == 429 for each in outcomes)
        headers = {"Retry-After": str(max(1, math.ceil(self._eta())))} if full else None
        if message.is_batch:
            return as_json(answers, headers=headers) if answers else Response(status_code=204)
        outcome = outcomes[0]
        if isinstance(outcome, Complaint):
            return as_json(answer(message.calls[0], outcome), outcome.status, headers)
        return as_json(answers[0]) if answers else Response(status_code=204)

    def _eta(self) -> float:
        return round(max(0.0, self._horizon.eta()), 1)


def _fail(futures: list[asyncio.Future[Receipt]], error: Exception) -> None:
    for future in futures:
        with contextlib.suppress(asyncio.InvalidStateError):
            future.set_exception(error)


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)
    return as_json({"accepted": False, "error": error.message}, error.status, error.headers)


async def _not_found(request: Request, error: Exception) -> Response:
    message = "there is POST /rpc, GET /status and GET /healthz"
    return as_json({"accepted": False, "error": message}, 404)


async def _failed(request: Request, error: Exception) -> Response:
    """The disk refused: nothing was promised, and the caller may try again."""
    assert isinstance(error, DlmError)
    return as_json({"accepted": False, "error": error.message}, 503, {"Retry-After": "10"})
