"""A teacher behind servers that speak OpenAI's chat protocol, or nearly.

Here their addresses are made of what the owner writes, with the key that each of them is sent; its
answers are read, and what it will not take is left out. Which server is asked, and what goes wrong
on the way, is the business of `endpoints` and `http`.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

from dlm.data.completion import Completion, Done, Request
from dlm.errors import TeacherError
from dlm.loops.teachers.endpoints import Endpoints
from dlm.loops.teachers.http import OPENAI, TIMEOUT, TWICE, Address, Connection, Failure
from dlm.loops.teachers.protocol import Unanswered, ask_together

AT_ONCE: Final = 8  # requests under way at each server
_LIMITS: Final = ("max_tokens", "max_completion_tokens")
_ABOUT_THE_REQUEST: Final = frozenset({0, 400, 405, 422, 500, 501})
_SYSTEM: Final = "a system message"
_CUT: Final = ("length", "max_tokens", "content_filter")

# By what words a server refuses a part of the request, whichever server it is.
_REFUSED: Final = {
    "n": re.compile(
        r"""['"`.]n['"`:]|\bn (?:must|should|is|has|>|=|!=|<)|\bn ?[=>]|^n:|"""
        r"""(?:parameter|argument|field|property|supplied|name)s?:? n\b|"""
        r"one completion choice|(?:only one|multiple) (?:candidate|choice|completion)|"
        r"candidate_?count",
        re.IGNORECASE,
    ),
    "seed": re.compile(r"\bseed\b", re.IGNORECASE),
    "top_p": re.compile(r"\btop[_-]?p\b", re.IGNORECASE),
    "temperature": re.compile(r"\btemperature\b", re.IGNORECASE),
    _SYSTEM: re.compile(
        r"\b(?:system|developer)\W+(?:roles?|messages?|prompts?|instructions?)\b|"
        r"\broles?\W+(?:system|developer)\b|roles must alternate|messages\W+0\W+role|"
        r"only \W?user\W? (?:and|or) \W?(?:assistant|model)|"
        r"(?:be|of) \W?user\W?(?: or |, ?)\W?(?:assistant|model)",
        re.IGNORECASE,
    ),
}
_TOO_LONG: Final = re.compile(
    r"too (?:large|long|many tokens)|context (?:length|window|size)|reduce the length",
    re.IGNORECASE,
)
# What follows lists the names that the server would take.
_TAKEN: Final = re.compile(
    r"expected one of|\b(?:supported|allowed|valid|accepted|permitted) "
    r"(?:parameter|field|key|argument|option|value)s?\b",
    re.IGNORECASE,
)
_UNKNOWN: Final = re.compile(
    r"not (?:permitted|supported|allowed|recogni[sz]ed)|does not support|cannot find|"
    r"un(?:known|supported|recogni[sz]ed|expected)|deprecated",
    re.IGNORECASE,
)
_OPENAI_KEY: Final = "OPENAI_API_KEY"
# A model's name may hold an @, too.
_MODEL_AT: Final = re.compile(r"(?P<model>.*?)@(?P<servers>\w+://.*|[^@]*)")
_PASSWORD: Final = re.compile(r"(?:^|//|,)[^/#]*@")


