"""JSON over HTTP to one server: tries again where that helps, and says in a sentence why not.

Knows neither prompts nor completions. The key is sent in a header and stands in no message.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import time
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx2 as httpx

from dlm.errors import TeacherError
from dlm.loops.teachers.address import Address
from dlm.loops.teachers.together import Unanswered

TIMEOUT = 120.0  # seconds a try
_TRIES = 5
_TRIES_IF_SILENT = 2  # a server that hangs has already cost the whole time twice
_LONGEST_WAIT = 300.0  # seconds; whoever asks for more is not waited for
_MOST_BYTES = 32 * 1024 * 1024
_UNREACHABLE = (
    httpx.ConnectError,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
    httpx.InvalidURL,
)
_MAY_PASS = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 520, 522, 524, 529})


class Rejected(Exception):
    """The server understood and refused this request, naming `parameter` if one is to blame."""

    def __init__(self, message: str, parameter: str = "") -> None:
        super().__init__(message)
        self.parameter = parameter


class Connection:
    """Requests to one address; open it with `async with connection.open()`."""

    def __init__(self, address: Address, *, timeout: float = TIMEOUT, backoff: float = 1.0) -> None:
        """`backoff` is the first wait in seconds before a second try; it doubles each time."""
        self.address = address
        self._timeout, self._backoff = timeout, backoff
        self._client: httpx.AsyncClient | None = None
        self._answered = False
        self._rest_until = 0.0

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Connections are kept open inside."""
        key = self.address.key
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        # The time of a whole try is limited here; the library would limit each of its pieces.
        async with httpx.AsyncClient(headers=headers, timeout=None) as client:
            self._client = client
            yield

    async def get(self, path: str, is_right: Callable[[Any], bool]) -> dict[str, Any]:
        """The object that the server gives under `path`; errors as in `post`."""
        return await self._request("GET", path, None, is_right)

    async def post(self, path: str, body: Any, is_right: Callable[[Any], bool]) -> dict[str, Any]:
        """The object that the server answers; `is_right` tells whether it has the right form.

        Raises Unanswered when it does not come in several tries, Rejected when the server will not
        answer this request, TeacherError when it will answer none.
        """
        return await self._request("POST", path, body, is_right)

    async def _request(
        self, method: str, path: str, body: Any, is_right: Callable[[Any], bool]
    ) -> dict[str, Any]:
        tries = 0
        while True:
            try:
                await asyncio.sleep(max(0.0, self._rest_until - time.monotonic()))
                status, headers, data = await self._try(method, path, body)
                answer = self._judged(status, headers, data, is_right)
            except _Later as later:
                tries += 1
                if tries >= later.tries:
                    raise Unanswered(later.reason) from later
                await asyncio.sleep(self._wait(tries, later))
            else:
                self._answered = True
                return answer

    async def _try(self, method: str, path: str, body: Any) -> tuple[int, httpx.Headers, bytes]:
        assert self._client is not None
        url = f"{self.address.url}/{path}"
        data = bytearray()
        try:
            async with asyncio.timeout(self._timeout):
                async with self._client.stream(method, url, json=body) as response:
                    async for part in response.aiter_bytes():
                        data += part
                        if len(data) > _MOST_BYTES:
                            raise Unanswered(f"sent more than {_MOST_BYTES >> 20} MiB")
                return response.status_code, response.headers, bytes(data)
        except TimeoutError as error:
            reason = f"gave no answer within {self._timeout:g} s"
            raise _Later(reason, tries=_TRIES_IF_SILENT) from error
        except _UNREACHABLE as error:
            if not self._answered:
                raise self._out_of_reach(error) from error
            raise _Later("could not be reached any more") from error
        except httpx.TransportError as error:
            raise _Later("broke off the connection") from error
        except httpx.DecodingError as error:
            raise _Later("sent something that cannot be decoded") from error

    def _judged(
        self, status: int, headers: httpx.Headers, data: bytes, is_right: Callable[[Any], bool]
    ) -> dict[str, Any]:
        try:
            value: Any = json.loads(data)
        except (ValueError, RecursionError):
            value = None
        if status == 200:
            if not is_right(value):
                raise _Later("answered with something else than OpenAI's protocol has")
            return dict(value)
        problem = self._problem(value)
        said = f": {problem['message']}" if problem["message"] else ""
        if status in (401, 403):
            raise self._key_refused(status, said)
        if status == 404:
            raise TeacherError(
                f"{self.address.url} does not know the model or the path (404){said}",
                hint="check the address, which often ends in /v1, and the model's name",
            )
        if status == 402 or problem["code"] == "insufficient_quota":
            raise TeacherError(f"{self.address.url} asks to be paid first ({status}){said}")
        if 300 <= status < 400:
            target = self._shown(headers.get("location", "another address"))
            raise TeacherError(
                f"{self.address.url} sends us on to {target}",
                hint="if that is the teacher you mean, name it instead",
            )
        if status in _MAY_PASS:
            raise _Later(
                f"answered {status}{said}", wait=_retry_after(headers), shared=status == 429
            )
        raise Rejected(f"answered {status}{said}", problem["param"])

    def _wait(self, tries: int, later: _Later) -> float:
        """Exponential with jitter, so that many requests do not all come back at once."""
        if later.wait > _LONGEST_WAIT:
            raise TeacherError(
                f"{self.address.url} wants to be left alone for {later.wait:.0f} s",
                hint="what it answered before is kept; run this again then",
            )
        own = self._backoff * 2.0 ** (tries - 1) * random.uniform(0.5, 1.5)
        if later.shared:
            # Who asks one of several requests to slow down means all of them.
            self._rest_until = max(self._rest_until, time.monotonic() + later.wait)
        return max(own, later.wait)

    def _problem(self, value: Any) -> dict[str, str]:
        """Message, code and parameter of an error, as OpenAI and others write it."""
        error = value.get("error", value) if isinstance(value, dict) else {}
        error = error if isinstance(error, dict) else {"message": error}
        found = {name: error.get(name) for name in ("message", "code", "param")}
        found["message"] = found["message"] or error.get("detail")
        return {
            name: self._shown(text) if isinstance(text, str) else "" for name, text in found.items()
        }

    def _shown(self, text: str) -> str:
        """One short line without control characters, and without the key."""
        if self.address.key:
            text = text.replace(self.address.key, "…")
        return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:300]

    def _key_refused(self, status: int, said: str) -> TeacherError:
        name = self.address.key_name
        hint = (
            f"check the key in the environment variable {name}"
            if name
            else "it wants a key: put it into an environment variable and name that: --api-key-env"
        )
        return TeacherError(f"{self.address.url} refuses the key ({status}){said}", hint=hint)

    def _out_of_reach(self, error: Exception) -> TeacherError:
        return TeacherError(
            f"{self.address.url} cannot be reached: {self._shown(str(error)) or 'no connection'}",
            hint="check that the server runs and that the address is right",
        )


class _Later(Exception):
    """A try that failed in a way that may pass. `wait` is what the server asked for, in seconds."""

    def __init__(
        self, reason: str, *, tries: int = _TRIES, wait: float = 0.0, shared: bool = False
    ) -> None:
        super().__init__(reason)
        self.reason, self.tries, self.wait, self.shared = reason, tries, wait, shared


def _retry_after(headers: httpx.Headers) -> float:
    """Seconds, from a number or a date; 0 where there is none."""
    text = headers.get("retry-after", "").strip()
    with contextlib.suppress(ValueError):
        return max(0.0, float(text))
    with contextlib.suppress(ValueError, TypeError):
        moment = parsedate_to_datetime(text)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return max(0.0, (moment - datetime.now(UTC)).total_seconds())
    return 0.0
