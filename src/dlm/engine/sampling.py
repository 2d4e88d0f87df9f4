"""The next token of each row of a batch, drawn with that row's own random numbers."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from dlm.engine.batching import Job, Row


class Chooser:
    """The next token of each row: the likeliest, or the one that its own random number falls on."""

    def __init__(self, jobs: Sequence[Job], rows: Sequence[Row], torch: Any, device: str) -> None:
        self._torch = torch
        # float64 keeps sums over a large vocabulary apart from rounding; Metal has none.
        self._wide = torch.float32 if device == "mps" else torch.float64
        self._sampling = any(job.temperature > 0 for job in jobs)
        if not self._sampling:
            return
        self._nucleus = any(job.top_p < 1 for job in jobs)
        longest = max(job.max_new_tokens for job in jobs)
        draws = [_draws(job, row.number, longest) for job, row in zip(jobs, rows, strict=True)]
        self._draws = torch.tensor(draws, device=device, dtype=self._wide)
        self._greedy = torch.tensor([job.temperature <= 0 for job in jobs], device=device)
        heat = [job.temperature if job.temperature > 0 else 1.0 for job in jobs]
        self._temperature = torch.tensor(heat, device=device)[:, None]
        self._top_p = torch.tensor([job.top_p for job in jobs], device=device)[:, None]

    def choose(self, logits: Any, step: int) -> Any:
        """One token id a row, for the token number `step` of each."""
        likeliest = logits.argmax(-1)
        if not self._sampling:
            return likeliest
        shares = (logits.float() / self._temperature).softmax(-1)
        if self._nucleus:
            shares = self._within_top_p(shares)
        sums = shares.to(self._wide).cumsum(-1)
        points = self._draws[:, step] * sums[:, -1]
        drawn = self._torch.searchsorted(sums, points[:, None], right=True)[:, 0]
        return self._torch.where(self._greedy, likeliest, drawn.clamp(max=logits.shape[-1] - 1))

    def keep(self, chosen: Any) -> None:
        """Go on with these rows only."""
        if self._sampling:
            self._draws, self._greedy = self._draws[chosen], self._greedy[chosen]
            self._temperature, self._top_p = self._temperature[chosen], self._top_p[chosen]

    def _within_top_p(self, shares: Any) -> Any:
        """Zero for every token outside the fewest that have `top_p` of the probability."""
        ordered = shares.sort(dim=-1, descending=True).values
        inside = ordered.cumsum(-1) - ordered < self._top_p
        least = ordered.masked_fill(~inside, self._torch.inf).amin(-1, keepdim=True)
        return shares.masked_fill(shares < least, 0)


def _draws(job: Job, number: int, count: int) -> list[float]:
    source = random.Random(f"{job.key}:{number}")
    return [source.random() for _ in range(count)]
