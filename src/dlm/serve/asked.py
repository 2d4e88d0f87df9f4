"""The body of a request to `/v1/chat/completions` or `/v1/completions`, read and checked.

Pure. A parameter that cannot be kept is refused by its name; those that change nothing here
(`user`, `metadata`, `store`, …) are passed over.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

from dlm.data.chat import Message
from dlm.serve.bodies import object_of
from dlm.serve.refusals import Refused

MOST_CHOICES: Final = 16
MOST_STOPS: Final = 4
MOST_OTHERS: Final = 20
MOST_ROWS: Final = 128  # choices of all prompts
_ROLES: Final = {"system": "system", "developer": "system", "user": "user"} | {
    "assistant": "assistant"
}
_CANNOT_BE_SAID: Final = re.compile("[\ud800-\udfff]")
_HARMLESS: Final = frozenset(
    {"user", "metadata", "store", "service_tier", "safety_identifier", "prompt_cache_key"}
    | {"parallel_tool_calls", "prompt_cache_retention"}
)
_COMMON: Final = frozenset(
    {"model", "max_tokens", "temperature", "top_p", "seed", "n", "stop", "stream"}
    | {"stream_options", "logprobs"}
)
_CHAT: Final = frozenset({"messages", "max_completion_tokens", "top_logprobs"})
_TEXT: Final = frozenset({"prompt", "echo"})
# What is taken with the one value that asks for nothing.
_NEUTRAL: Final[Mapping[str, Collection[Any]]] = {
    "frequency_penalty": (0,),
    "presence_penalty": (0,),
    "logit_bias": ({},),
    "response_format": ({"type": "text"},),
    "modalities": (["text"],),
    "tools": ([],),
    "tool_choice": ("none", "auto"),
    "functions": ([],),
    "function_call": ("none", "auto"),
    "best_of": (1,),
    "suffix": ("",),
}


@dataclass(frozen=True, slots=True)
class Asked:
    """One request: a conversation, or prompts to continue; None leaves a choice to the server.

    `others` is how many likeliest tokens are wanted beside each, None for no logprobs.
    """

    model: str
    messages: tuple[Message, ...] = ()
    prompts: tuple[str | tuple[int, ...], ...] = ()
    max_tokens: int | None = None
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int | None = None
    n: int = 1
    stop: tuple[str, ...] = ()
    stream: bool = False
    wants_usage: bool = False
    others: int | None = None
    echo: bool = False

    @property
    def question(self) -> str | None:
        """What the user said last."""
        said = [one["content"] for one in self.messages if one["role"] == "user"]
        return said[-1] if said else None


def read_chat(body: bytes) -> Asked:
    """A request to `/v1/chat/completions`; raises Refused."""
    fields = _Fields(object_of(body), _COMMON | _CHAT)
    wanted = fields.flag("logprobs")
    others = fields.whole("top_logprobs", 0, MOST_OTHERS)
    if others is not None and not wanted:
        raise _bad("top_logprobs", "top_logprobs needs logprobs: true")
    most = fields.whole("max_completion_tokens", 1, None)
    return _asked(
        fields,
        messages=_messages(fields.values.get("messages")),
        max_tokens=most if most is not None else fields.whole("max_tokens", 1, None),
        others=(others or 0) if wanted else None,
    )


def read_completion(body: bytes) -> Asked:
    """A request to `/v1/completions`; raises Refused."""
    fields = _Fields(object_of(body), _COMMON | _TEXT)
    echo, others = fields.flag("echo"), fields.whole("logprobs", 0, 5)
    if echo and others is not None:
        raise _bad("logprobs", "logprobs of a prompt are not given: leave echo or logprobs out")
    prompts = _prompts(fields.values.get("prompt"))
    if len(prompts) * (fields.whole("n", 1, MOST_CHOICES) or 1) > MOST_ROWS:
        raise _bad("prompt", f"prompt and n ask for at most {MOST_ROWS} texts in all")
    return _asked(
        fields,
        prompts=prompts,
        max_tokens=fields.whole("max_tokens", 1, None),
        others=others,
        echo=echo,
    )


def _asked(fields: _Fields, **more: Any) -> Asked:
    model = fields.values.get("model")
    if not isinstance(model, str) or not model:
        raise _bad(
            "model", "model is missing or not a string; GET /v1/models lists those there are"
        )
    options = fields.values.get("stream_options") or {}
    if not isinstance(options, dict):
        raise _bad("stream_options", "stream_options is not an object")
    stream = fields.flag("stream")
    if options and not stream:
        raise _bad("stream_options", "stream_options needs stream: true")
    return Asked(
        model,
        temperature=fields.number("temperature", 0.0, 5.0, 0.0),
        top_p=fields.number("top_p", 0.0, 1.0, 1.0) or 1e-9,
        seed=fields.whole("seed", -(2**63), 2**63 - 1),
        n=fields.whole("n", 1, MOST_CHOICES) or 1,
        stop=_stops(fields.values.get("stop")),
        stream=stream,
        wants_usage=options.get("include_usage") is True,
        **more,
    )


class _Fields:
    """The values of a request by name; None and what changes nothing counts as not given."""

    def __init__(self, given: dict[str, Any], known: frozenset[str]) -> None:
        self.values = {name: value for name, value in given.items() if value is not None}
        for name, value in self.values.items():
            if name in known or name in _HARMLESS:
                continue
            neutral = _NEUTRAL.get(name)
            if neutral is None:
                raise _bad(name, f"{_short(name)} is not a parameter that this server knows")
            if value not in neutral:
                only = " or ".join(json.dumps(one) for one in neutral)
                raise _bad(name, f"{name} cannot be kept here; leave it out, or send {only}")

    def flag(self, name: str) -> bool:
        value = self.values.get(name, False)
        if not isinstance(value, bool):
            raise _bad(name, f"{name} is neither true nor false")
        return value

    def whole(self, name: str, least: int, most: int | None) -> int | None:
        value = self.values.get(name)
        if value is None:
            return None
        if not isinstance(value, int) or isinstance(value, bool):
            raise _bad(name, f"{name} is not a whole number")
        if value < least or (most is not None and value > most):
            limits = f"at least {least}" if most is None else f"between {least} and {most}"
            raise _bad(name, f"{name} is {limits}")
        return value

    def number(self, name: str, least: float, most: float, usual: float) -> float:
        value = self.values.get(name, usual)
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise _bad(name, f"{name} is not a number")
        if not (math.isfinite(value) and least <= value <= most):
            raise _bad(name, f"{name} is between {least:g} and {most:g}")
        return float(value)


def _messages(value: Any) -> tuple[Message, ...]:
    if not isinstance(value, list) or not value:
        raise _bad("messages", "messages is missing, empty or not a list")
    found: list[Message] = []
    for place, one in enumerate(value):
        at = f"messages[{place}]"
        if not isinstance(one, dict):
            raise _bad(at, f"{at} is not an object")
        role = one.get("role")
        if not isinstance(role, str) or role not in _ROLES:
            raise _bad(f"{at}.role", f"{at}.role is system, developer, user or assistant")
        if one.get("tool_calls") or one.get("function_call"):
            raise _bad(f"{at}.tool_calls", "tools cannot be called here")
        found.append({"role": _ROLES[role], "content": _content(one.get("content"), at)})
    if not any(one["role"] == "user" for one in found):
        raise _bad("messages", "messages hold nothing that a user said")
    return tuple(found)


def _content(value: Any, at: str) -> str:
    """The text of a message, which may come in parts."""
    name = f"{at}.content"
    if isinstance(value, list):
        texts = []
        for part in value:
            if not isinstance(part, dict) or part.get("type") != "text":
                raise _bad(name, f"{name} holds a part that is not text")
            texts.append(_text(part.get("text"), name))
        return "".join(texts)
    return _text(value, name)


def _prompts(value: Any) -> tuple[str | tuple[int, ...], ...]:
    several = isinstance(value, list) and value and not all(type(one) is int for one in value)
    prompts = value if several else [value]
    return tuple(_prompt(one) for one in prompts)


def _prompt(value: Any) -> str | tuple[int, ...]:
    if isinstance(value, list) and value and all(type(one) is int for one in value):
        return tuple(value)
    if not isinstance(value, str):
        raise _bad("prompt", "prompt is missing, empty or neither text nor tokens")
    return _text(value, "prompt")


def _stops(value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    stops = [value] if isinstance(value, str) else value
    if not isinstance(stops, list) or not all(isinstance(one, str) and one for one in stops):
        raise _bad("stop", "stop is a text or a list of texts, none of them empty")
    if len(stops) > MOST_STOPS:
        raise _bad("stop", f"stop holds at most {MOST_STOPS} texts")
    return tuple(stops)


def _text(value: Any, name: str) -> str:
    if not isinstance(value, str):
        raise _bad(name, f"{name} is missing or not text")
    if _CANNOT_BE_SAID.search(value):
        raise _bad(name, f"{name} holds half of a character")
    return value


def _short(name: str) -> str:
    return json.dumps(name if len(name) <= 60 else f"{name[:59]}…")


def _bad(param: str, message: str) -> Refused:
    return Refused(400, message, param=param[:200], code="invalid_value")
