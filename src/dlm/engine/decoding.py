"""Many continuations at once: left-padded batches over one key-value cache, one draw a row.

Each row draws from numbers of its own, so what it says does not depend on the rows beside it.
Knows token ids, not text.
"""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from dlm.engine.batching import Job, Row, batches, shared_prefix
from dlm.engine.model import Model
from dlm.engine.sampling import Chooser
from dlm.errors import DlmError

__all__ = ["Job", "Tail", "decode"]

_ROOM = 256  # tokens that the cache makes room for at a time
_COMPACT_AT = 0.75  # share of rows still unfinished


@dataclass(frozen=True, slots=True)
class Tail:
    """New token ids without the stop token; not `finished` when the budget ended them."""

    ids: list[int]
    finished: bool


def decode(
    model: Model,
    jobs: Sequence[Job],
    *,
    stop_ids: frozenset[int],
    pad_id: int,
    done: Callable[[int, list[Tail]], None],
    rows_per_batch: int | None = None,
) -> None:
    """Continue every job and call `done` with its index and tails as soon as it has them all.

    Greedy at temperature 0. Apart from rounding (a batch changes the order of additions), results
    do not depend on what else is asked in the same call. Raises DlmError when the memory does not
    even hold one continuation.
    """
    missing = [job.n for job in jobs]
    tails: list[list[Tail | None]] = [[None] * job.n for job in jobs]

    def finish(row: Row, tail: Tail) -> None:
        tails[row.job][row.number] = tail
        missing[row.job] -= 1
        if not missing[row.job]:
            done(row.job, [tail for tail in tails[row.job] if tail is not None])

    def run(rows: Sequence[Row]) -> None:
        try:
            _Batch(model, jobs, rows, stop_ids, pad_id).run(finish)
            return
        except model.torch.OutOfMemoryError as error:
            left = [row for row in rows if tails[row.job][row.number] is None]
            if len(left) < 2:
                raise _too_long(jobs[left[0].job]) from error
        model.torch.cuda.empty_cache()
        run(left[: len(left) // 2])
        run(left[len(left) // 2 :])

    with model.inference(), warnings.catch_warnings():
        # Sums in float64 are near enough whatever their order.
        warnings.filterwarnings("ignore", message="cumsum_cuda_kernel")
        for rows in batches(model, jobs, rows_per_batch):
            run(rows)


class _Batch:
    """Rows that are decoded together; those that end leave it, so that a long one costs little."""

    def __init__(
        self,
        model: Model,
        jobs: Sequence[Job],
        rows: Sequence[Row],
        stop_ids: frozenset[int],
        pad_id: int,
    ) -> None:
        self._model, self._torch, self._device = model, model.torch, model.plan.device
        self._stop_ids, self._pad_id = stop_ids, pad_id
        self._jobs = [jobs[row.job] for row in rows]
        self._rows = list(rows)
        self._tails: list[list[int]] = [[] for _ in rows]
        self._chooser = Chooser(self._jobs, rows, self._torch, self._device)
        self._takes_positions = _takes_positions(model.network)

    def run(self, finish: Callable[[Row, Tail], None]) -> None:
        """Decode until every row is finished."""
        torch = self._torch
        logits, cache, mask, lengths = self._read_prompts()
        step = 0
        ended = [False] * len(self._rows)
        while True:
            tokens = self._chooser.choose(logits, step)
            for index, token in enumerate(tokens.tolist()):
                if not ended[index]:
                    ended[index] = self._add(index, token, finish)
            if all(ended):
                return
            step += 1
            stay = [index for index, over in enumerate(ended) if not over]
            if len(stay) <= _COMPACT_AT * len(ended):
                chosen = torch.tensor(stay, device=self._device)
                cache.batch_select_indices(chosen)
                tokens, mask, lengths = tokens[chosen], mask[chosen], lengths[chosen]
                self._keep(stay, chosen)
                ended = [False] * len(stay)
            mask = torch.cat([mask, mask.new_ones(len(mask), 1)], dim=1)
            logits = self._forward(tokens[:, None], mask, (lengths + step - 1)[:, None], cache)

    def _read_prompts(self) -> tuple[Any, Any, Any, Any]:
        """Logits after each row's prompt, cache, mask and prompt lengths; a prompt is read once."""
        from dlm.engine.cache import can_share, roomy_cache

        torch = self._torch
        prompts = {row.job: job.ids for row, job in zip(self._rows, self._jobs, strict=True)}
        room = min(_ROOM, max(job.max_new_tokens for job in self._jobs))
        cache = roomy_cache(self._model.network.config, room)
        shared = shared_prefix(list(prompts.values())) if can_share(cache) else 0
        if shared:
            self._read_once(next(iter(prompts.values()))[:shared], cache, copies=len(prompts))
        rests = [ids[shared:] for ids in prompts.values()]
        width = max(len(rest) for rest in rests)
        padded = [[self._pad_id] * (width - len(rest)) + list(rest) for rest in rests]
        marks = [[1] * shared + [0] * (width - len(rest)) + [1] * len(rest) for rest in rests]
        mask = torch.tensor(marks, device=self._device)
        positions = (mask.cumsum(1) - 1).clamp(min=0)[:, shared:]
        logits = self._forward(torch.tensor(padded, device=self._device), mask, positions, cache)
        order = {job: number for number, job in enumerate(prompts)}
        rows = torch.tensor([order[row.job] for row in self._rows], device=self._device)
        cache.batch_select_indices(rows)
        return logits[rows], cache, mask[rows], mask[rows].sum(1)

    def _read_once(self, ids: Sequence[int], cache: Any, *, copies: int) -> None:
        """Read what all prompts begin with, and give every row a copy of the outcome."""
        tokens = self._torch.tensor([list(ids)], device=self._device)
        mask = self._torch.ones_like(tokens)
        self._forward(tokens, mask, mask.cumsum(1) - 1, cache)
        cache.batch_select_indices(mask.new_zeros(copies))

    def _forward(self, tokens: Any, mask: Any, positions: Any, cache: Any) -> Any:
        """Logits (rows, vocabulary) after the last of `tokens`."""
        named = {"position_ids": positions} if self._takes_positions else {}
        output = self._model.network(
            input_ids=tokens,
            attention_mask=mask,
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
            **named,
        )
        return output.logits[:, -1]

    def _add(self, index: int, token: int, finish: Callable[[Row, Tail], None]) -> bool:
        """Take in one token; True when the row ended with it."""
        tail = self._tails[index]
        stopped = token in self._stop_ids
        if not stopped:
            tail.append(token)
        if stopped or len(tail) >= self._jobs[index].max_new_tokens:
            finish(self._rows[index], Tail(tail, stopped))
            return True
        return False

    def _keep(self, stay: Sequence[int], chosen: Any) -> None:
        self._rows = [self._rows[index] for index in stay]
        self._jobs = [self._jobs[index] for index in stay]
        self._tails = [self._tails[index] for index in stay]
        self._chooser.keep(chosen)


def _takes_positions(network: Any) -> bool:
    inner = network.get_base_model() if hasattr(network, "get_base_model") else network
    return "position_ids" in inspect.signature(inner.forward).parameters


def _too_long(job: Job) -> DlmError:
    return DlmError(
        f"the memory of the GPU does not hold a prompt of {len(job.ids)} tokens and its answer",
        hint="close other programs on the GPU, or ask about shorter sections",
    )
