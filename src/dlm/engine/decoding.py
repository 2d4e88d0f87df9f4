"""Continuations on torch: left-padded batches over one key-value cache, one draw a row.

Each row draws from numbers of its own, so what it says does not depend on the rows beside it.
Knows token ids, not text. In shapes, B is rows, T tokens at hand, V vocabulary.
"""

from __future__ import annotations

import inspect
import json
import random
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import count, islice, takewhile
from pathlib import Path
from typing import Any

from dlm.engine.model import Model
from dlm.errors import DlmError
from dlm.hardware import memory_within
from dlm.working import Tell, untold

_ROOM = 256  # tokens that the cache makes room for at a time
_COMPACT_AT = 0.75  # share of rows still unfinished
MOST_ROWS = {"cpu": 64, "mps": 64, "cuda": 256}  # more gain nothing
_TOKENS = {"cpu": 16_384, "mps": 16_384, "cuda": 262_144}
_SHARE = 0.4  # of the free memory; growing and selecting copy a part of it for a moment
_WORTH_SHARING = 16  # tokens


@dataclass(frozen=True, slots=True)
class Job:
    """A prompt to continue `n` times. `key` seeds the draws, together with the number of each."""

    ids: Sequence[int]
    n: int
    max_new_tokens: int
    temperature: float
    top_p: float
    key: str


@dataclass(frozen=True, slots=True)
class Row:
    """Continuation `number` of the job at index `job`."""

    job: int
    number: int


@dataclass(frozen=True, slots=True)
class Tail:
    """New token ids without the stop token; not `finished` when the budget ended them."""

    ids: list[int]
    finished: bool


def generate(
    model: Model,
    prompts: Sequence[Sequence[int]],
    *,
    max_new_tokens: int,
    stop_ids: frozenset[int],
    pad_id: int,
    temperature: float = 0.0,
    top_p: float = 1.0,
    seed: int = 0,
    on_token: Callable[[int], None] | None = None,
    tell: Tell = untold,
) -> list[list[int]]:
    """One continuation of each prompt, without its stop token; as `decode` in all else.

    Equal prompts draw the same with equal seeds. `on_token` is for a single prompt.
    """
    jobs = [
        Job(ids, 1, max_new_tokens, temperature, top_p, f"{seed}:{digest(ids)}") for ids in prompts
    ]
    answers: list[list[int]] = [[] for _ in prompts]
    given = count(1)

    def done(index: int, tails: list[Tail]) -> None:
        answers[index] = tails[0].ids
        tell("answering", next(given), len(prompts))

    decode(model, jobs, stop_ids=stop_ids, pad_id=pad_id, done=done, on_token=on_token)
    return answers


