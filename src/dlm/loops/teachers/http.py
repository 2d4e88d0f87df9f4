"""JSON over HTTP to one server: one try, and in a sentence why it gave no answer.

Knows neither prompts nor second tries. The key is sent in a header and stands in no message.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final

import httpx2 as httpx

from dlm.errors import TeacherError

OPENAI: Final = "https://api.openai.com/v1"
TIMEOUT: Final = 120.0  # seconds a try
TWICE: Final = 2  # tries of what hardly passes: silence that already cost two minutes, odd answers
_TRIES: Final = 5
_MOST_BYTES: Final = 32 * 1024 * 1024
_UNREACHABLE: Final = (
    httpx.ConnectError,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
    httpx.InvalidURL,
)
_MAY_PASS: Final = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 520, 522, 524, 529})
_AGAIN_IN: Final = re.compile(
    r"(?:try again|retry|wait)(?: again)?(?: in| after| for)? ((?:\d+(?:\.\d+)? ?[a-z]+ ?){1,4})",
    re.IGNORECASE,
)
_SPAN: Final = re.compile(r"(\d+(?:\.\d+)?) ?(ms|milli|s|m|h)", re.IGNORECASE)
_SECONDS: Final = {"ms": 0.001, "milli": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_TAGS: Final = re.compile(r"<(style|script)\b.*?</\1>|<[^>]*>", re.DOTALL | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Address:
    """`url` ends in the API's root, such as `…/v1`; `model` is empty where none was named.

    The key shows in no representation, and goes to this address only.
    """

    url: str
    model: str = ""
    key: str = field(default="", repr=False)
    key_name: str = ""


class Failure(Exception):
    """One try that gave no answer; its text goes on from the server's name: `answered 500: …`.

    `said` are the server's own words, `param` is what it names beside them. At most `tries` are
    made in all, the next after `wait` seconds. `down` says that the server, and not the request, is
    at fault.
    """

    def __init__(
        self,
        text: str,
        *,
        status: int = 0,
        said: str = "",
        param: str = "",
        tries: int = 1,
        wait: float = 0.0,
        down: bool = False,
    ) -> None:
        super().__init__(text)
        self.status, self.said, self.param = status, said, param
        self.tries, self.wait, self.down = tries, wait, down


class Unreachable(Failure):
    """Nobody listens there, or the way is blocked; `said` is why."""

    def __init__(self, said: str) -> None:
        super().__init__("could not be reached any more", said=said, tries=_TRIES, down=True)


class Connection:
    """Requests to one address; open it with `async with connection.open()`."""

    def __init__(self, address: Address, *, timeout: float = TIMEOUT) -> None:
        """A try may take `timeout` seconds."""
        self.address = address
        self._timeout = timeout
        self._client: httpx.AsyncClient | None = None

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Connections are kept open inside."""
        key = self.address.key
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        # The time of a whole try is limited here; the library would limit each of its pieces.
        # How many there are at once is limited by whoever asks.
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
        async with httpx.AsyncClient(headers=headers, timeout=None, limits=limits) as client:
            self._client = client
            yield

    async def ask(self, method: str, path: str, body: Any = None) -> Any:
        """The JSON of one answer that is no error.

        Raises Failure, and TeacherError when no other request would fare better.
        """
        assert self._client is not None
        data = bytearray()
        try:
            async with (
                asyncio.timeout(self._timeout),
                self._client.stream(method, f"{self.address.url}/{path}", json=body) as response,
            ):
                async for part in response.aiter_bytes():
                    data += part
                    if len(data) > _MOST_BYTES:
                        raise Failure(f"sent more than {_MOST_BYTES >> 20} MiB")
        except TimeoutError as error:
            raise Failure(
                f"gave no answer within {self._timeout:g} s", tries=TWICE, down=True
            ) from error
        except _UNREACHABLE as error:
            raise Unreachable(self.shown(str(error))) from error
        except httpx.TransportError as error:
            raise Failure("broke off the connection", tries=_TRIES, down=True) from error
        except httpx.DecodingError as error:
            raise Failure("sent something that cannot be decoded", tries=_TRIES) from error
        return self._judged(response.status_code, response.headers, bytes(data))

    def _judged(self, status: int, headers: httpx.Headers, data: bytes) -> Any:
        try:
            value: Any = json.loads(data)
        except (ValueError, RecursionError):
            value = None
        if isinstance(value, list) and len(value) == 1:
            value = value[0]  # Gemini puts a list around an error
        well = 200 <= status < 300
        if well and value is None:
            if "event-stream" in headers.get("content-type", "") or data.startswith(b"data:"):
                raise TeacherError(
                    f"{self.address.url} streams its answers, though it was not asked to",
                    hint="switch streaming off where the server is set up",
                )
            said = self.shown(_TAGS.sub(" ", data[:2000].decode("utf-8", "replace")))[:100]
            text = f"answered with no JSON: {said}" if said else "answered with nothing"
            raise Failure(text, tries=TWICE)
        if well and not (isinstance(value, dict) and is_error(value)):
            return value
        if value is None:
            value = _TAGS.sub(" ", data[:4000].decode("utf-8", "replace"))
        if 300 <= status < 400:
            target = self.shown(headers.get("location", "another address"))
            raise TeacherError(
                f"{self.address.url} sends us on to {target}",
                hint="if that is the teacher you mean, name it instead",
            )
        raise self.failure(value, 0 if well else status, _retry_after(headers))

    def failure(self, value: Any, status: int = 0, wait: float = 0.0) -> Failure:
        """What an error in the server's JSON is to us.

        Raises TeacherError where the key, the model or the account is at fault.
        """
        error = value.get("error", value) if isinstance(value, dict) else value
        code = error.get("code") if isinstance(error, dict) else None
        if not status and str(code).isdigit() and 400 <= int(str(code)) < 600:
            status = int(str(code))
        words = self.shown(words_of(value)) or self.excerpt(value)
        said = f": {words}" if words else ""
        url = self.address.url
        if status in (401, 403):
            name = self.address.key_name
            where = f"check the key in the environment variable {name}" if name else ""
            raise TeacherError(
                f"{url} refuses the key ({status}){said}",
                hint=where
                or "it wants a key: put it into an environment variable and name that: "
                "--api-key-env",
            )
        if status == 404:
            raise TeacherError(
                f"{url} does not know the model or the path (404){said}",
                hint="check the address, which often ends in /v1, and the model's name",
            )
        if status == 402 or code == "insufficient_quota":
            raise TeacherError(f"{url} asks to be paid first ({status}){said}")
        tries = _TRIES if status in _MAY_PASS else 1 if status else TWICE
        if again := _AGAIN_IN.search(words):
            spans = _SPAN.findall(again[1])
            wait = max(wait, sum(float(n) * _SECONDS[unit.lower()] for n, unit in spans))
        param = error.get("param") if isinstance(error, dict) else None
        return Failure(
            f"answered {status}{said}" if status else f"answered with an error{said}",
            status=status,
            said=words,
            param=param if isinstance(param, str) else "",
            tries=tries,
            wait=wait,
            down=status >= 500 and status in _MAY_PASS,
        )

    def shown(self, text: str) -> str:
        """One short line without control characters, and without the key."""
        if self.address.key:
            text = text.replace(self.address.key, "…")
        return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:300]

    def excerpt(self, value: Any) -> str:
        """The beginning of JSON in which there are no words."""
        return self.shown(json.dumps(value, ensure_ascii=False))[:100] if value else ""


