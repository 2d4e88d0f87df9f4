"""From what the owner writes (`--teacher …`) to an open teacher, on this machine or elsewhere.

A new kind of teacher is one more line in KINDS. Nothing is loaded or asked until it is used, except
that a server with no model named is asked which it has.
"""

from __future__ import annotations

import contextlib
import difflib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit, urlunsplit

from dlm.base_models import BASE_MODELS
from dlm.data.completion import Done, Request
from dlm.doc.document import Document
from dlm.errors import TeacherError
from dlm.loops.teachers.protocol import Teacher

if TYPE_CHECKING:
    from dlm.engine.resident import Resident
    from dlm.loops.teachers.http import Address

KINDS: Final = {
    "self": "the document's current adapter; self:v0003 for another version",
    "base": "the document's base model without an adapter",
    "hf:<model>": "a model of the Hugging Face hub, as in hf:Qwen/Qwen2.5-0.5B-Instruct",
    "./folder": "a model in a folder",
    "openai:<model>": "OpenAI, with the key in OPENAI_API_KEY",
    "vllm-server:<url>": "a vLLM server",
    "http(s)://…": "any server that speaks OpenAI's protocol; #model names one of several",
    "cli:<command>": "a program, run once a request",
}


_OPENAI_KEY: Final = "OPENAI_API_KEY"


@contextlib.contextmanager
def open_teacher(
    spec: str,
    document: Document,
    *,
    resident: Resident | None = None,
    thinking: bool = False,
    strength: float = 1.0,
    api_key_env: str | None = None,
    at_once: int | None = None,
    timeout: float | None = None,
    backoff: float = 1.0,
) -> Iterator[Teacher]:
    """The teacher that `spec` names, open until the block ends.

    `resident` is the document's model where it is open already, so that it is not loaded twice;
    `thinking` lets a thinking model on this machine reason first, and `strength` is how much of its
    adapter `self` speaks with. Of any other teacher `at_once`
    requests are under way together, each for at most `timeout` seconds, and `backoff` is the first
    wait before a second try. Raises TeacherError, BaseModelError or StoreError when there is none.
    """
    spec = spec.strip()
    kind, _, rest = spec.partition(":")
    if kind == "self" or spec == "base":
        with _own(document, kind, rest, resident, thinking, strength) as teacher:
            yield teacher
    elif kind == "cli":
        from dlm.loops.teachers.command import TIMEOUT, CommandTeacher

        yield CommandTeacher(rest, at_once=at_once or 1, timeout=timeout or TIMEOUT)
    elif kind in ("openai", "vllm-server", "http", "https"):
        from dlm.loops.teachers.http import TIMEOUT
        from dlm.loops.teachers.remote import AT_ONCE, RemoteTeacher

        yield RemoteTeacher(
            openai_address(rest, api_key_env)
            if kind == "openai"
            else server_address(rest if kind == "vllm-server" else spec, api_key_env),
            at_once=at_once or AT_ONCE,
            timeout=timeout or TIMEOUT,
            backoff=backoff,
        )
    elif kind == "hf" or spec in BASE_MODELS or _is_folder(spec):
        with _other(spec, thinking) as teacher:
            yield teacher
    else:
        raise _unknown(spec)


class LocalTeacher:
    """A resident model that completes, with its adapter or without.

    An adapter speaks at `strength`, from 0 to 1: one that was trained to answer forgets how to ask,
    and half of it still knows the document.
    """

    def __init__(
        self, resident: Resident, name: str, *, adapter: bool, strength: float = 1.0
    ) -> None:
        self.resident, self.name, self.adapter = resident, name, adapter
        self.strength = strength

    @property
    def identity(self) -> str:
        """The name, the weights of the base and those of the adapter, if it speaks."""
        parts = [self.name, f"base={self.resident.base_fingerprint}"]
        if self.adapter and self.resident.version is not None:
            parts.append(f"adapter={self.resident.version.sha256}")
            if self.strength != 1:
                parts.append(f"strength={self.strength:g}")
        if self.resident.thinking:
            parts.append("thinking")
        return " ".join(parts)

    def complete(self, requests: Sequence[Request], done: Done) -> None:
        """Answer in batches; a prompt too long for the context is refused."""
        if not self.adapter:
            self.resident.complete(requests, done, adapter=False)
            return
        with self.resident.model.at_strength(self.strength):
            self.resident.complete(requests, done, adapter=True)

    def prompt_tokens(self, request: Request) -> int:
        """How many tokens the model reads of this request, which need not fit its context."""
        return self.resident.prompt_tokens(request)


def openai_address(model: str, key_env: str | None) -> Address:
    """OpenAI itself; raises TeacherError without a model or a key."""
    from dlm.loops.teachers.http import Address
    from dlm.loops.teachers.remote import OPENAI

    if not model:
        raise TeacherError("openai: names no model", hint="as in --teacher openai:gpt-4.1-mini")
    name = key_env or _OPENAI_KEY
    return Address(OPENAI, model, _key(name), name)


def server_address(text: str, key_env: str | None) -> Address:
    """Any other server: `[http(s)://]host[:port][/path][#model]`.

    It gets a key only when the owner names one. Raises TeacherError for what is no such address.
    """
    from dlm.loops.teachers.http import Address

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


@contextlib.contextmanager
def _own(
    document: Document,
    kind: str,
    version: str,
    resident: Resident | None,
    thinking: bool,
    strength: float,
) -> Iterator[Teacher]:
    from dlm.engine.resident import Resident

    with contextlib.ExitStack() as stack:
        if resident is None or (version and not _is_version(resident, version)):
            resident = stack.enter_context(
                Resident.open(document, version=version or None, thinking=thinking)
            )
        if kind == "base":
            yield LocalTeacher(resident, f"base:{resident.base.key}", adapter=False)
        elif resident.version is not None:
            name = f"self:{resident.version.name}"
            yield LocalTeacher(resident, name, adapter=True, strength=strength)
        else:
            raise TeacherError(
                f"{document.path} is not trained yet, so it cannot teach itself",
                hint=f"dlm train {document.path}, or --teacher base",
            )


@contextlib.contextmanager
def _other(spec: str, thinking: bool) -> Iterator[Teacher]:
    from dlm.engine.resident import Resident

    with Resident.open_base(spec, thinking=thinking) as resident:
        # Not the whole path: the name is written into the document.
        name = f"folder:{resident.folder.name}" if _is_folder(spec) else spec
        name = f"base:{spec}" if spec in BASE_MODELS else name
        yield LocalTeacher(resident, name, adapter=False)


def _is_version(resident: Resident, name: str) -> bool:
    from dlm.store.records import version_number

    return resident.version is not None and resident.version.number == version_number(name)


def _is_folder(spec: str) -> bool:
    return spec.startswith(("./", "../", "~", "/")) or (bool(spec.strip()) and Path(spec).is_dir())


def _unknown(spec: str) -> TeacherError:
    kind, colon, rest = spec.partition(":")
    words = [known.partition(":")[0].partition("<")[0] for known in KINDS if known[0].isalpha()]
    known = {word.removesuffix("(s)"): word for word in words}
    guess = ""
    if close := difflib.get_close_matches(kind.lower(), known, n=1, cutoff=0.5):
        guess = f"did you mean {close[0]}{colon}{rest}? "
    elif close := difflib.get_close_matches(spec.lower(), BASE_MODELS, n=1, cutoff=0.6):
        guess = f"did you mean {close[0]}? "
    return TeacherError(f"there is no teacher {spec!r}", hint=f"{guess}known: {', '.join(KINDS)}")


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
