"""Where an OpenAI-compatible server is, and with which key it is asked."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from urllib.parse import urlsplit, urlunsplit

from dlm.errors import TeacherError

OPENAI = "https://api.openai.com/v1"
OPENAI_KEY = "OPENAI_API_KEY"


@dataclass(frozen=True, slots=True)
class Address:
    """`url` ends in the API's root, such as `…/v1`; `model` is empty where none was named.

    The key shows in no representation, and goes to this address only.
    """

    url: str
    model: str = ""
    key: str = field(default="", repr=False)
    key_name: str = ""


def openai_address(model: str, key_env: str | None) -> Address:
    """OpenAI itself; raises TeacherError without a model or a key."""
    if not model:
        raise TeacherError("openai: names no model", hint="as in --teacher openai:gpt-4.1-mini")
    name = key_env or OPENAI_KEY
    return Address(OPENAI, model, _key(name), name)


def server_address(text: str, key_env: str | None) -> Address:
    """Any other server: `[http(s)://]host[:port][/path][#model]`.

    It gets a key only when the owner names one. Raises TeacherError for what is no such address.
    """
    whole = text if "://" in text else f"http://{text}"
    try:
        parts = urlsplit(whole)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise _no_address(text) from error
    if parts.scheme not in ("http", "https") or not host or " " in whole:
        raise _no_address(text)
    if parts.username or parts.password or parts.query:
        raise TeacherError(
            f"the address of the teacher at {host} holds a password or parameters",
            hint="put the key into an environment variable and name it: --api-key-env NAME",
        )
    path = parts.path.rstrip("/").removesuffix("/chat/completions") or "/v1"
    url = urlunsplit((parts.scheme, parts.netloc, path, "", ""))
    return Address(url, parts.fragment, _key(key_env) if key_env else "", key_env or "")


def _key(name: str) -> str:
    key = os.environ.get(name, "").strip()
    if not key:
        raise TeacherError(
            f"the environment variable {name} is not set",
            hint=f"export {name}=…, or name the variable that holds the key: --api-key-env NAME",
        )
    if not key.isascii() or not key.isprintable():
        raise TeacherError(f"the environment variable {name} holds something that is no key")
    return key


def _no_address(text: str) -> TeacherError:
    return TeacherError(
        f"{text!r} is not the address of a server",
        hint="as in --teacher http://localhost:8000 or https://host/v1#model",
    )