class RemoteTeacher:
    """Asks for chat completions; what it is asked leaves this machine."""

    def __init__(
        self,
        *addresses: Address,
        at_once: int = AT_ONCE,
        timeout: float = TIMEOUT,
        backoff: float = 1.0,
    ) -> None:
        """All serve one model, and are asked which if none is named; raises TeacherError."""
        self._endpoints = Endpoints(addresses, at_once=at_once, timeout=timeout, backoff=backoff)
        self._model = next((one.model for one in addresses if one.model), "") or self._only_model()
        urls = sorted(address.url for address in addresses)
        openai = urls == [OPENAI]
        self.name = f"openai:{self._model}" if openai else f"{','.join(urls)}#{self._model}"
        self._limits = list(reversed(_LIMITS) if openai else _LIMITS)
        self._left_out: set[str] = set()

    @property
    def identity(self) -> str:
        """Servers, in any order, and model; that one changes what is behind a name is not seen."""
        return self.name

    @property
    def notices(self) -> tuple[str, ...]:
        """What the server does not take, and is therefore asked without."""
        return tuple(f"{self.name} does not take {name}" for name in sorted(self._left_out))

    def complete(self, requests: Sequence[Request], done: Done) -> None:
        """Several requests at once; each is tried again where that may help."""
        asyncio.run(self._complete(requests, done))

    async def _complete(self, requests: Sequence[Request], done: Done) -> None:
        async with self._endpoints.open():
            at_once = self._endpoints.at_once
            await ask_together(self.name, requests, self._ask, done, at_once=at_once)

    async def _ask(self, request: Request) -> list[Completion]:
        """All completions, also of a server that gives fewer a call than were asked for."""
        got: list[Completion] = []
        while len(got) < request.n:
            got += await self._post(request, len(got))
        return got[: request.n]

    async def _post(self, request: Request, had: int) -> list[Completion]:
        while True:
            body = self._body(request, had)

            def other(failure: Failure, body: dict[str, Any] = body) -> bool:
                """Whether it can be asked otherwise by now; another request may have learned so."""
                self._adapt(failure)
                return failure.status in _ABOUT_THE_REQUEST and body != self._body(request, had)

            try:
                return await self._endpoints.ask(
                    "POST", "chat/completions", self._read, body, in_vain=other
                )
            except Failure as failure:
                if not other(failure):
                    raise Unanswered(str(failure)) from failure

    def _body(self, request: Request, had: int) -> dict[str, Any]:
        system, prompt = request.system, request.prompt
        if system and _SYSTEM in self._left_out:
            system, prompt = "", f"{system}\n\n{prompt}"
        first = [{"role": "system", "content": system}] if system else []
        body: dict[str, Any] = {
            "model": self._model,
            "messages": [*first, {"role": "user", "content": prompt}],
            self._limits[0]: request.max_new_tokens,
            "temperature": request.temperature,
            "seed": request.seed + had,
        }
        if request.top_p != 1:
            body["top_p"] = request.top_p
        if request.n - had > 1:
            body["n"] = request.n - had
        return {key: value for key, value in body.items() if key not in self._left_out}

    def _adapt(self, failure: Failure) -> None:
        """Do from now on without what the server refused, or spell it anew."""
        said = _TAKEN.split(failure.said)[0]
        if failure.status not in _ABOUT_THE_REQUEST or _TOO_LONG.search(said):
            return
        refused = {failure.param} & _REFUSED.keys() or {
            name for name, words in _REFUSED.items() if words.search(f"{failure.param} {said}")
        }
        if len(refused) > 1:  # what is said of another often names the temperature as the reason
            refused.discard("temperature")
        self._left_out |= refused
        used, other = self._limits[0], self._limits[-1]
        named = re.search(rf"\b{used}\b", f"{failure.param} {said}")
        if named and used != other and (other in said or _UNKNOWN.search(said)):
            self._limits = [other]

    def _read(self, value: Any, connection: Connection) -> list[Completion]:
        """The completions in an answer; a Failure where there is not one.

        Choices that hold an error, or nothing, are left out, as those beside them are good.
        """
        choices = value.get("choices") if isinstance(value, dict) else None
        if not isinstance(choices, list) or not all(isinstance(one, dict) for one in choices):
            raise _odd(value, connection)
        found: list[Completion] = []
        wrong = Failure("gave no completion", tries=TWICE)
        for choice in choices:
            try:
                found.append(_completion(choice, connection))
            except Failure as failure:
                wrong = failure
        if not found:
            raise wrong
        return found

    def _only_model(self) -> str:
        models = asyncio.run(self._models())
        if len(models) == 1:
            return models[0]
        some = ", ".join(models[:5]) + (", …" if len(models) > 5 else "")
        name = self._endpoints.name
        raise TeacherError(
            f"{name} serves {some}" if models else f"{name} serves no model",
            hint="name one of them after the address: #model",
        )

    async def _models(self) -> list[str]:
        try:
            async with self._endpoints.open():
                return await self._endpoints.ask("GET", "models", _models)
        except Failure as failure:
            raise TeacherError(
                f"{self._endpoints.name} was asked which model it serves, and {failure}",
                hint="name the model after the address: #model",
            ) from failure


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


def _completion(choice: dict[str, Any], connection: Connection) -> Completion:
    message, reason = choice.get("message"), choice.get("finish_reason")
    if choice.get("error") or reason == "error":
        raise connection.failure(choice)
    if not isinstance(message, dict):
        if reason == "content_filter":
            raise Failure("held its answer back (content_filter)")
        raise _odd(choice, connection)
    thought = _text(message.get("reasoning_content") or message.get("reasoning"))
    made = Completion.of(_text(message.get("content")), finished=reason not in _CUT)
    if thought:
        made = Completion(str(made), reasoning=thought, finished=made.finished)
    if made or (made.reasoning and not made.finished):
        return made
    if refusal := message.get("refusal"):
        raise Failure(f"declined: {connection.shown(str(refusal))}")
    if reason == "content_filter":
        raise Failure("held its answer back (content_filter)")
    raise Failure(
        "gave its reasoning and no answer" if made.reasoning else "gave an answer without text",
        tries=TWICE,
    )


def _odd(value: Any, connection: Connection) -> Failure:
    said = connection.excerpt(value)
    words = "answered with something else than OpenAI's protocol has"
    return Failure(f"{words}: {said}" if said else words, tries=TWICE)


def _models(value: Any, _: Connection) -> list[str]:
    models = value.get("data") if isinstance(value, dict) else None
    if not isinstance(models, list) or not all(isinstance(m, dict) and "id" in m for m in models):
        raise Failure("answered with something else than OpenAI's protocol has", tries=TWICE)
    return [str(one["id"]) for one in models]


def _text(content: Any) -> str:
    """The text of a message, which some servers send in parts; parts of reasoning are no text."""
    if isinstance(content, list):
        return "".join(
            _text(part.get("text"))
            for part in content
            if isinstance(part, dict) and part.get("type") in (None, "text", "output_text")
        )
    return content if isinstance(content, str) else ""


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
