"""What is asked of a language model and what comes back, as plain values.

Knows neither models nor how they are reached.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import overload

from dlm.text.cleaning import split_reasoning


@dataclass(frozen=True, slots=True)
class Request:
    """One prompt, to be completed `n` times; sampled completions are a function of `seed`.

    Greedy at temperature 0. An empty `system` means that there is no system message.
    """

    system: str
    prompt: str
    n: int = 1
    max_new_tokens: int = 256
    temperature: float = 0.7
    top_p: float = 1.0
    seed: int = 0


class Completion(str):
    """The text a model wrote, without its reasoning, which is kept beside it.

    `finished` is False where it was cut at `max_new_tokens`; `tokens` is 0 where unknown.
    """

    __slots__ = ("finished", "reasoning", "tokens")
    reasoning: str
    finished: bool
    tokens: int

    def __new__(
        cls, text: str, *, reasoning: str = "", finished: bool = True, tokens: int = 0
    ) -> Completion:
        """Lone surrogates, which no file can hold, become question marks."""
        made = super().__new__(cls, _storable(text))
        made.reasoning = _storable(reasoning)
        made.finished = finished
        made.tokens = tokens
        return made

    @classmethod
    def of(
        cls, raw: str, *, thinks: bool = False, finished: bool = True, tokens: int = 0
    ) -> Completion:
        """What a model wrote, its reasoning told apart; `thinks` says that it began inside one."""
        reasoning, text = split_reasoning(raw, thinks=thinks)
        return cls(text, reasoning=reasoning, finished=finished, tokens=tokens)


@dataclass(frozen=True, slots=True)
class Refused(Sequence[str]):
    """In place of completions, for a request that cannot be answered: no texts, and why."""

    reason: str

    def __len__(self) -> int:
        return 0

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[str]: ...
    def __getitem__(self, index: int | slice) -> str | Sequence[str]:
        return ()[index]


Done = Callable[[int, Sequence[str]], None]
"""Called with the index of a request and its completions, or with a `Refused`."""


def _storable(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8")