def is_error(value: dict[str, Any]) -> bool:
    """Whether an object of status 200 is an error all the same."""
    return bool(value.get("error")) or (
        "choices" not in value and "data" not in value and bool(words_of(value))
    )


def words_of(value: Any) -> str:
    """The server's own words, wherever in an error's JSON it put them.

    `error.message` of OpenAI, a plain `error` of Ollama and LM Studio, `message` of vLLM,
    `detail[].loc` and `msg` of FastAPI and Mistral, `metadata.raw` of OpenRouter.
    """
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, list):
        return "; ".join(filter(None, map(words_of, value)))
    if not isinstance(value, dict):
        return ""
    names = ("error", "message", "msg", "detail", "errors", "error_message", "status_msg")
    text = ": ".join(dict.fromkeys(filter(None, (words_of(value.get(name)) for name in names))))
    if text and isinstance(value.get("loc"), list):
        text = f"{'.'.join(map(str, value['loc']))}: {text}"
    more = value.get("metadata")
    raw = words_of(more.get("raw")) if isinstance(more, dict) else ""
    return f"{text} ({raw})" if raw and raw != text else text


def _retry_after(headers: httpx.Headers) -> float:
    """Seconds, from a number or a date; 0 where there is none."""
    with contextlib.suppress(ValueError):
        return max(0.0, float(headers.get("retry-after-ms", "")) / 1000)
    text = headers.get("retry-after", "").strip()
    with contextlib.suppress(ValueError):
        return max(0.0, float(text))
    with contextlib.suppress(ValueError, TypeError):
        moment = parsedate_to_datetime(text)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return max(0.0, (moment - datetime.now(UTC)).total_seconds())
    return 0.0
