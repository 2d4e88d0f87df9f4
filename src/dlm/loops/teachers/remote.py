"""A teacher behind a server that speaks OpenAI's chat protocol.

Here only its answers are read; what goes wrong on the way is `http`'s business.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from dlm.data.completion import Completion, Done, Request
from dlm.errors import TeacherError
from dlm.loops.teachers.address import OPENAI, Address
from dlm.loops.teachers.http import TIMEOUT, Connection, Rejected
from dlm.loops.teachers.together import Unanswered, ask_together

AT_ONCE = 8  # requests under way
_OPTIONAL = ("temperature", "top_p", "seed", "n")
_LIMITS = ("max_tokens", "max_completion_tokens")


class RemoteTeacher:
    """Asks for chat completions; what it is asked leaves this machine."""

    def __init__(
        self,
        address: Address,
        *,
        at_once: int = AT_ONCE,
        timeout: float = TIMEOUT,
        backoff: float = 1.0,
    ) -> None:
        """Asks the server for its model if none is named; raises TeacherError."""
        self._connection = Connection(address, timeout=timeout, backoff=backoff)
        self._at_once = at_once
        self._model = address.model or self._only_model(address)
        openai = address.url == OPENAI
        self.name = f"openai:{self._model}" if openai else f"{address.url}#{self._model}"
        self._limit = _LIMITS[1] if openai else _LIMITS[0]
        self._left_out: set[str] = set()

    @property
    def identity(self) -> str:
        """Server and model; that a server changes what is behind a name cannot be seen."""
        return self.name

    @property
    def notices(self) -> tuple[str, ...]:
        """Parameters that the server does not take, and that were therefore left out."""
        return tuple(f"{self.name} does not take {name}" for name in sorted(self._left_out))

    def complete(self, requests: Sequence[Request], done: Done) -> None:
        """Several requests at once; each is tried again where that may help."""
        asyncio.run(self._complete(requests, done))

    async def _complete(self, requests: Sequence[Request], done: Done) -> None:
        async with self._connection.open():
            await ask_together(self.name, requests, self._ask, done, at_once=self._at_once)

    async def _ask(self, request: Request) -> list[Completion]:
        """All completions, also of a server that gives fewer a call than were asked for."""
        got: list[Completion] = []
        while len(got) < request.n:
            answer = await self._post(request, len(got))
            more = [_completion(choice) for choice in answer["choices"]]
            if not more:
                raise Unanswered("gave no completion")
            got += more
        return got[: request.n]

    async def _post(self, request: Request, had: int) -> dict[str, Any]:
        while True:
            body = self._body(request, had)
            try:
                return await self._connection.post("chat/completions", body, _is_answer)
            except Rejected as error:
                if not self._adapt(error, body):
                    raise Unanswered(str(error)) from error

    def _body(self, request: Request, had: int) -> dict[str, Any]:
        system = [{"role": "system", "content": request.system}] if request.system else []
        body: dict[str, Any] = {
            "model": self._model,
            "messages": [*system, {"role": "user", "content": request.prompt}],
            self._limit: request.max_new_tokens,
            "temperature": request.temperature,
            "seed": request.seed + had,
        }
        if request.top_p != 1:
            body["top_p"] = request.top_p
        if request.n - had > 1:
            body["n"] = request.n - had
        return {key: value for key, value in body.items() if key not in self._left_out}

    def _adapt(self, error: Rejected, body: dict[str, Any]) -> bool:
        """Do without a parameter that the server named as not supported, or spell it anew."""
        if error.parameter in _OPTIONAL and error.parameter in body:
            self._left_out.add(error.parameter)
            return True
        if error.parameter == self._limit == _LIMITS[0] and _LIMITS[1] in str(error):
            self._limit = _LIMITS[1]
            return True
        return error.parameter in _LIMITS and error.parameter not in body

    def _only_model(self, address: Address) -> str:
        answer = asyncio.run(self._models())
        models = [str(one["id"]) for one in answer["data"]]
        if len(models) == 1:
            return models[0]
        some = ", ".join(models[:5]) + (", …" if len(models) > 5 else "")
        raise TeacherError(
            f"{address.url} serves {some}" if models else f"{address.url} serves no model",
            hint="name one of them after the address: #model",
        )

    async def _models(self) -> dict[str, Any]:
        try:
            async with self._connection.open():
                return await self._connection.get("models", _is_listing)
        except (Unanswered, Rejected) as error:
            raise TeacherError(
                f"{self._connection.address.url} was asked which model it serves, and {error}",
                hint="name the model after the address: #model",
            ) from error


def _is_answer(value: Any) -> bool:
    choices = value.get("choices") if isinstance(value, dict) else None
    return isinstance(choices, list) and all(
        isinstance(choice, dict) and isinstance(choice.get("message"), dict) for choice in choices
    )


def _is_listing(value: Any) -> bool:
    models = value.get("data") if isinstance(value, dict) else None
    return isinstance(models, list) and all(isinstance(m, dict) and "id" in m for m in models)


def _completion(choice: dict[str, Any]) -> Completion:
    message = choice["message"]
    thought = message.get("reasoning_content") or message.get("reasoning") or ""
    finished = choice.get("finish_reason") != "length"
    made = Completion.of(_text(message.get("content")), finished=finished)
    if not thought:
        return made
    return Completion(str(made), reasoning=_text(thought), finished=finished)


def _text(content: Any) -> str:
    """The text of a message, which some servers send in parts."""
    if isinstance(content, list):
        return "".join(_text(part.get("text")) for part in content if isinstance(part, dict))
    return content if isinstance(content, str) else ""
