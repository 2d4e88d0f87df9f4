"""A base model in torch with at most one adapter, and how well it predicts rows of tokens.

Knows token ids, not documents. In shapes, B is rows, T tokens, S supervised tokens, V vocabulary.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from dlm.data.chat import Encoded
from dlm.engine.loading import LoraSettings, add_adapter, load_adapter, load_base, start
from dlm.hardware import Plan
from dlm.launch import launch
from dlm.working import Tell, untold

_TOKENS_PER_BATCH = 1024
_LOGITS = 1 << 28  # bytes of float32 that may be held at once; a few copies come on top
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Score:
    """How well the model predicts one supervised span.

    `nll` is the mean negative log-likelihood per token in nats, `tokens` how many were scored,
    `exact` whether greedy decoding from the true prefix gives every one of them.
    """

    nll: float
    tokens: int
    exact: bool


class Model:
    """A resident base model with at most one adapter."""

    def __init__(self, network: Any, plan: Plan, torch: Any, folder: Path | None = None) -> None:
        self.network = network
        self.plan = plan
        self.torch = torch
        self.folder = folder  # of the base
        self.steps = 0  # by which its weights changed: what was measured before is out of date

    @classmethod
    def load(
        cls,
        folder: Path,
        plan: Plan,
        *,
        adapter: Path | None = None,
        new_adapter: LoraSettings | None = None,
        trainable: bool = False,
    ) -> Model:
        """Load the base in `folder`, with the adapter in a folder or a fresh one.

        Raises BaseModelError when the weights do not load, CorruptStore when the adapter does not.
        """
        torch = start(plan)
        network = load_base(folder, plan, torch)
        if new_adapter is not None:
            network = add_adapter(network, new_adapter, torch)
        elif adapter is not None:
            network = load_adapter(network, adapter, trainable=trainable)
        # Where it is sharded, no device may hold it whole; what is quantised lies there already.
        if not launch().sharded and plan.quantization is None:
            network.to(plan.device)
        network.eval()
        return cls(network, plan, torch, folder)

    def add_adapter(self, config: Any, weights: Mapping[str, Any]) -> None:
        """Add an adapter of a PEFT configuration with these weights by name, to be trained."""
        from peft import get_peft_model

        self.network = get_peft_model(self.network, config)
        self.network.load_state_dict(weights, strict=False)
        if not launch().sharded and self.plan.quantization is None:
            self.network.to(self.plan.device)
        self.network.eval()

    @property
    def has_adapter(self) -> bool:
        return hasattr(self.network, "peft_config")

    @contextlib.contextmanager
    def base_only(self) -> Iterator[None]:
        """The frozen base: the adapter is switched off inside."""
        if not self.has_adapter:
            yield
            return
        with self.network.disable_adapter():
            yield

    @contextlib.contextmanager
    def at_strength(self, share: float) -> Iterator[None]:
        """The adapter's weights count only in part inside; 0 is the base, 1 the whole adapter."""
        if not self.has_adapter or share == 1:
            yield
            return
        from peft.tuners.lora import LoraLayer

        layers = [layer for layer in self.network.modules() if isinstance(layer, LoraLayer)]
        kept = [dict(layer.scaling) for layer in layers]
        try:
            for layer, scaling in zip(layers, kept, strict=True):
                layer.scaling = {name: value * share for name, value in scaling.items()}
            yield
        finally:
            for layer, scaling in zip(layers, kept, strict=True):
                layer.scaling = scaling

    def scale(self, share: float) -> None:
        """Make the adapter weaker or stronger from now on: its second factors are multiplied."""
        self.steps += 1
        with self.torch.no_grad():
            for name, weight in self.network.named_parameters():
                if ".lora_B." in name or ".lora_embedding_B." in name:
                    weight.mul_(share)

    @contextlib.contextmanager
    def without_dropout(self) -> Iterator[None]:
        """Every dropout lets everything through inside, in training too."""
        layers = [one for one in self.network.modules() if isinstance(one, self.torch.nn.Dropout)]
        shares = [layer.p for layer in layers]
        try:
            for layer in layers:
                layer.p = 0.0
            yield
        finally:
            for layer, share in zip(layers, shares, strict=True):
                layer.p = share

    def score(
        self, rows: Sequence[Encoded], *, pad_id: int = 0, tell: Tell = untold
    ) -> list[Score]:
        """Score the supervised tokens of each row under the model as it stands."""
        scores: list[Score | None] = [None] * len(rows)
        if not rows:
            return []
        lengths = [len(row.ids) for row in rows]
        read, tokens = 0, sum(lengths)
        with self.inference():
            for batch in _batches(lengths, _TOKENS_PER_BATCH):
                tell("scoring", read, tokens)
                read += sum(lengths[i] for i in batch)
                for index, score in zip(
                    batch, self._score([rows[i] for i in batch], pad_id), strict=True
                ):
                    scores[index] = score
        tell("scoring", tokens, tokens)
        return [score for score in scores if score is not None]

    @contextlib.contextmanager
    def inference(self) -> Iterator[None]:
        was_training = self.network.training
        self.network.eval()
        self.network.config.use_cache = True
        try:
            with self.torch.inference_mode():
                yield
        finally:
            self.network.train(was_training)

    def _score(self, rows: Sequence[Encoded], pad_id: int) -> Iterator[Score]:
        torch = self.torch
        width = max(len(row.ids) for row in rows)
        ids = torch.tensor(
            [_padded(row.ids, width, pad_id) for row in rows], device=self.plan.device
        )
        mask = torch.tensor(
            [_padded([1] * len(row.ids), width, 0) for row in rows], device=self.plan.device
        )
        # keep[b, t]: position t predicts a supervised token t + 1.
        keep = torch.tensor(
            [_padded(row.supervised[1:], width, False) for row in rows],
            device=self.plan.device,
            dtype=torch.bool,
        )
        logits = self.network(
            input_ids=ids, attention_mask=mask, logits_to_keep=keep, use_cache=False
        ).logits.float()  # (S, V)
        targets = ids[:, 1:][keep[:, :-1]]
        nll = torch.nn.functional.cross_entropy(logits, targets, reduction="none")
        hits = logits.argmax(-1) == targets
        start = 0
        for count in keep.sum(1).tolist():
            part = slice(start, start + count)
            start += count
            mean = nll[part].mean().item() if count else math.nan
            yield Score(mean, count, bool(hits[part].all()))


