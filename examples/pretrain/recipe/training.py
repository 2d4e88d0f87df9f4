"""The training loop: batches, loss, step, log, checkpoint. One path for CPU and CUDA."""

from __future__ import annotations

import csv
import math
import time
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor

from dlm.errors import DlmError, TrainingError
from recipe import checkpoint
from recipe.attention import attention
from recipe.export import export
from recipe.llama import CONFIGS, Llama
from recipe.optimiser import Optimisers
from recipe.packing import Batch, Packer, held_out_batches
from recipe.schedule import Budget, rate, shares
from recipe.shards import Stream
from recipe.throughput import Meter, peak_of

LOG_EVERY: Final = 10  # steps
MEASURE_EVERY: Final = 100  # steps
STREAMS: Final = ("plain", "chat", "echo")
_COLUMNS: Final = (
    "seconds", "step", "tokens", "progress", "rate", "loss", "plain_loss", "chat_loss",
    "tokens_per_second", "share_of_peak",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Settings:
    """What a run is made with: `rows` a micro-batch, `accumulate` of those a step."""

    config: str
    seed: int
    rows: int
    accumulate: int
    attention: str = "auto"
    compile: bool = False
    peak_tflops: float | None = None


class Training:
    """A model in training; `begin`, then `run`, and `run` again to go on after `stop`."""

    def __init__(
        self, settings: Settings, device: torch.device, data: Path, tokenizer: Path, out: Path
    ) -> None:
        self._settings, self._device = settings, device
        self._tokenizer, self._out = tokenizer, out
        self._shape = CONFIGS[settings.config]
        streams = {name: Stream(data / name) for name in STREAMS}
        self._packer = Packer(streams, self._shape.context, settings.seed)
        self._held_out = {
            name: held_out_batches(
                Stream(data / f"held_out_{name}"), self._shape.context, settings.rows, most=8
            )
            for name in ("plain", "chat")
        }
        torch.manual_seed(settings.seed)
        attend, self._mask = attention(settings.attention, device, compiled=settings.compile)
        self._model = Llama(self._shape, attend).to(device)
        self._loss = torch.compile(self._model.loss) if settings.compile else self._model.loss
        self._optimisers = Optimisers(self._model)
        self._meter = Meter(self._shape, peak_of(device, settings.peak_tflops))
        self._fingerprints = {name: stream.fingerprint() for name, stream in streams.items()}
        self.step, self.tokens, self._stopping = 0, 0, False

    def begin(self, tokens: int | None, minutes: float | None, *, resume: bool) -> None:
        """Set the budget, and go on from the checkpoint where `resume` says so."""
        self._budget = Budget(tokens, minutes)
        self._identity = {
            **{key: asdict(self._settings)[key] for key in ("config", "seed", "rows")},
            "accumulate": self._settings.accumulate,
            "tokens": tokens,
            "minutes": minutes,
            "data": self._fingerprints,
        }
        if resume:
            self._restore(checkpoint.load(self._out, self._identity))
            return
        if (self._out / checkpoint.NAME).exists():
            raise DlmError(
                f"{self._out} holds a training already", hint="go on with --resume, or name another"
            )
        self._out.mkdir(parents=True, exist_ok=True)
        with (self._out / "log.csv").open("w", newline="") as file:
            csv.writer(file).writerow(_COLUMNS)
        print(
            f"{self._settings.config}: {self._shape.parameters / 1e6:.1f}M parameters", flush=True
        )

    def stop(self) -> None:
        """End `run` after the step under way."""
        self._stopping = True

    def run(self, *, save_every: float) -> bool:
        """Train until the budget is used up, or until `stop`: then False. Saves at the end."""
        saved = time.monotonic()
        losses: list[Tensor] = []
        self._stopping = False
        self._meter.read()
        while (progress := self._budget.progress(self.tokens)) < 1 and not self._stopping:
            losses.append(self._one_step(progress))
            if self.step % LOG_EVERY == 0 or self.step == 1:
                self._log(losses, progress)
                losses = []
            if time.monotonic() - saved > save_every:
                self._save()
                saved = time.monotonic()
        finished = self._budget.progress(self.tokens) >= 1
        if losses or finished:
            self._log(losses, min(1.0, self._budget.progress(self.tokens)), measure=finished)
        self._save()
        return finished

    def _one_step(self, progress: float) -> Tensor:
        """One step of the optimisers; returns the mean loss in nats, not waited for."""
        wanted = shares(progress)
        batches = [
            self._packer.batch(self._settings.rows, wanted)
            for _ in range(self._settings.accumulate)
        ]
        whole = sum(float(batch.weights.sum()) for batch in batches)
        total = torch.zeros((), device=self._device)
        for batch in batches:
            loss = self._loss_of(batch) / whole
            loss.backward()  # type: ignore[no-untyped-call]
            total += loss.detach()
        torch.nn.utils.clip_grad_norm_(self._model.parameters(), 1.0)
        self._optimisers.step(rate(progress, self.step))
        count = sum(batch.ids.size for batch in batches)
        self.step, self.tokens = self.step + 1, self.tokens + count
        self._meter.count(count)
        return total

    def _loss_of(self, batch: Batch) -> Tensor:
        ids, targets, weights, documents = (
            self._moved(array)
            for array in (batch.ids, batch.targets, batch.weights, batch.documents)
        )
        mask = self._mask(documents)
        with self._precision():
            found: Tensor = self._loss(ids, targets, weights, mask)
        return found

    def _moved(self, array: Any) -> Tensor:
        tensor = torch.tensor(array)
        if self._device.type == "cuda":
            return tensor.pin_memory().to(self._device, non_blocking=True)
        return tensor

    def _precision(self) -> AbstractContextManager[Any]:
        if self._device.type == "cuda":
            return torch.autocast("cuda", dtype=torch.bfloat16)
        return nullcontext()

    def _measured(self, name: str) -> float:
        """Nats per taught token of the held-out rows of a stream; prompts do not count."""
        # With gradients, though none is asked for: without them the model would be compiled anew.
        loss = taught = 0.0
        for batch in self._held_out[name]:
            weights = (batch.weights == 1.0).astype("float32")
            only = Batch(batch.ids, batch.targets, weights, batch.documents)
            loss += float(self._loss_of(only).detach())
            taught += float(weights.sum())
        return loss / taught if taught else math.nan

    def _log(self, losses: list[Tensor], progress: float, *, measure: bool = False) -> None:
        mean = float(torch.stack(losses).mean()) if losses else math.nan
        speed, share = self._meter.read()
        if losses and not math.isfinite(mean):
            raise TrainingError(
                f"the loss is no number at step {self.step}",
                hint="the last checkpoint is whole; resume it on other data or at a lower rate",
            )
        plain = chat = math.nan
        if measure or self.step % MEASURE_EVERY == 0:
            plain, chat = self._measured("plain"), self._measured("chat")
            self._meter.read()
        row = (
            round(self._budget.seconds(), 1), self.step, self.tokens, round(progress, 5),
            round(rate(progress, self.step), 4), mean, plain, chat, round(speed), share,
        )  # fmt: skip
        with (self._out / "log.csv").open("a", newline="") as file:
            csv.writer(file).writerow(_cell(value) for value in row)
        print(_line(self.step, self.tokens, progress, mean, plain, chat, speed, share), flush=True)

    def _save(self) -> None:
        state = {
            "identity": self._identity,
            "model": self._model.state_dict(),
            "optimisers": self._optimisers.state_dict(),
            "packer": self._packer.state_dict(),
            "random": checkpoint.random_state(self._device),
            "step": self.step,
            "tokens": self.tokens,
            "seconds": self._budget.seconds(),
        }
        checkpoint.save(self._out, state)
        weights = dict(self._model.named_parameters())
        export(weights, self._shape, self._tokenizer, self._out / "model")

    def _restore(self, state: dict[str, Any]) -> None:
        self._model.load_state_dict(state["model"])
        self._optimisers.load_state_dict(state["optimisers"])
        self._packer.load_state_dict(state["packer"])
        checkpoint.restore_random_state(state["random"], self._device)
        self.step, self.tokens = state["step"], state["tokens"]
        self._budget.spent = state["seconds"]
        print(f"resumed at step {self.step}, {self.tokens / 1e6:.1f}M tokens")


def _cell(value: float | None) -> object:
    missing = value is None or (isinstance(value, float) and math.isnan(value))
    return "" if missing else round(value, 5) if isinstance(value, float) else value


def _line(
    step: int,
    tokens: int,
    progress: float,
    loss: float,
    plain: float,
    chat: float,
    speed: float,
    share: float | None,
) -> str:
    """One line of the log: what stands still is left out."""
    said = f"step {step:6}  {tokens / 1e6:8.2f}M tokens  {progress:6.1%}"
    if not math.isnan(loss):
        said += f"  loss {loss:.3f}"
    if not math.isnan(plain):
        said += f"  held out: plain {plain:.3f}, chat {chat:.3f}"
    if speed:
        peak = "peak unknown" if share is None else f"{share:.1%} of peak"
        said += f"  {speed:,.0f} tokens/s  {peak}"
    return said
