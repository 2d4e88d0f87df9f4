"""The routes of the page: its files for anybody, and JSON for whoever may ask the server.

What changes anything is taken as JSON only, which no form of another site can send.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from importlib.resources import files
from typing import Any, Final, TypeVar

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dlm.errors import DlmError
from dlm.serve.answering import Desk
from dlm.serve.app import Section
from dlm.serve.bodies import Bodies, object_of
from dlm.serve.page import proposals, view, wrong
from dlm.serve.refusals import Refused, as_json
from dlm.serve.shelf import Book

BODY_LIMIT: Final = 256 * 1024  # bytes

_T = TypeVar("_T")
_KINDS: Final = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}
_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-cache",
}


def page_section(
    desk: Desk,
    trainings: Mapping[str, Mapping[str, Any]],
    pushed: Callable[[str], None],
) -> Section:
    """`/` and `/page/…`.

    `trainings` is how the training of each watched document stands; `pushed` is called with the
    name of a document for which a probe waits.
    """
    page = _Page(desk, trainings, pushed)
    found = _files()
    return Section(
        routes=(
            *(Route(path, _giving(*file), methods=["GET"]) for path, file in found.items()),
            Route("/page/facts", page.facts, methods=["GET"]),
            Route("/page/map", page.reading(view.learned), methods=["GET"]),
            Route("/page/staged", page.reading(proposals.waiting), methods=["GET"]),
            Route("/page/staged/apply", page.changing(proposals.apply), methods=["POST"]),
            Route("/page/staged/discard", page.changing(proposals.discard), methods=["POST"]),
            Route("/page/staged/edit", page.changing(proposals.edit), methods=["POST"]),
            Route("/page/wrong", page.wrong, methods=["POST"]),
            Route("/page/wrong/forget", page.changing(wrong.forget), methods=["POST"]),
            Route("/page/wrong/{probe}", page.probe, methods=["GET"]),
        ),
        public=frozenset(found),
    )


class _Page:
    """What the page asks; one question at a time reads or writes the disk, beside the answers."""

    def __init__(
        self,
        desk: Desk,
        trainings: Mapping[str, Mapping[str, Any]],
        pushed: Callable[[str], None],
    ) -> None:
        self._desk, self._trainings, self._pushed = desk, trainings, pushed
        self._bodies, self._one = Bodies(BODY_LIMIT), asyncio.Lock()

    async def facts(self, request: Request) -> Response:
        books = list(self._desk.shelf.books.values())
        return as_json(await self._do(view.facts, books, dict(self._trainings)))

    def reading(self, read: Callable[[Book], Any]) -> Any:
        """The endpoint for what is read of the document that `?document=` names."""

        async def endpoint(request: Request) -> Response:
            book = self._book(request.query_params.get("document"))
            return as_json(await self._do(read, book))

        return endpoint

    def changing(self, change: Callable[[Book, Mapping[str, Any]], Any]) -> Any:
        """The endpoint for a change of the document that the body names."""

        async def endpoint(request: Request) -> Response:
            given = await self._given(request)
            return as_json(await self._do(change, self._book(given.get("document")), given))

        return endpoint

    async def wrong(self, request: Request) -> Response:
        given = await self._given(request)
        book = self._book(given.get("document"))
        told = await self._do(wrong.mark, book, given)
        if "probe" in told:
            self._pushed(book.name)
        return as_json(told | {"watched": book.name in self._trainings})

    async def probe(self, request: Request) -> Response:
        book = self._book(request.query_params.get("document"))
        return as_json(await self._do(wrong.state, book, request.path_params["probe"]))

    def _book(self, name: Any) -> Book:
        book = self._desk.shelf.books.get(name) if isinstance(name, str) else None
        if book is None:
            raise Refused(404, "there is no document of this name here", param="document")
        return book

    async def _given(self, request: Request) -> Mapping[str, Any]:
        """The body of a change; Refused for anything but an object in JSON from this page."""
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/json":
            raise Refused(415, "send application/json")
        if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
            raise Refused(403, "another web page may not ask this server", code="foreign_origin")
        return object_of(await self._bodies.read(request))

    async def _do(self, act: Callable[..., _T], *arguments: Any) -> _T:
        """`act` in a thread, one at a time; what cannot be done is a sentence for the reader."""
        async with self._one:
            try:
                return await asyncio.to_thread(act, *arguments)
            except DlmError as error:
                hint = f"; {error.hint}" if error.hint else ""
                raise Refused(409, f"{error}{hint}", code="conflict") from None


def _files() -> dict[str, tuple[bytes, str]]:
    """Each file of the page by its path on the server, with its media type."""
    found = {}
    for file in files("dlm.serve.page").joinpath("static").iterdir():
        path = "/" if file.name == "index.html" else f"/page/{file.name}"
        found[path] = file.read_bytes(), _KINDS[file.name.rpartition(".")[2]]
    return found


def _giving(content: bytes, kind: str) -> Any:
    async def endpoint(request: Request) -> Response:
        return Response(content, headers=_HEADERS, media_type=kind)

    return endpoint
