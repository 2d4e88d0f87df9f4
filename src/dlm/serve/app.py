"""The application of `dlm serve`: sections of routes behind one guard.

The guard lets nobody in who was sent by another web page, or has not the key where there is one,
and counts what was asked. A section is what one module adds to the server.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dlm.serve.connections import is_loopback
from dlm.serve.metrics import Metrics
from dlm.serve.refusals import HANDLERS, Key, Refused, response_to


@dataclass(frozen=True, slots=True)
class Section:
    """Routes of one module; the paths in `public` need no key."""

    routes: Sequence[BaseRoute]
    public: frozenset[str] = frozenset()


def build_app(
    sections: Sequence[Section], metrics: Metrics, *, key: str | None, only_here: bool
) -> ASGIApp:
    """All sections as one application.

    With `key`, whoever asks must send it; `only_here` says that the server listens on loopback.
    """
    app = Starlette(
        routes=[route for section in sections for route in section.routes],
        exception_handlers=HANDLERS,
    )
    public = frozenset[str]().union(*(section.public for section in sections))
    return Guard(app, metrics, key=key, only_here=only_here, public=public)


class Guard:
    """Checks `Host`, `Origin` and the key before a request is looked at."""

    def __init__(
        self,
        app: ASGIApp,
        metrics: Metrics,
        *,
        key: str | None,
        only_here: bool,
        public: frozenset[str],
    ) -> None:
        self._app, self._metrics = app, metrics
        self._key = None if key is None else Key(key)
        self._only_here, self._public = only_here, public

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        began, status = time.monotonic(), 0

        async def counted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            refused = self._refusal(scope)
            app = self._app if refused is None else response_to(refused)
            await app(scope, receive, counted)
        finally:
            route = getattr(scope.get("route"), "path", "other")
            self._metrics.requests[route, status] += 1
            self._metrics.seconds.add(time.monotonic() - began)

    def _refusal(self, scope: Scope) -> Refused | None:
        headers = Headers(scope=scope)
        hosts = headers.getlist("host")
        host = hosts[0] if len(hosts) == 1 else ""
        if self._only_here and not is_loopback(_name(host)):
            return Refused(403, "this server answers to localhost only", code="foreign_host")
        origin = headers.get("origin")
        if origin is not None and _authority(origin) != host.lower():
            return Refused(403, "another web page may not ask this server", code="foreign_origin")
        if self._key is None or scope["path"] in self._public or self._key.is_sent(scope):
            return None
        return Refused(
            401,
            "the key is missing or wrong: send Authorization: Bearer …",
            code="invalid_api_key",
            headers={"WWW-Authenticate": "Bearer"},
        )


def _name(host: str) -> str:
    """The name in a Host header, without its port and brackets."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _authority(origin: str) -> str | None:
    """Host and port of an Origin header; None for one that is no web page's."""
    try:
        parts = urlsplit(origin)
    except ValueError:
        return None
    return parts.netloc.lower() if parts.scheme in ("http", "https") and parts.netloc else None
