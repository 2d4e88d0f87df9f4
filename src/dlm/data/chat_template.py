"""Conversations as text, in the words of a base model's own chat template.

The template never sees what a person wrote: it renders placeholders, and the contents take their
places afterwards. So no content can steer it, and where each one lies is known. Knows no tokens.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol, TypedDict

from dlm.errors import BaseModelError

if TYPE_CHECKING:
    from jinja2 import Environment, Template


class Message(TypedDict):
    """One turn: `role` is system, user or assistant."""

    role: str
    content: str


@dataclass(frozen=True, slots=True)
class Content:
    """Where the content of message number `message` lies in a rendered text."""

    start: int
    end: int
    message: int


@dataclass(frozen=True, slots=True)
class Rendered:
    """A conversation as one text; all that lies outside `contents` was written by the template."""

    text: str
    contents: tuple[Content, ...] = ()

    def start_of(self, message: int) -> int | None:
        """Where the content of a message begins; None when the template left it out."""
        return next((c.start for c in self.contents if c.message == message), None)

    def tail(self, start: int) -> Rendered:
        """The text from `start` on, with the contents that lie there."""
        kept = [c for c in self.contents if c.end > start]
        moved = (Content(max(c.start - start, 0), c.end - start, c.message) for c in kept)
        return Rendered(self.text[start:], tuple(moved))

    def __add__(self, other: Rendered) -> Rendered:
        """One text after the other."""
        by = len(self.text)
        moved = (Content(c.start + by, c.end + by, c.message) for c in other.contents)
        return Rendered(self.text + other.text, (*self.contents, *moved))


class Renderer(Protocol):
    """Turns messages into text, open for an answer when `generation_prompt` is set."""

    @property
    def source(self) -> str: ...

    def render(
        self, messages: Sequence[Message], *, generation_prompt: bool, thinking: bool = False
    ) -> Rendered: ...


class PlainTemplate:
    """`Question: …`, `Answer: …` for base models that come without a chat template."""

    source = ""

    def __init__(self, end_of_text: str) -> None:
        self._end = end_of_text

    def render(
        self, messages: Sequence[Message], *, generation_prompt: bool, thinking: bool = False
    ) -> Rendered:
        """The turns one below the other, each answer closed by the end-of-text token."""
        before = {"system": "", "user": "Question: ", "assistant": "Answer: "}
        after = {"system": "\n\n", "user": "\n", "assistant": f"{self._end}\n\n"}
        shielded = [
            f"{before[m['role']]}{_placeholder(i)}{after[m['role']]}"
            for i, m in enumerate(messages)
        ]
        text = "".join(shielded) + ("Answer:" if generation_prompt else "")
        return _fill(text, [m["content"].strip() for m in messages])


class JinjaTemplate:
    """The chat template of a base model, run in a sandbox: it comes from the model's folder."""

    def __init__(self, source: str, variables: Mapping[str, str]) -> None:
        self.source = source
        self._variables = dict(variables)

    def render(
        self, messages: Sequence[Message], *, generation_prompt: bool, thinking: bool = False
    ) -> Rendered:
        """The conversation in the template's words; BaseModelError when the template refuses it."""
        from jinja2 import TemplateError

        shielded = [
            {**m, "content": _shield(m["content"], number)} for number, m in enumerate(messages)
        ]
        try:
            text = self._template.render(
                messages=shielded,
                add_generation_prompt=generation_prompt,
                enable_thinking=thinking,
                **self._variables,
            )
        except TemplateError as error:
            raise BaseModelError(
                f"the chat template of this base model refuses the conversation: {error.message}"
            ) from error
        return _fill(text, [m["content"].strip() for m in messages])

    @cached_property
    def _template(self) -> Template:
        from jinja2 import TemplateSyntaxError

        try:
            return _environment(self.source).from_string(self.source)
        except TemplateSyntaxError as error:
            raise BaseModelError(
                f"the chat template of this base model has a mistake: {error.message}",
                hint="download the base model again, or choose another one",
            ) from error


_MARK = re.compile("\ue000([0-9]+)\ue001")


def _placeholder(number: int) -> str:
    return f"\ue000{number}\ue001"


def _shield(content: str, number: int) -> str:
    """The content with its core replaced; outer white space stays, as templates may trim it."""
    core = content.strip()
    if not core:
        return content
    start = content.index(core)
    return content[:start] + _placeholder(number) + content[start + len(core) :]


def _fill(shielded: str, cores: Sequence[str]) -> Rendered:
    """Put every core where its placeholder stands."""
    text = ""
    contents: list[Content] = []
    for index, piece in enumerate(_MARK.split(shielded)):
        if index % 2 == 0:
            text += piece
        else:
            core = cores[int(piece)]
            contents.append(Content(len(text), len(text) + len(core), int(piece)))
            text += core
    return Rendered(text, tuple(contents))


def _environment(source: str) -> Environment:
    from jinja2 import TemplateError
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    def raise_exception(message: str) -> None:
        raise TemplateError(message)

    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.loopcontrols", _generation_tag()],
    )
    environment.filters["tojson"] = _to_json
    environment.globals["raise_exception"] = raise_exception
    if "strftime_now is defined" not in source:
        environment.globals["strftime_now"] = _fixed_date
    return environment


def _generation_tag() -> type[Any]:
    """`{% generation %}` marks what the model says; the answer is found by other means here."""
    from jinja2.ext import Extension
    from jinja2.nodes import Node
    from jinja2.parser import Parser

    class GenerationTag(Extension):
        tags = {"generation"}  # noqa: RUF012 - the attribute's type is jinja2's

        def parse(self, parser: Parser) -> list[Node]:
            next(parser.stream)
            return parser.parse_statements(("name:endgeneration",), drop_needle=True)

    return GenerationTag


def _to_json(value: object, indent: int | None = None, **options: Any) -> str:
    # jinja2's own filter escapes for HTML, which no model was trained on.
    return json.dumps(value, ensure_ascii=False, indent=indent, **options)


def _fixed_date(pattern: str) -> str:
    # Today's date would make yesterday's adapter answer to another prompt than it was trained on.
    return date(2024, 7, 26).strftime(pattern)
