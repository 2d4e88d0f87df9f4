"""How a base model's folder says that conversations are written: chat template and tokenizer.

The template never sees what a person wrote: it renders placeholders, and the contents take their
places afterwards. So no content can steer it, and where each one lies is known. The tokenizer
recognises control tokens only where the template wrote them. Neither knows of the other.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypedDict

from tokenizers import Tokenizer

from dlm.errors import BaseModelError

if TYPE_CHECKING:
    from jinja2 import Environment, Template

_MOST_RENDERED = 256
_BRIEF = 8  # characters of a text whose ids are remembered
_REMEMBERED = 4_096  # of them
_SPECIAL = ("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token")
# Where several of these are known, the first ends a text; `eos_token` alone may end a turn only.
_ENDS_OF_TEXT = (
    "<|endoftext|>",
    "<|end_of_text|>",
    "<｜end▁of▁sentence｜>",
    "<eos>",
    "</s>",
)


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
        self._rendered: dict[tuple[object, ...], str] = {}

    def render(
        self, messages: Sequence[Message], *, generation_prompt: bool, thinking: bool = False
    ) -> Rendered:
        """The conversation in the template's words; BaseModelError when the template refuses it."""
        shielded = [
            {**m, "content": _shield(m["content"], number)} for number, m in enumerate(messages)
        ]
        key = (*((m["role"], m["content"]) for m in shielded), generation_prompt, thinking)
        text = self._rendered.get(key)
        if text is None:
            text = self._render(shielded, generation_prompt, thinking)
            # A template sees placeholders for what people wrote, so that few are different.
            if len(self._rendered) < _MOST_RENDERED:
                self._rendered[key] = text
        return _fill(text, [m["content"].strip() for m in messages])

    def _render(
        self, shielded: list[dict[str, Any]], generation_prompt: bool, thinking: bool
    ) -> str:
        from jinja2 import TemplateError

        try:
            return self._template.render(
                messages=shielded,
                add_generation_prompt=generation_prompt,
                enable_thinking=thinking,
                **self._variables,
            )
        except TemplateError as error:
            raise BaseModelError(
                f"the chat template of this base model refuses the conversation: {error.message}"
            ) from error

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
        environment.globals["strftime_now"] = fixed_date
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


def fixed_date(pattern: str) -> str:
    """The one date that templates are told, in the form they ask for."""
    # Today's date would make yesterday's adapter answer to another prompt than it was trained on.
    return date(2024, 7, 26).strftime(pattern)


