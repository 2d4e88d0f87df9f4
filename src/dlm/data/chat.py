"""The codec between text and token ids, with the mask that says which tokens a row trains.

Needs only the files of a base model's folder: it knows no weights and imports no torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from pathlib import Path
from typing import Any

from dlm.data.chat_format import (
    Content,
    JinjaTemplate,
    Message,
    PlainTemplate,
    Rendered,
    Renderer,
    Tokens,
    read_json,
)
from dlm.errors import BaseModelError
from dlm.text.cleaning import split_reasoning

__all__ = ["Codec", "Encoded", "Message", "show_mask"]


@dataclass(frozen=True, slots=True)
class Encoded:
    """One training row: token ids and, for each, whether the model is to learn to say it."""

    ids: list[int]
    supervised: list[bool]


class Codec:
    """How one base model reads conversations; make one with `Codec.load`."""

    def __init__(
        self,
        tokens: Tokens,
        template: Renderer,
        *,
        config: dict[str, Any],
        generation: dict[str, Any],
        system_prompt: str | None = None,
        thinking: bool = False,
    ) -> None:
        self._tokens = tokens
        self._template = template
        self._config = {**config, **config.get("text_config", {})}
        self._generation = generation
        self._system_prompt = system_prompt
        self._thinking = thinking

    @classmethod
    def load(
        cls, folder: Path, *, system_prompt: str | None = None, thinking: bool = False
    ) -> Codec:
        """Read the tokenizer and chat template of the base model in `folder`.

        `system_prompt` opens every conversation that has none; `thinking` lets thinking models
        reason before they answer. Raises BaseModelError when files are missing or damaged.
        """
        settings = read_json(folder / "tokenizer_config.json")
        source = _template_source(folder, settings)
        tokens = Tokens(folder, settings, template=source or "")
        template: Renderer
        if source is None:
            end = tokens.end_of_text_id
            if end is None:
                raise BaseModelError(
                    f"the model in {folder} has no chat template, and its tokenizer no token that "
                    "ends a text, so that no answer would ever end",
                    hint='take one that follows instructions, or name its "eos_token" in '
                    "tokenizer_config.json",
                )
            template = PlainTemplate(tokens.decode([end], skip_special=False))
        else:
            template = JinjaTemplate(source, tokens.special)
        return cls(
            tokens,
            template,
            config=read_json(folder / "config.json"),
            generation=read_json(folder / "generation_config.json"),
            system_prompt=system_prompt,
            thinking=thinking,
        )

    @property
    def has_template(self) -> bool:
        """Whether the base model brought a chat template of its own."""
        return isinstance(self._template, JinjaTemplate)

    @property
    def template_source(self) -> str | None:
        """The text of the base's own chat template."""
        return self._template.source if self.has_template else None

    @property
    def special_tokens(self) -> dict[str, str]:
        """The named special tokens, which a template may write: `bos_token` and others."""
        return dict(self._tokens.special)

    @cached_property
    def opening_text(self) -> str:
        """What stands before a conversation that no template opens: a beginning-of-text token."""
        opening = [] if self.has_template else self._tokens.opening_ids
        return self._tokens.decode(opening, skip_special=False) if opening else ""

    @cached_property
    def turn_end_id(self) -> int | None:
        """The id that closes an answer; None when the base has none at all."""
        return self._turn_end

    @cached_property
    def takes_system(self) -> bool:
        """Whether the template has a place for a system message."""
        return self._takes_system

    @cached_property
    def closes_thought(self) -> bool:
        """Whether the template opens a thought, which is closed at once in each prompt."""
        turns: list[Message] = [{"role": "user", "content": "a"}]
        prompt = self._template.render(turns, generation_prompt=True, thinking=self._thinking)
        return _opens_thought(prompt) and not self._thinking

    @cached_property
    def stop_ids(self) -> frozenset[int]:
        """The ids after which an answer is over."""
        return frozenset({self._turn_end} if self._turn_end is not None else ()) | self._known_ends

    @cached_property
    def end_of_text_id(self) -> int | None:
        """The id that closes a document of prose; None when the tokenizer has none."""
        return self._tokens.end_of_text_id

    @cached_property
    def pad_id(self) -> int:
        """The id that fills up shorter rows of a batch; it is always masked."""
        named = self._tokens.id_of(self._tokens.special.get("pad_token"))
        candidates = (named, self._generation.get("pad_token_id"), self._config.get("pad_token_id"))
        found = next((c for c in candidates if isinstance(c, int)), None)
        return found if found is not None else min(self._known_ends, default=0)

    @cached_property
    def context_length(self) -> int:
        """How many tokens the base model was made to read at once."""
        names = ("max_position_embeddings", "n_positions", "max_sequence_length", "seq_length")
        declared = [self._config.get(name) for name in names]
        length = self._tokens.settings.get("model_max_length")
        declared.append(length if isinstance(length, int) and length < 10**8 else None)
        return next((n for n in declared if isinstance(n, int)), 2048)

    @cached_property
    def vocabulary(self) -> int:
        """How many token ids the base model has."""
        return int(self._config["vocab_size"])

    def encode(self, text: str) -> list[int]:
        """The ids of plain text: nothing is added, and control tokens in it are mere characters."""
        return self._tokens.encode(text, [(0, len(text))])

    def decode(self, ids: Sequence[int], skip_special: bool = True) -> str:
        """The text of `ids`."""
        return self._tokens.decode(ids, skip_special=skip_special)

    def prompt_text(self, messages: Sequence[Message]) -> str:
        """The conversation as the model reads it, open for its answer."""
        return self._prompt(messages).text

    def prompt_ids(self, messages: Sequence[Message]) -> list[int]:
        """The ids of `prompt_text`; control tokens come from the template alone."""
        return self._prompt_ids(self._prompt(messages))

    def pair(self, question: str, answer: str) -> Encoded:
        """A question with its answer; the mask covers the answer and its end-of-turn token only.

        The prompt is encoded apart from the answer, exactly as `prompt_ids` does it for generation.
        """
        return self.reply([{"role": "user", "content": question}], answer)

    def reply(self, messages: Sequence[Message], answer: str, *, ends: bool = True) -> Encoded:
        """An answer to the last of `messages`, masked as in `pair`.

        Without `ends` the row stops with the text of the answer, for comparing texts alone.
        """
        if not answer.strip():
            raise ValueError("an answer to train on has some text")
        prompt = self._prompt(messages)
        context, spoken = self._answer(messages, answer, prompt)
        if not ends:
            spoken = Rendered(spoken.text[: spoken.contents[-1].end], spoken.contents)
        before = self._prompt_ids(prompt)
        before += self._ids(context, after=before[-1])
        learned = self._ids(spoken, after=before[-1])
        learned = self._close(learned) if ends else learned
        return Encoded(before + learned, [False] * len(before) + [True] * len(learned))

    def prose(self, text: str, *, ends: bool = True, ids: list[int] | None = None) -> Encoded:
        """A piece of prose, every token supervised; one that `ends` closes with end-of-text.

        `ids` are those that `encode` gave for it, where they are at hand.
        """
        opening = self._tokens.opening_ids
        ids = self.encode(text) if ids is None else list(ids)
        if ends and self.end_of_text_id is not None:
            ids.append(self.end_of_text_id)
        return Encoded([*opening, *ids], [False] * len(opening) + [True] * len(ids))

    def _prompt(self, messages: Sequence[Message]) -> Rendered:
        opened = self._opened(messages)
        prompt = self._template.render(opened, generation_prompt=True, thinking=self._thinking)
        if not self._thinking and _opens_thought(prompt):
            # The template leaves no choice, so an empty thought is put into the model's mouth.
            return prompt + Rendered("\n</think>\n\n")
        return prompt

    def _prompt_ids(self, prompt: Rendered) -> list[int]:
        opening = [] if self.has_template else self._tokens.opening_ids
        return opening + self._ids(prompt, after=opening[-1] if opening else None)

    def _answer(
        self, messages: Sequence[Message], answer: str, prompt: Rendered
    ) -> tuple[Rendered, Rendered]:
        """What follows the prompt in the whole conversation: unlearned context, then the answer."""
        thought, said = self._split_thought(answer)
        turns: list[Message] = [
            *self._opened(messages),
            {"role": "assistant", "content": said},
        ]
        whole = self._template.render(turns, generation_prompt=False, thinking=self._thinking)
        start = whole.start_of(len(turns) - 1)
        if start is None:
            raise BaseModelError("the chat template of this base model leaves the answer out")
        nothing = Rendered("")
        if thought and self._thinking:
            return nothing, _thought(thought, opened=_opens_thought(prompt)) + whole.tail(start)
        gap = _gap(prompt, whole.text[:start])
        if "</think>" in gap:
            return Rendered(gap), whole.tail(start)
        # What the template writes between prompt and answer, the model has to write by itself.
        return nothing, whole.tail(start - len(gap))

    def _split_thought(self, answer: str) -> tuple[str, str]:
        """The reasoning that opens an answer of a thinking model, and the answer itself."""
        if "</think>" in self._template.source:
            thought, said = split_reasoning(answer)
            if said and said != answer.strip():
                return thought, said
        return "", answer

    def _opened(self, messages: Sequence[Message]) -> list[Message]:
        """The messages without old reasoning, opened by the system prompt where there is one.

        A template that takes no system message gets its text at the head of the first turn.
        """
        opened: list[Message] = [
            {**m, "content": self._split_thought(m["content"])[1]}
            if m["role"] == "assistant"
            else m
            for m in messages
        ]
        if self._system_prompt and (not opened or opened[0]["role"] != "system"):
            opened.insert(0, {"role": "system", "content": self._system_prompt})
        if len(opened) < 2 or opened[0]["role"] != "system" or self._takes_system:
            return opened
        text = f"{opened[0]['content']}\n\n{opened[1]['content']}"
        return [{"role": opened[1]["role"], "content": text}, *opened[2:]]

    @cached_property
    def _takes_system(self) -> bool:
        probe: list[Message] = [
            {"role": "system", "content": "a"},
            {"role": "user", "content": "b"},
        ]
        try:
            rendered = self._template.render(probe, generation_prompt=True)
        except BaseModelError:
            return False
        return rendered.start_of(0) is not None

    def _ids(self, rendered: Rendered, *, after: int | None = None) -> list[int]:
        contents = [(content.start, content.end) for content in rendered.contents]
        return self._tokens.encode(rendered.text, contents, after=after)

    def _close(self, ids: list[int]) -> list[int]:
        """Cut after the first end-of-turn token, or put one where the template wrote none."""
        for index, token in enumerate(ids):
            if token in self.stop_ids:
                return ids[: index + 1]
        end = self._turn_end
        return ids if end is None else [*ids, end]

    @cached_property
    def _turn_end(self) -> int | None:
        """The control token that the template writes after an answer, else the end of the text."""
        turns: list[Message] = [
            {"role": "user", "content": "a"},
            {"role": "assistant", "content": "b"},
        ]
        whole = self._template.render(turns, generation_prompt=False)
        start = whole.start_of(1)
        after = self._ids(whole.tail(start)) if start is not None else []
        found = next((token for token in after if token in self._tokens.control_ids), None)
        return found if found is not None else self.end_of_text_id

    @cached_property
    def _known_ends(self) -> frozenset[int]:
        named: set[int] = set()
        for place in (self._generation, self._config):
            value = place.get("eos_token_id")
            named |= {value} if isinstance(value, int) else set(value or ())
        ends = (self._tokens.id_of(self._tokens.special.get("eos_token")), self.end_of_text_id)
        return frozenset(named) | {end for end in ends if end is not None}


