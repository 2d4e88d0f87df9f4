"""Who may ask, and errors in the shape that clients of OpenAI's API read."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ExceptionHandler, Scope

from dlm.errors import DlmError

_TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}


class Refused(Exception):
    """A request that is not answered: an HTTP status, what is wrong, and with which parameter."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.message, self.param, self.code = status, message, param, code
        self.headers = headers

    def to_json(self) -> dict[str, Any]:
        kind = "invalid_request_error" if self.status < 500 else "server_error"
        kind = _TYPES.get(self.status, kind)
        error = {"message": self.message, "type": kind, "param": self.param, "code": self.code}
        return {"error": error}


class Key:
    """A secret that callers must send as `Authorization: Bearer …`."""

    def __init__(self, secret: str) -> None:
        self._digest = _digest(secret.encode("utf-8", "surrogateescape"))

    def is_sent(self, scope: Scope) -> bool:
        """Compare in constant time, whatever was sent, or nothing."""
        sent = [value for name, value in scope["headers"] if name == b"authorization"]
        scheme, _, given = (sent[0] if len(sent) == 1 else b"").partition(b" ")
        same = hmac.compare_digest(_digest(given.strip()), self._digest)
        return same and scheme.lower() == b"bearer"


def as_json(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A JSON response; halves of characters, which UTF-8 cannot hold, come back escaped."""
    return Response(json.dumps(value).encode(), status, headers, media_type="application/json")


def response_to(refused: Refused) -> Response:
    return as_json(refused.to_json(), refused.status, refused.headers)


def as_refused(error: Exception) -> Refused:
    """A failure of ours, for a caller who can only try again."""
    if isinstance(error, Refused):
        return error
    if isinstance(error, DlmError):
        hint = f"; {error.hint}" if error.hint else ""
        return Refused(503, f"{error}{hint}", code="unavailable", headers={"Retry-After": "5"})
    return Refused(500, "the server failed at this request", code="internal_error")


def _digest(secret: bytes) -> bytes:
    """So that the comparison does not tell the length either."""
    return hashlib.sha256(secret).digest()


async def _refused(request: Request, error: Exception) -> Response:
    return response_to(as_refused(error))


async def _not_found(request: Request, error: Exception) -> Response:
    message = f"there is no {request.method} {request.url.path} here"
    return response_to(Refused(404, message, code="not_found"))


async def gone(request: Request, error: Exception) -> Response:
    """To a client that went away, which will not hear it."""
    return Response(status_code=400)


HANDLERS: dict[Any, ExceptionHandler] = {
    404: _not_found,
    405: _not_found,
    Refused: _refused,
    DlmError: _refused,
    ClientDisconnect: gone,
    Exception: _refused,
}