class Tokens:
    """The tokenizer and the special tokens of one base model."""

    def __init__(self, folder: Path, settings: dict[str, Any], *, template: str = "") -> None:
        """Read the tokenizer in `folder`; BaseModelError when there is none.

        Control tokens are the special ones and those that the chat template writes, like `<think>`.
        """
        self._tokenizer = _tokenizer(folder / "tokenizer.json")
        self.settings = settings
        self._brief: dict[str, tuple[int, ...]] = {}  # ids of short texts, such as line ends
        self.special = _special_tokens(folder, settings)
        self._control = {
            token.content
            for token in self._tokenizer.get_added_tokens_decoder().values()
            if token.special or (token.content.strip() and token.content in template)
        }

    def id_of(self, token: str | None) -> int | None:
        """The id of one token by its text; None when the vocabulary does not have it."""
        return None if token is None else self._tokenizer.token_to_id(token)

    @cached_property
    def control_ids(self) -> frozenset[int]:
        """The ids that steer a model: never the encoding of anything a person wrote."""
        known = (self._tokenizer.token_to_id(token) for token in self._control)
        return frozenset(number for number in known if number is not None)

    @cached_property
    def end_of_text_id(self) -> int | None:
        """The id that closes a text; None when the tokenizer has none."""
        for text in (*_ENDS_OF_TEXT, self.special.get("eos_token")):
            if text in self._control:
                return self.id_of(text)
        return self.id_of(self.special.get("eos_token"))

    @cached_property
    def opening_ids(self) -> list[int]:
        """What the tokenizer itself puts before a text, such as a beginning-of-text token."""
        bare = self._tokenizer.encode("a", add_special_tokens=False).ids
        full = self._tokenizer.encode("a", add_special_tokens=True).ids
        at = next((i for i in range(len(full)) if full[i : i + len(bare)] == bare), 0)
        return full[:at]

    def encode(
        self, text: str, contents: Iterable[tuple[int, int]], *, after: int | None = None
    ) -> list[int]:
        """The ids of `text`; inside `contents` (start, end) control tokens are mere characters.

        `after` is the token that stands before it, on which it depends whether a tokenizer that
        puts a dummy space before a text puts one here.
        """
        cuts = [
            match.start() + 1
            for start, end in contents
            for match in self._control_pattern.finditer(text[:end], start)
        ]
        ids: list[int] = []
        start = 0
        if not text:
            return ids
        # A control token's text that is encoded in two parts is not recognised as one.
        for cut in [*sorted(set(cuts)), len(text)]:
            ids += self._ids(text[start:cut], ids[-1] if ids else after)
            start = cut
        return ids

    def decode(self, ids: Sequence[int], *, skip_special: bool) -> str:
        """The text of `ids`, with or without the special tokens."""
        return self._tokenizer.decode(list(ids), skip_special_tokens=skip_special)

    def _ids(self, text: str, after: int | None) -> list[int]:
        if after is not None and self._adds_a_space:
            # Within a text there is none; after a control token there may be one.
            before = self.decode([after], skip_special=False) if after in self.control_ids else "\n"
            anchor = self._raw(before)
            ids = self._raw(before + text)
            if ids[: len(anchor)] == anchor:
                return ids[len(anchor) :]
        return self._raw(text)

    def _raw(self, text: str) -> list[int]:
        if len(text) <= _BRIEF and (known := self._brief.get(text)) is not None:
            return list(known)
        # The fast one leaves out where in the text each token stands.
        ids: list[int] = self._tokenizer.encode_batch_fast([text], add_special_tokens=False)[0].ids
        if len(text) <= _BRIEF and len(self._brief) < _REMEMBERED:
            self._brief[text] = tuple(ids)
        return ids

    @cached_property
    def _adds_a_space(self) -> bool:
        """Whether a text on its own is encoded as if a space stood before it."""
        alone = self._raw("a")
        return self._raw("\na")[-len(alone) :] != alone

    @cached_property
    def _control_pattern(self) -> re.Pattern[str]:
        longest_first = sorted((t for t in self._control if len(t) > 1), key=len, reverse=True)
        if not longest_first:
            return re.compile(r"(?!)")
        # Looking ahead consumes nothing, so overlapping ones are found as well.
        return re.compile("(?=" + "|".join(map(re.escape, longest_first)) + ")")


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file; empty when there is no file, BaseModelError when it is damaged."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise BaseModelError(
            f"cannot read {path}: {error}", hint="download the base model again"
        ) from error
    return value if isinstance(value, dict) else {}


def _tokenizer(path: Path) -> Tokenizer:
    if not path.is_file():
        raise BaseModelError(
            f"{path.parent} has no tokenizer.json",
            hint="save the model once with a fast tokenizer of the transformers library",
        )
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises bare Exceptions
        raise BaseModelError(
            f"cannot read {path}: {error}", hint="download the base model again"
        ) from error
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def _special_tokens(folder: Path, settings: dict[str, Any]) -> dict[str, str]:
    """The named special tokens, each as plain text."""
    named = {**read_json(folder / "special_tokens_map.json"), **settings}
    found: dict[str, str] = {}
    for name in _SPECIAL:
        value = named.get(name)
        text = value.get("content") if isinstance(value, dict) else value
        if isinstance(text, str):
            found[name] = text
    return found