def part_length(model: Model) -> int:
    """How many supervised tokens may be scored at once."""
    vocabulary: int = model.network.config.get_text_config().vocab_size
    return max(16, _LOGITS // (4 * vocabulary))


def score_in_parts(model: Model, row: Encoded, length: int) -> Score:
    """What `Model.score` gives for this row, read `length` tokens at a time."""
    from transformers import DynamicCache

    torch, device = model.torch, model.plan.device
    cache = DynamicCache(config=model.network.config)
    total, tokens, exact = 0.0, 0, True
    with model.inference():
        for start in range(0, len(row.ids) - 1, length):
            end = min(start + length, len(row.ids) - 1)
            keep = torch.tensor([row.supervised[start + 1 : end + 1]], device=device)
            output = model.network(
                input_ids=torch.tensor([row.ids[start:end]], device=device),
                attention_mask=torch.ones(1, end, dtype=torch.long, device=device),
                past_key_values=cache,
                use_cache=True,
                logits_to_keep=keep if keep.any() else 1,
            )
            if keep.any():
                targets = torch.tensor([row.ids[start + 1 : end + 1]], device=device)[keep]
                logits = output.logits.float()
                losses = torch.nn.functional.cross_entropy(logits, targets, reduction="sum")
                total += losses.item()
                tokens += len(targets)
                exact = exact and bool((logits.argmax(-1) == targets).all())
    return Score(total / tokens if tokens else float("nan"), tokens, exact)


def _batches(lengths: Sequence[int], budget: int) -> Iterator[list[int]]:
    """Indices, longest first, in batches whose padded size stays within `budget` tokens."""
    order = sorted(range(len(lengths)), key=lambda i: (-lengths[i], i))
    batch: list[int] = []
    for index in order:
        if batch and lengths[batch[0]] * (len(batch) + 1) > budget:
            yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch


def _padded(values: Sequence[_T], width: int, fill: _T) -> list[_T]:
    return [*values, *[fill] * (width - len(values))]