def decode(
    model: Model,
    jobs: Sequence[Job],
    *,
    stop_ids: frozenset[int],
    pad_id: int,
    done: Callable[[int, list[Tail]], None],
    rows_per_batch: int | None = None,
    on_token: Callable[[int], None] | None = None,
) -> None:
    """Continue every job and call `done` with its index and tails as soon as it has them all.

    Greedy at temperature 0. `on_token` gets each token as it comes; ask for one row then. Apart
    from rounding (a batch changes the order of additions), results do not depend on what else is
    asked in the same call. Raises DlmError when the memory does not even hold one continuation.
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
            _Batch(model, jobs, rows, stop_ids, pad_id, on_token).run(finish)
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


def batches(
    model: Model, jobs: Sequence[Job], rows_per_batch: int | None = None
) -> Iterator[list[Row]]:
    """All rows of `jobs`, longest prompts first, in batches that fit the memory with padding."""
    most = rows_per_batch or MOST_ROWS[model.plan.device]
    budget = tokens_that_fit(model)
    order = sorted(range(len(jobs)), key=lambda i: (-len(jobs[i].ids), -jobs[i].max_new_tokens, i))
    batch: list[Row] = []
    width = longest = 0
    for index in order:
        job = jobs[index]
        for number in range(job.n):
            width, longest = max(width, len(job.ids)), max(longest, job.max_new_tokens)
            size = (len(batch) + 1) * (width + longest)
            if batch and (len(batch) == most or size > budget):
                yield batch
                batch, width, longest = [], len(job.ids), job.max_new_tokens
            batch.append(Row(index, number))
    if batch:
        yield batch


def shared_prefix(prompts: Sequence[Sequence[int]]) -> int:
    """How many tokens all prompts begin with, leaving one of each; 0 where it saves little."""
    columns = zip(*(ids[:-1] for ids in prompts), strict=False)
    same = sum(1 for _ in takewhile(lambda column: len(set(column)) == 1, columns))
    return same if len(prompts) > 1 and same >= _WORTH_SHARING else 0


class Chooser:
    """The next token of each row: the likeliest, or the one that its own random number falls on."""

    def __init__(self, jobs: Sequence[Job], torch: Any, device: str) -> None:
        self._torch = torch
        # float64 keeps sums over a large vocabulary apart from rounding; Metal has none.
        self._wide = torch.float32 if device == "mps" else torch.float64
        self.samples = any(job.temperature > 0 for job in jobs)
        if not self.samples:
            return
        self._nucleus = any(job.top_p < 1 for job in jobs)
        self._greedy = torch.tensor([job.temperature <= 0 for job in jobs], device=device)
        temperatures = [job.temperature if job.temperature > 0 else 1.0 for job in jobs]
        self._temperature = torch.tensor(temperatures, device=device)[:, None]
        self._top_p = torch.tensor([job.top_p for job in jobs], device=device)[:, None]

    def numbers(self, values: Sequence[Any]) -> Any:
        """Random numbers as `choose` takes them."""
        return self._torch.tensor(values, device=self._greedy.device, dtype=self._wide)

    def choose(self, logits: Any, draws: Any) -> Any:
        """The next token of each row, (B,), from logits (B, V).

        `draws` (B,) is a number between 0 and 1 of each row; None where none of them `samples`.
        """
        likeliest = logits.argmax(-1)
        if not self.samples:
            return likeliest
        shares = (logits.float() / self._temperature).softmax(-1)
        if self._nucleus:
            shares = self._within_top_p(shares)
        sums = shares.to(self._wide).cumsum(-1)
        points = draws * sums[:, -1]
        drawn = self._torch.searchsorted(sums, points[:, None], right=True)[:, 0]
        return self._torch.where(self._greedy, likeliest, drawn.clamp(max=logits.shape[-1] - 1))

    def keep(self, chosen: Any) -> None:
        """Go on with these rows only."""
        if self.samples:
            self._greedy = self._greedy[chosen]
            self._temperature, self._top_p = self._temperature[chosen], self._top_p[chosen]

    def _within_top_p(self, shares: Any) -> Any:
        """Zero for every token outside the fewest that have `top_p` of the probability."""
        ordered = shares.sort(dim=-1, descending=True).values
        inside = ordered.cumsum(-1) - ordered < self._top_p
        least = ordered.masked_fill(~inside, self._torch.inf).amin(-1, keepdim=True)
        return shares.masked_fill(shares < least, 0)


class _Batch:
    """Rows that are decoded together; those that end leave it, so that a long one costs little."""

    def __init__(
        self,
        model: Model,
        jobs: Sequence[Job],
        rows: Sequence[Row],
        stop_ids: frozenset[int],
        pad_id: int,
        on_token: Callable[[int], None] | None,
    ) -> None:
        self._model, self._torch, self._device = model, model.torch, model.plan.device
        self._stop_ids, self._pad_id, self._on_token = stop_ids, pad_id, on_token
        self._jobs = [jobs[row.job] for row in rows]
        self._rows = list(rows)
        self._tails: list[list[int]] = [[] for _ in rows]
        self._chooser = Chooser(self._jobs, self._torch, self._device)
        self._draws = self._chooser.numbers(self._drawn()) if self._chooser.samples else None
        self._takes_positions = takes_positions(model.network)

    def run(self, finish: Callable[[Row, Tail], None]) -> None:
        """Decode until every row is finished."""
        torch = self._torch
        logits, cache, mask, lengths = self._read_prompts()
        step = 0
        ended = [False] * len(self._rows)
        while True:
            draws = None if self._draws is None else self._draws[:, step]
            tokens = self._chooser.choose(logits, draws)
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
        """Logits (B, V) after the last of `tokens` (B, T); `mask` covers the cache as well."""
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
            if self._on_token is not None:
                self._on_token(token)
        if stopped or len(tail) >= self._jobs[index].max_new_tokens:
            finish(self._rows[index], Tail(tail, stopped))
            return True
        return False

    def _keep(self, stay: Sequence[int], chosen: Any) -> None:
        self._rows = [self._rows[index] for index in stay]
        self._jobs = [self._jobs[index] for index in stay]
        self._tails = [self._tails[index] for index in stay]
        self._chooser.keep(chosen)
        if self._draws is not None:
            self._draws = self._draws[chosen]

    def _drawn(self) -> list[list[float]]:
        longest = max(job.max_new_tokens for job in self._jobs)
        pairs = zip(self._jobs, self._rows, strict=True)
        return [list(islice(draws(job.key, row.number), longest)) for job, row in pairs]


def draws(key: str, number: int) -> Iterator[float]:
    """The random numbers of continuation `number` of the job with this key."""
    source = random.Random(f"{key}:{number}")
    while True:
        yield source.random()


def digest(ids: Sequence[int]) -> str:
    """What tells one prompt from another, for the key of a job."""
    return sha256(json.dumps(list(ids)).encode()).hexdigest()


def tokens_that_fit(model: Model, most: int | None = None) -> int:
    """Tokens of prompts and answers that the memory has room for, `most` at most."""
    config = model.network.config.get_text_config()
    hidden, heads = config.hidden_size, config.num_attention_heads
    width = getattr(config, "head_dim", None) or hidden // heads
    kept = (getattr(config, "num_key_value_heads", None) or heads) * width * 2
    inner = getattr(config, "intermediate_size", None) or 4 * hidden
    work = 4 * hidden + 3 * inner
    size = next(model.network.parameters()).element_size()
    need = (config.num_hidden_layers * kept + work) * size  # bytes a token
    most = most or _TOKENS[model.plan.device]
    free = _free_bytes(model)
    return most if free <= 0 else int(max(1024, min(most, _SHARE * free / need)))


def _free_bytes(model: Model) -> float:
    """0 where it is not known."""
    if model.plan.device == "cuda":
        return float(model.torch.cuda.mem_get_info()[0])
    return memory_within(Path("/"))[1] * 1e9


def takes_positions(network: Any) -> bool:
    """Whether the model is told where its tokens stand."""
    inner = network.get_base_model() if hasattr(network, "get_base_model") else network
    return "position_ids" in inspect.signature(inner.forward).parameters


def _too_long(job: Job) -> DlmError:
    return DlmError(
        f"the memory of the GPU does not hold a prompt of {len(job.ids)} tokens and its answer",
        hint="close other programs on the GPU, or ask about shorter sections",
    )
