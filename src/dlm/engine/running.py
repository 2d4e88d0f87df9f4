"""Rows that are decoded together, which come and go between two steps.

What each row says does not depend on its neighbours, apart from rounding. Knows token ids and
adapters, not text, threads or requests. In shapes, B is rows, T tokens, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from dlm.engine.adapters import Adapters
from dlm.engine.cache import can_share, drop_first, join, roomy_cache
from dlm.engine.decoding import MOST_ROWS, Chooser, Job, draws, takes_positions, tokens_that_fit
from dlm.errors import DlmError

_ROOM: Final = 64  # tokens that the cache makes room for at a time
_COMPACT_AT: Final = 0.75  # share of rows still unfinished
_TOKENS: Final = 65_536  # of all rows at their longest, where the memory has room for them
_READ_AT_ONCE: Final = 4096  # tokens of prompts


@dataclass(frozen=True, slots=True)
class Token:
    """A token of a row; `logprob` and the likeliest `others` (id, logprob) where they were asked
    for, in nats, of the distribution before temperature and top-p."""

    id: int
    logprob: float | None = None
    others: tuple[tuple[int, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Ended:
    """The end of a row: it `stopped` by itself, was cut at its budget, or failed with `error`."""

    stopped: bool
    error: DlmError | None = None


@dataclass(eq=False, slots=True)
class Live:
    """One row: what to continue, under which adapter, and who hears of it.

    `others` is how many likeliest tokens are wanted beside each, None for no logprobs. `hear` is
    called in the model's thread. Setting `cancelled` ends the row without a word.
    """

    job: Job
    number: int
    adapter: str | None
    stop_ids: frozenset[int]
    hear: Callable[[Token | Ended], None]
    others: int | None = None
    cancelled: bool = False
    said: int = 0
    ended: bool = False
    draws: Iterator[float] = field(init=False)

    def __post_init__(self) -> None:
        self.draws = draws(self.job.key, self.number)


class Running:
    """The rows under way. Use it inside `Model.inference`."""

    def __init__(self, adapters: Adapters, pad_id: int) -> None:
        self._adapters, self._model, self._pad_id = adapters, adapters.model, pad_id
        self._torch, self._device = adapters.model.torch, adapters.model.plan.device
        self._budget = tokens_that_fit(adapters.model, _TOKENS)
        self._takes_positions = takes_positions(adapters.model.network)
        self.most = MOST_ROWS[self._device]
        self._rows: list[Live] = []
        self._cache: Any = None
        self._logits: Any = None
        self._mask: Any = None
        self._chooser: Any = None

    def __len__(self) -> int:
        return sum(not row.ended for row in self._rows)

    @property
    def adapters(self) -> set[str | None]:
        """The keys of the adapters that rows are under."""
        return {row.adapter for row in self._rows if not row.ended}

    def room_for(self, waiting: Sequence[Live]) -> int:
        """How many of those that wait can come in now, the first ones first."""
        alive = [row for row in self._rows if not row.ended]
        if alive and not can_share(self._cache):
            return 0  # a window or a state of its own: such rows go together or not at all
        width, read = (self._width if alive else 0), 0
        for count, row in enumerate(waiting):
            width = max(width, len(row.job.ids))
            read += len(row.job.ids)
            alive.append(row)
            longest = max(one.job.max_new_tokens - one.said for one in alive)
            size = len(alive) * (width + longest)
            if len(alive) > 1 and (len(alive) > self.most or size > self._budget):
                return count
            if count and read > _READ_AT_ONCE:
                return count
        return len(waiting)

    def take_in(self, rows: list[Live]) -> None:
        """Read the prompts of new rows; they take part in the next step."""
        torch = self._torch
        self._compact()
        width = max(len(row.job.ids) for row in rows)
        padded = [[self._pad_id] * (width - len(r.job.ids)) + list(r.job.ids) for r in rows]
        marks = [[0] * (width - len(r.job.ids)) + [1] * len(r.job.ids) for r in rows]
        mask = torch.tensor(marks, device=self._device)
        cache = roomy_cache(self._model.network.config, 0 if self._rows else _ROOM)
        positions = (mask.cumsum(1) - 1).clamp(min=0)
        ids = torch.tensor(padded, device=self._device)
        logits = self._forward(rows, ids, mask, positions, cache)
        if self._rows:
            length = max(width, self._mask.shape[1])
            cache = join(self._cache, cache, _ROOM)
            logits = torch.cat([self._logits, logits])
            mask = torch.cat([_padded(torch, one, length) for one in (self._mask, mask)])
        self._rows += rows
        self._cache, self._logits, self._mask = cache, logits, mask
        self._chooser = Chooser([row.job for row in self._rows], torch, self._device)

    def step(self) -> None:
        """One more token for every row; what it is, each row hears."""
        if any(row.cancelled for row in self._rows):
            for row in self._rows:
                row.ended |= row.cancelled
        self._compact(_COMPACT_AT)
        if not self._rows:
            return
        tokens = self._choose()
        found = list(self._described(tokens))
        for row, token in zip(self._rows, found, strict=True):
            if not row.ended:
                _take(row, token)
        if not len(self):
            self._clear()
            return
        torch = self._torch
        self._mask = torch.cat([self._mask, self._mask.new_ones(len(self._rows), 1)], dim=1)
        positions = self._mask.sum(1, keepdim=True) - 1
        self._logits = self._forward(
            self._rows, tokens[:, None], self._mask, positions, self._cache
        )

    def fail(self, error: DlmError) -> None:
        """End every row with an error."""
        rows = [row for row in self._rows if not row.ended]
        self._clear()
        for row in rows:
            end(row, Ended(False, error))

    @property
    def _width(self) -> int:
        return int(self._mask.shape[1])

    def _clear(self) -> None:
        self._rows = []
        self._cache = self._logits = self._mask = self._chooser = None

    def _choose(self) -> Any:
        if not self._chooser.samples:
            return self._chooser.choose(self._logits, None)
        numbers = [next(row.draws) if row.job.temperature > 0 else 0.0 for row in self._rows]
        return self._chooser.choose(self._logits, self._chooser.numbers(numbers))

    def _described(self, tokens: Any) -> Iterator[Token]:
        """Each row's token, with its logprob and the likeliest others where they are wanted."""
        ids = tokens.tolist()
        for place, row in enumerate(self._rows):
            if row.others is None or row.ended:
                yield Token(ids[place])
                continue
            logprobs = self._logits[place].float().log_softmax(-1)
            best = logprobs.topk(row.others) if row.others else None
            others = zip(best.indices.tolist(), best.values.tolist(), strict=True) if best else ()
            yield Token(ids[place], float(logprobs[ids[place]]), tuple(others))

    def _compact(self, share: float = 1.0) -> None:
        """Let go of the rows that ended, when no more than this share is left, and of blanks."""
        alive = [place for place, row in enumerate(self._rows) if not row.ended]
        if not self._rows or len(alive) == len(self._rows) or len(alive) > share * len(self._rows):
            return
        if not alive:
            self._clear()
            return
        chosen = self._torch.tensor(alive, device=self._device)
        self._rows = [self._rows[place] for place in alive]
        self._cache.batch_select_indices(chosen)
        self._logits, self._mask = self._logits[chosen], self._mask[chosen]
        self._chooser.keep(chosen)
        blank = int(self._mask.any(0).int().argmax())  # columns before the first token of any row
        if blank and can_share(self._cache):
            drop_first(self._cache, blank)
            self._mask = self._mask[:, blank:]

    def _forward(
        self, rows: Sequence[Live], tokens: Any, mask: Any, positions: Any, cache: Any
    ) -> Any:
        """Logits (B, V) after the last of `tokens` (B, T); `mask` covers the cache as well."""
        named = {"position_ids": positions} if self._takes_positions else {}
        output = self._adapters.forward(
            [row.adapter for row in rows],
            input_ids=tokens,
            attention_mask=mask,
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
            **named,
        )
        return output.logits[:, -1]


def end(row: Live, how: Ended) -> None:
    """Tell a row that it is over; a second time does nothing."""
    if not row.ended:
        row.ended = True
        row.hear(how)


def _take(row: Live, token: Token) -> None:
    """Let a row hear its token, and its end if it ends with it."""
    if token.id in row.stop_ids:
        end(row, Ended(True))
        return
    row.said += 1
    row.hear(token)
    if row.said >= row.job.max_new_tokens:
        end(row, Ended(False))


def _padded(torch: Any, mask: Any, length: int) -> Any:
    return torch.nn.functional.pad(mask, (length - mask.shape[1], 0))
