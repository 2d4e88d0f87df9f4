"""Special tokens, the ChatML template, and conversations as tokens with a weight for each.

The template marks what the assistant says, its end-of-turn included, so that trainers can tell it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from tokenizers import Tokenizer

SPECIAL: Final = ("<|endoftext|>", "<|pad|>", "<|im_start|>", "<|im_end|>")
END_OF_TEXT, PAD, IM_START, IM_END = range(4)

TEMPLATE: Final = (
    "{% for message in messages %}{% if message['role'] == 'assistant' %}"
    "{{ '<|im_start|>assistant\\n' }}"
    "{% generation %}{{ message['content'] + '<|im_end|>' }}{% endgeneration %}{{ '\\n' }}"
    "{% else %}"
    "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}"
    "{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)

# Weights are stored as a byte a token; what a byte counts in the loss is `LOSS_WEIGHTS`.
UNTAUGHT, PROMPT, TAUGHT = range(3)
LOSS_WEIGHTS: Final = (0.0, 0.3, 1.0)

Turn = tuple[str, str]  # role, content


@dataclass(frozen=True, slots=True)
class Conversation:
    """Turns of one conversation and the task it teaches; the last turn is the assistant's."""

    task: str
    turns: tuple[Turn, ...]

    @property
    def characters(self) -> int:
        return sum(len(content) + 12 for _, content in self.turns)

    def messages(self) -> list[dict[str, str]]:
        return [{"role": role, "content": content} for role, content in self.turns]


@dataclass(frozen=True, slots=True)
class Tokens:
    """Token ids and what each counts when it is predicted: UNTAUGHT, PROMPT or TAUGHT."""

    ids: list[int]
    weights: list[int]


def encode(tokenizer: Tokenizer, conversations: Sequence[Conversation]) -> list[Tokens]:
    """Each conversation as the template writes it, then an end of text.

    Only what the assistant says is taught in full; the rest of a turn has the weight of a prompt.
    """
    texts = [part for one in conversations for turn in one.turns for part in _parts(turn)]
    pieces = iter(tokenizer.encode_batch(texts, add_special_tokens=False))
    newline = tokenizer.encode("\n", add_special_tokens=False).ids
    return [_joined(one, pieces, newline) for one in conversations]


def encode_plain(tokenizer: Tokenizer, texts: Sequence[str]) -> list[Tokens]:
    """Each text between two ends of text, all of it taught."""
    found = tokenizer.encode_batch(list(texts), add_special_tokens=False)
    return [_plain(one.ids) for one in found]


def _plain(ids: list[int]) -> Tokens:
    return Tokens([END_OF_TEXT, *ids, END_OF_TEXT], [UNTAUGHT, *[TAUGHT] * (len(ids) + 1)])


def _parts(turn: Turn) -> tuple[str, str]:
    role, content = turn
    return f"{role}\n", content


def _joined(conversation: Conversation, pieces: object, newline: list[int]) -> Tokens:
    ids: list[int] = []
    weights: list[int] = []
    for role, _ in conversation.turns:
        opening = [IM_START, *next(pieces).ids]  # type: ignore[call-overload]
        body = [*next(pieces).ids, IM_END]  # type: ignore[call-overload]
        ids += opening + body + newline
        weights += [PROMPT] * len(opening)
        weights += [TAUGHT if role == "assistant" else PROMPT] * len(body)
        weights += [PROMPT] * len(newline)
    return Tokens([*ids, END_OF_TEXT], [*weights, PROMPT])
