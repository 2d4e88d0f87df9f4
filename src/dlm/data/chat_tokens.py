"""A base model's tokenizer, read from its folder: text to token ids and back.

Control tokens are recognised only where the caller says so. Knows nothing of conversations.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from dlm.errors import BaseModelError

_SPECIAL = ("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token")
# Where several of these are known, the first ends a text; `eos_token` alone may end a turn only.
_ENDS_OF_TEXT = (
    "<|endoftext|>",
    "<|end_of_text|>",
    "<｜end▁of▁sentence｜>",
    "<eos>",
    "</s>",
)


class Tokens:
    """The tokenizer and the special tokens of one base model."""

    def __init__(self, folder: Path, settings: dict[str, Any], *, template: str = "") -> None:
        """Read the tokenizer in `folder`; BaseModelError when there is none.

        Control tokens are the special ones and those that the chat template writes, like `<think>`.
        """
        self._tokenizer = _tokenizer(folder / "tokenizer.json")
        self.settings = settings
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
        self, text: str, contents: Iterable[tuple[int, int]], *, continues: bool = False
    ) -> list[int]:
        """The ids of `text`; inside `contents` (start, end) control tokens are mere characters.

        `continues` says that other tokens stand before, so that no dummy space is put in front.
        """
        cuts = [
            match.start() + 1
            for start, end in contents
            for match in self._control_pattern.finditer(text[:end], start)
        ]
        ids: list[int] = []
        start = 0
        # A control token's text that is encoded in two parts is not recognised as one.
        for cut in [*sorted(set(cuts)), len(text)]:
            ids += self._ids(text[start:cut], continues=continues or start > 0)
            start = cut
        return ids

    def decode(self, ids: Sequence[int], *, skip_special: bool) -> str:
        """The text of `ids`, with or without the special tokens."""
        return self._tokenizer.decode(list(ids), skip_special_tokens=skip_special)

    def _ids(self, text: str, *, continues: bool) -> list[int]:
        if continues and self._adds_a_space:
            anchor = self._raw("\n")
            ids = self._raw("\n" + text)
            if ids[: len(anchor)] == anchor:
                return ids[len(anchor) :]
        return self._raw(text)

    def _raw(self, text: str) -> list[int]:
        return self._tokenizer.encode(text, add_special_tokens=False).ids

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
