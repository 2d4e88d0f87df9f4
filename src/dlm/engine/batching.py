"""What is decoded together: rows sorted by length, as many as the memory holds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

from dlm.engine.model import Model
from dlm.machine import memory_within

_ROWS = {"cpu": 64, "mps": 64, "cuda": 256}  # more gain nothing
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


def batches(
    model: Model, jobs: Sequence[Job], rows_per_batch: int | None = None
) -> Iterator[list[Row]]:
    """All rows of `jobs`, longest prompts first, in batches that fit the memory with padding."""
    most = rows_per_batch or _ROWS[model.plan.device]
    budget = _tokens_that_fit(model)
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


def _tokens_that_fit(model: Model) -> int:
    """Tokens of prompts and answers that the cache and one layer's work leave room for."""
    config = model.network.config.get_text_config()
    hidden, heads = config.hidden_size, config.num_attention_heads
    width = getattr(config, "head_dim", None) or hidden // heads
    kept = (getattr(config, "num_key_value_heads", None) or heads) * width * 2
    inner = getattr(config, "intermediate_size", None) or 4 * hidden
    work = 4 * hidden + 3 * inner
    size = next(model.network.parameters()).element_size()
    need = (config.num_hidden_layers * kept + work) * size  # bytes a token
    most = _TOKENS[model.plan.device]
    free = _free_bytes(model)
    return most if free <= 0 else int(max(1024, min(most, _SHARE * free / need)))


def _free_bytes(model: Model) -> float:
    """0 where it is not known."""
    if model.plan.device == "cuda":
        return float(model.torch.cuda.mem_get_info()[0])
    return memory_within(Path("/"))[1] * 1e9
