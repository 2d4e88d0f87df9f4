"""The one place where a base model and its adapter are loaded into torch.

A `Model` keeps the base resident, carries at most one adapter named `default`, and can score and
generate with it or without it. It knows token ids, not documents.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from dlm.data.chat import Encoded
from dlm.engine import runtime
from dlm.errors import BaseModelError, CorruptStore
from dlm.hardware import Plan

ADAPTER = "default"
_TOKENS_PER_BATCH = 1024
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class LoraSettings:
    """Shape of a new adapter: rank, scaling numerator, dropout, adapted modules."""

    rank: int
    alpha: int
    dropout: float
    target_modules: str | list[str]
    seed: int


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

    def __init__(self, network: Any, plan: Plan, torch: Any) -> None:
        self.network = network
        self.plan = plan
        self.torch = torch

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
        torch = runtime.start(plan)
        network = _load_base(folder, plan, torch)
        if new_adapter is not None:
            network = _new_adapter(network, new_adapter, torch)
        elif adapter is not None:
            network = _load_adapter(network, adapter, trainable=trainable)
        network.to(plan.device)
        network.eval()
        return cls(network, plan, torch)

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

    def score(self, rows: Sequence[Encoded], *, pad_id: int = 0) -> list[Score]:
        """Score the supervised tokens of each row under the model as it stands."""
        scores: list[Score | None] = [None] * len(rows)
        with self.inference():
            for batch in _batches([len(row.ids) for row in rows], _TOKENS_PER_BATCH):
                for index, score in zip(
                    batch, self._score([rows[i] for i in batch], pad_id), strict=True
                ):
                    scores[index] = score
        return [score for score in scores if score is not None]

    def generate(
        self,
        prompts: Sequence[Sequence[int]],
        *,
        max_new_tokens: int,
        stop_ids: frozenset[int],
        pad_id: int,
        temperature: float = 0.0,
        top_p: float = 1.0,
        seed: int = 0,
        on_token: Callable[[int], None] | None = None,
    ) -> list[list[int]]:
        """Continue each prompt; the stop token is not part of the result.

        Greedy at temperature 0. Sampling is reproducible for the same prompts in the same call.
        """
        answers: list[list[int]] = [[] for _ in prompts]
        with self.inference():
            self.torch.manual_seed(seed)
            lengths = [len(prompt) + max_new_tokens for prompt in prompts]
            for batch in _batches(lengths, 8 * _TOKENS_PER_BATCH):
                tails = self._generate(
                    [prompts[i] for i in batch],
                    pad_id,
                    stop_ids,
                    max_new_tokens=max_new_tokens,
                    streamer=_Streamer(on_token, stop_ids)
                    if on_token and len(prompts) == 1
                    else None,
                    **_sampling(temperature, top_p),
                )
                for index, tail in zip(batch, tails, strict=True):
                    answers[index] = tail
        return answers

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
        ).logits.float()  # (supervised tokens, vocabulary)
        targets = ids[:, 1:][keep[:, :-1]]
        nll = torch.nn.functional.cross_entropy(logits, targets, reduction="none")
        hits = logits.argmax(-1) == targets
        start = 0
        for count in keep.sum(1).tolist():
            part = slice(start, start + count)
            start += count
            mean = nll[part].mean().item() if count else math.nan
            yield Score(mean, count, bool(hits[part].all()))

    def _generate(
        self,
        prompts: Sequence[Sequence[int]],
        pad_id: int,
        stop_ids: frozenset[int],
        **options: Any,
    ) -> list[list[int]]:
        torch = self.torch
        width = max(len(prompt) for prompt in prompts)
        ids = [[pad_id] * (width - len(prompt)) + list(prompt) for prompt in prompts]
        mask = [[0] * (width - len(prompt)) + [1] * len(prompt) for prompt in prompts]
        output = self.network.generate(
            input_ids=torch.tensor(ids, device=self.plan.device),
            attention_mask=torch.tensor(mask, device=self.plan.device),
            pad_token_id=pad_id,
            eos_token_id=sorted(stop_ids),
            **options,
        )
        return [_until(row.tolist(), stop_ids) for row in output[:, width:]]


class _Streamer:
    """Passes each new token on, leaving out the prompt and the stop token."""

    def __init__(self, on_token: Callable[[int], None], stop_ids: frozenset[int]) -> None:
        self._on_token = on_token
        self._stop_ids = stop_ids
        self._prompt_seen = False

    def put(self, value: Any) -> None:
        if self._prompt_seen:
            for token in value.reshape(-1).tolist():
                if token not in self._stop_ids:
                    self._on_token(token)
        self._prompt_seen = True

    def end(self) -> None:
        return


def load_classifier(folder: Path, plan: Plan, *, pad_id: int) -> tuple[Any, Any]:
    """A sequence classifier with one output, and torch; BaseModelError when it is none."""
    torch = runtime.start(plan)
    from transformers import AutoModelForSequenceClassification
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()
    transformers_logging.set_verbosity_error()
    try:
        network, found = AutoModelForSequenceClassification.from_pretrained(
            str(folder),
            dtype=getattr(torch, plan.dtype),
            local_files_only=True,
            output_loading_info=True,
        )
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        raise BaseModelError(
            f"the reward model in {folder} does not load: {_first_line(error)}",
            hint="it must be a sequence classifier",
        ) from error
    if found["missing_keys"] or network.config.num_labels != 1:
        raise BaseModelError(
            f"the model in {folder} is no reward model: it gives no single score",
            hint="a reward model is a sequence classifier with one output",
        )
    network.config.pad_token_id = pad_id
    network.to(plan.device)
    network.eval()
    return network, torch


def _load_base(folder: Path, plan: Plan, torch: Any) -> Any:
    from transformers import AutoModelForCausalLM
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()
    transformers_logging.set_verbosity_error()
    try:
        network = AutoModelForCausalLM.from_pretrained(
            str(folder), dtype=getattr(torch, plan.dtype), local_files_only=True
        )
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        raise BaseModelError(
            f"the base model in {folder} does not load: {_first_line(error)}",
            hint="`dlm doctor` checks the base; a damaged download can be deleted and fetched anew",
        ) from error
    # The base's own sampling defaults must not leak into answers.
    network.generation_config = type(network.generation_config)()
    return network


def _new_adapter(network: Any, lora: LoraSettings, torch: Any) -> Any:
    from peft import LoraConfig, get_peft_model

    # Seeded here, after the base is loaded, so that loading cannot shift the initial weights.
    torch.manual_seed(lora.seed)
    return get_peft_model(
        network,
        LoraConfig(
            r=lora.rank,
            lora_alpha=lora.alpha,
            lora_dropout=lora.dropout,
            target_modules=lora.target_modules,
            bias="none",
            task_type="CAUSAL_LM",
        ),
    )


def _load_adapter(network: Any, folder: Path, *, trainable: bool) -> Any:
    from peft import PeftModel

    try:
        return PeftModel.from_pretrained(network, str(folder), ADAPTER, is_trainable=trainable)
    except (OSError, ValueError, RuntimeError, KeyError, TypeError) as error:
        raise CorruptStore(
            f"the adapter in {folder} does not load: {_first_line(error)}",
            hint="`dlm history` lists the other versions; `dlm rollback` goes back to one",
        ) from error


def _sampling(temperature: float, top_p: float) -> dict[str, Any]:
    if temperature <= 0:
        return {"do_sample": False}
    return {"do_sample": True, "temperature": temperature, "top_p": top_p, "top_k": 0}


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


def _until(ids: Sequence[int], stop_ids: frozenset[int]) -> list[int]:
    for index, token in enumerate(ids):
        if token in stop_ids:
            return list(ids[:index])
    return list(ids)


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
