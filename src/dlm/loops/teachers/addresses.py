"""From what the owner writes of servers to their addresses, with the key each of them is sent.

Asks nobody.
"""

from __future__ import annotations

import os
import re
from dataclasses import replace
from typing import Final
from urllib.parse import urlsplit, urlunsplit

from dlm.errors import TeacherError
from dlm.loops.teachers.http import OPENAI, Address

_OPENAI_KEY: Final = "OPENAI_API_KEY"
# A model's name may hold an @, too.
_MODEL_AT: Final = re.compile(r"(?P<model>.*?)@(?P<servers>\w+://.*|[^@]*)")
_PASSWORD: Final = re.compile(r"(?:^|//|,)[^/#]*@")


def addresses_of(kind: str, text: str, key_env: str | None) -> list[Address]:
    """Of `openai:` a model, at OpenAI's or after an @ at other servers; else addresses alone."""
    if kind != "openai":
        return server_addresses(text, key_env)
    named = _MODEL_AT.fullmatch(text)
    if named is None:
        return [openai_address(text, key_env)]
    if not named["model"]:
        raise TeacherError("openai: names no model", hint="as in --teacher openai:model@URL")
    found = server_addresses(named["servers"], key_env)
    if any(one.model for one in found):
        raise TeacherError(
            f"openai:{text} names a model before the @ and one after a #", hint="name it once"
        )
    return [replace(one, model=named["model"]) for one in found]


def server_addresses(text: str, key_env: str | None) -> list[Address]:
    """The servers of a list with commas, which all serve one model; TeacherError if they cannot."""
    if "," in text and _PASSWORD.search(text):  # which may hold the comma
        raise _secret("one of the servers")
    found = [server_address(one.strip(), key_env) for one in text.split(",")]
    urls = [one.url for one in found]
    if len(set(urls)) < len(urls):
        twice = next(url for url in urls if urls.count(url) > 1)
        raise TeacherError(f"{twice} is named twice", hint="name each server once")
    if len({urlsplit(url).scheme for url in urls}) > 1:
        raise TeacherError(
            f"http and https are mixed in {', '.join(urls)}",
            hint="name all servers of one teacher with http, or all with https",
        )
    models = sorted({one.model for one in found if one.model})
    if len(models) > 1:
        raise TeacherError(
            f"the servers of one teacher serve one model, and these are {' and '.join(models)}",
            hint="name it once, after the last address: #model",
        )
    return [replace(one, model=models[0]) for one in found] if models else found


def openai_address(model: str, key_env: str | None) -> Address:
    """OpenAI itself; raises TeacherError without a model or a key."""
    if not model:
        raise TeacherError("openai: names no model", hint="as in --teacher openai:gpt-4.1-mini")
    name = key_env or _OPENAI_KEY
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
        raise _secret(host)
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


def _secret(where: str) -> TeacherError:
    return TeacherError(
        f"the address of the teacher at {where} holds a password or parameters",
        hint="put the key into an environment variable and name it: --api-key-env NAME",
    )


def _no_address(text: str) -> TeacherError:
    return TeacherError(
        f"{text!r} is not the address of a server",
        hint="as in --teacher http://localhost:8000 or https://host/v1#model",
    )