def show_mask(codec: Codec, encoded: Encoded) -> list[tuple[str, bool]]:
    """The row as runs of text, each with whether it is supervised; joined, they are the row."""
    pieces: list[tuple[str, bool]] = []
    end, shown = 0, 0
    for flag, run in groupby(encoded.supervised):
        end += sum(1 for _ in run)
        text = codec.decode(encoded.ids[:end], skip_special=False)
        pieces.append((text[shown:], flag))
        shown = len(text)
    return pieces


def _gap(prompt: Rendered, before: str) -> str:
    """What stands between the prompt and the answer that follows `before`.

    An answered question may be written otherwise than an open one, as where Mistral puts a system
    message: then only what comes after the question is compared.
    """
    if before.startswith(prompt.text):
        return before[len(prompt.text) :]
    closing = prompt.text[prompt.contents[-1].end :] if prompt.contents else ""
    same = bool(closing.strip()) and closing in before
    return before.rpartition(closing)[2] if same else ""


def _opens_thought(prompt: Rendered) -> bool:
    return prompt.text.rstrip().endswith("<think>")


def _thought(text: str, *, opened: bool) -> Rendered:
    """Reasoning as thinking models write it; the opening tag may stand in the prompt already."""
    opening = "" if opened else "<think>\n"
    start = len(opening)
    return Rendered(f"{opening}{text}\n</think>\n\n", (Content(start, start + len(text), -1),))


def _template_source(folder: Path, settings: dict[str, Any]) -> str | None:
    """The chat template: its own file first, then the tokenizer's settings."""
    file = folder / "chat_template.jinja"
    if file.is_file():
        return file.read_text(encoding="utf-8")
    found = read_json(folder / "chat_template.json").get("chat_template")
    found = found if found is not None else settings.get("chat_template")
    if isinstance(found, list):
        named = {entry["name"]: entry["template"] for entry in found}
        found = named.get("default", next(iter(named.values()), None))
    return found if isinstance(found, str) else None
