"""The routes of OpenAI's API, `/health` and `/metrics`, over a desk."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator, Callable, Coroutine
from typing import Any, TypeVar

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from dlm.engine.running import Token
from dlm.serve.answering import Desk, Reply
from dlm.serve.app import Section
from dlm.serve.asked import Asked, read_chat, read_completion
from dlm.serve.bodies import Bodies, EventStream, until_gone
from dlm.serve.metrics import TEXT, Metrics
from dlm.serve.refusals import as_json, as_refused
from dlm.serve.replies import Shape
from dlm.serve.training import Trainings

_T = TypeVar("_T")


def api_section(desk: Desk, metrics: Metrics, trainings: Trainings) -> Section:
    """`/v1/…`, `/metrics` and, for anybody, `/health`."""
    api = _Api(desk, metrics, trainings)
    return Section(
        routes=(
            Route("/health", api.health, methods=["GET"]),
            Route("/metrics", api.metrics, methods=["GET"]),
            Route("/v1/models", api.models, methods=["GET"]),
            Route("/v1/models/{id:path}", api.model, methods=["GET"]),
            Route("/v1/chat/completions", api.answering(read_chat), methods=["POST"]),
            Route("/v1/completions", api.answering(read_completion), methods=["POST"]),
        ),
        public=frozenset({"/health"}),
    )


class _Api:
    def __init__(self, desk: Desk, metrics: Metrics, trainings: Trainings) -> None:
        self._desk, self._metrics, self._trainings = desk, metrics, trainings
        self._bodies = Bodies()
        for shared in desk.shelf.bases:
            shared.batcher.observe = metrics.rows.add

    async def health(self, request: Request) -> Response:
        bases = self._desk.shelf.bases
        states = {shared.batcher.base.key: shared.batcher.state for shared in bases}
        documents = {
            book.name: book.version.name if book.version else None
            for book in self._desk.shelf.books.values()
        }
        ok = "failed" not in states.values()
        facts: dict[str, Any] = {
            "status": "ok" if ok else "failed",
            "models": states,
            "documents": documents,
        }
        if self._trainings.facts:
            facts |= {"trainings": self._trainings.facts}
        return as_json(facts, 200 if ok else 503)

    async def metrics(self, request: Request) -> Response:
        batchers = [shared.batcher for shared in self._desk.shelf.bases]
        gauges = {
            "dlm_queue_rows": ("Rows that wait for a model.", sum(b.waiting for b in batchers)),
            "dlm_running_rows": ("Rows under way.", sum(b.running for b in batchers)),
            "dlm_queue_questions": ("Questions that wait for the notes.", self._desk.looking_up),
        }
        return Response(self._metrics.text(gauges), media_type=TEXT)

    async def models(self, request: Request) -> Response:
        data = [_model(*one) for one in await self._desk.at_desk(self._models)]
        return as_json({"object": "list", "data": data})

    async def model(self, request: Request) -> Response:
        wanted = request.path_params["id"]
        for name, created in await self._desk.at_desk(self._models):
            if name == wanted:
                return as_json(_model(name, created))
        await self._desk.at_desk(self._desk.shelf.find, wanted)  # says what there is
        return as_json(_model(wanted, 0))

    def answering(self, read: Callable[[bytes], Asked]) -> Any:
        """The endpoint for requests that `read` understands."""

        async def endpoint(request: Request) -> Response:
            asked = read(await self._bodies.read(request))
            if not asked.stream:
                return as_json(await self._while_there(request, self._whole(asked)))
            events = self._events(asked)
            first = await self._while_there(request, anext(events))  # what is refused has a status
            return EventStream(_after(first, events), self._gone)

        return endpoint

    async def _whole(self, asked: Asked) -> dict[str, Any]:
        async with self._desk.reply(asked) as reply:
            count = asked.n * max(1, len(asked.prompts))
            texts, ends = [""] * count, ["stop"] * count
            tokens: list[list[Token]] = [[] for _ in range(count)]
            async for piece in reply.pieces:
                texts[piece.choice] += piece.text
                tokens[piece.choice] += piece.tokens
                ends[piece.choice] = piece.end or "stop"
            self._count(reply)
            return Shape(asked, reply).whole(texts, tokens, ends)

    async def _events(self, asked: Asked) -> AsyncGenerator[bytes]:
        """The chunks of an answer; what fails after the first is an event of its own."""
        async with self._desk.reply(asked) as reply:
            shape = Shape(asked, reply)
            yield b"".join(_event(one) for one in shape.openings())
            try:
                async for piece in reply.pieces:
                    yield _event(shape.piece(piece))
                if asked.wants_usage:
                    yield _event(shape.closing())
            except Exception as error:
                yield _event(as_refused(error).to_json())
            finally:
                self._count(reply)
            yield b"data: [DONE]\n\n"

    async def _while_there(self, request: Request, work: Coroutine[Any, Any, _T]) -> _T:
        """What the work comes to; it is cancelled when the client goes away."""
        working = asyncio.ensure_future(work)
        leaving = asyncio.create_task(until_gone(request))
        try:
            await asyncio.wait((working, leaving), return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                return working.result()
            self._gone()
            raise ClientDisconnect
        finally:
            for task in (working, leaving):
                task.cancel()
            await asyncio.gather(working, leaving, return_exceptions=True)

    def _count(self, reply: Reply) -> None:
        self._metrics.tokens["prompt"] += reply.prompt_tokens
        self._metrics.tokens["completion"] += reply.said_tokens

    def _gone(self) -> None:
        self._metrics.cancelled += 1

    def _models(self) -> list[tuple[str, int]]:
        return list(self._desk.shelf.models())


def _model(id: str, created: int) -> dict[str, Any]:
    return {"id": id, "object": "model", "created": created, "owned_by": "dlm"}


def _event(value: dict[str, Any]) -> bytes:
    return f"data: {json.dumps(value)}\n\n".encode()


async def _after(first: bytes, events: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
    async with contextlib.aclosing(events):
        yield first
        async for event in events:
            yield event
