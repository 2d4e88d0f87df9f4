"""What asking would cost, before anything is asked: calls, tokens, and seconds where measurable."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from dlm.data.completion import Request
from dlm.loops.teachers.cached import Cached
from dlm.loops.teachers.local import LocalTeacher

_CHARACTERS_A_TOKEN = 4
_SAMPLE = 16  # requests, and new tokens of each, in the measurement


@dataclass(frozen=True, slots=True)
class Estimate:
    """`tokens_in` and, at most, `tokens_out`; `seconds` at most, None where nothing is known.

    `basis` says in words where the figures come from.
    """

    calls: int
    cached: int
    left_out: int
    tokens_in: int
    tokens_out: int
    seconds: float | None
    basis: str

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return asdict(self)

    def __str__(self) -> str:
        """`12 calls (3 more in the cache), 1,204 tokens in, at most 3,072 out, at most 14 s; …`."""
        more = [f"{self.cached} more in the cache"] if self.cached else []
        more += [f"{self.left_out} left out by the limit"] if self.left_out else []
        calls = f"{self.calls} calls" + (f" ({', '.join(more)})" if more else "")
        tokens = f"{self.tokens_in:,} tokens in, at most {self.tokens_out:,} out"
        time_ = "" if self.seconds is None else f", at most {_spoken(self.seconds)}"
        return f"{calls}, {tokens}{time_}; {self.basis}"


def estimate(cached: Cached, requests: Sequence[Request]) -> Estimate:
    """What `cached.complete(requests)` would ask.

    A local teacher is loaded and measured on a short batch, which is neither kept nor counted.
    """
    missing = cached.missing(requests)
    asked = missing[: cached.allowed(len(missing))]
    teacher = cached.teacher
    tokens_out = sum(request.n * request.max_new_tokens for request in asked)
    seconds: float | None = None
    if isinstance(teacher, LocalTeacher):
        tokens_in = sum(teacher.prompt_tokens(request) for request in asked)
        basis = "counted by its own tokenizer"
        if asked:
            rate = _tokens_per_second(teacher, asked)
            seconds = tokens_out / rate
            basis += f", measured at {rate:.0f} tokens a second"
    else:
        characters = sum(len(request.system) + len(request.prompt) for request in asked)
        tokens_in = round(characters / _CHARACTERS_A_TOKEN)
        basis = f"tokens at {_CHARACTERS_A_TOKEN} characters each"
    return Estimate(
        calls=len(asked),
        cached=len(requests) - len(missing),
        left_out=len(missing) - len(asked),
        tokens_in=tokens_in,
        tokens_out=tokens_out,
        seconds=seconds,
        basis=basis,
    )


def _tokens_per_second(teacher: LocalTeacher, requests: Sequence[Request]) -> float:
    """New tokens a second, prompts included, over a short batch of the same requests."""
    sample = [replace(r, max_new_tokens=_SAMPLE) for r in requests[:_SAMPLE]]
    counted = 0

    def count(index: int, texts: Sequence[str]) -> None:
        nonlocal counted
        counted += len(texts) * _SAMPLE

    teacher.complete(sample[:1], lambda index, texts: None)  # loads the model
    began = time.monotonic()
    teacher.complete(sample, count)
    return max(counted, 1) / (time.monotonic() - began)


def _spoken(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
