"""How TRL's trainer is built, re-entered, and what it leaves behind; `losses` holds its losses.

`RowTrainer` trains the resident adapter on batches of rows in the order given. It decides
nothing: what to train on and when to stop are its caller's.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any, Protocol

from dlm.data.rows import PairRow, Row
from dlm.engine.model import Model
from dlm.train import sharded
from dlm.train.checkpoint import (
    Snapshot,
    capture,
    optimiser_of,
    random_state,
    restore_random,
    restore_weights,
    trained_weights,
    weights_of,
)
from dlm.train.losses import Objective, trainer_class
from dlm.train.ranks import AtRate, Fit, Line, TellState, TellWeights, Verdict
from dlm.train.steps import FILLING, Optimisation, in_order, shared_out


@dataclass(frozen=True, slots=True)
class StepReport:
    """What one optimiser step did. `loss` is nats per supervised token, weighted by trust.

    `pairs` are the summed log-probabilities of the chosen and the rejected answer of each pair of
    the step, in order, before it was taken.
    """

    step: int
    loss: float
    tokens: int
    learning_rate: float
    pairs: tuple[tuple[float, float], ...] = ()


class StepWatcher(Protocol):
    """Called after every optimiser step; returning a reason stops training there."""

    def __call__(self, report: StepReport) -> str | None: ...


class RowTrainer:
    """Trains `model`'s adapter; can be called again and again in one process.

    With a `line` to other processes, each of them has one of these, which takes its share of the
    rows; the others' are called with the same, and their watchers hear what the first one's says.
    """

    def __init__(self, model: Model, *, pad_id: int, line: Line | None = None) -> None:
        self._model = model
        self._pad_id = pad_id
        self._line = line
        self._sharded = False
        self._trainer: Any = None
        self._scratch = tempfile.TemporaryDirectory(prefix="dlm-trainer-")

    def fit(
        self,
        rows: Sequence[Row | PairRow],
        optimisation: Optimisation,
        watcher: StepWatcher,
        *,
        start: Snapshot | None = None,
        objective: Objective | None = None,
    ) -> tuple[int, str | None]:
        """Take one pass over `rows` in order; returns the steps taken and why it stopped early.

        `objective` is what to minimise where some of them are pairs.

        From `start` on, a snapshot of an earlier pass over the same rows, the rest of the pass
        does what it would have done without the interruption, bit for bit on a CPU.
        """
        how, line = optimisation, self._line
        if line is not None and line.leads:
            line.say(Fit(rows, how, start, objective))
            watcher = _telling(watcher, line)
        steps = max(1, len(rows) // how.rows_per_step)
        if start is not None:
            self._restore(start)
            self._model.steps += 1
            rows = rows[start.step * how.rows_per_step :]
            if not rows:
                return start.step, None
        if line is not None:
            rows, how = shared_out(rows, how, line.processes)
        trainer = self._enter(rows, how, steps)
        trainer.objective = objective

        def stepped(report: StepReport) -> str | None:
            self._model.steps += 1
            return watcher(report)

        callback = _callback(stepped, trainer, start, self._restore_moments, line)
        trainer.add_callback(callback)
        # What pairs are compared with was scored without dropout, so they are trained without.
        quiet = self._model.without_dropout() if objective else nullcontext()
        try:
            with quiet, line.guard() if line else nullcontext():
                trainer.train()
        finally:
            trainer.remove_callback(callback)
            self._leave_clean(trainer)
        return trainer.state.global_step, callback.reason

    def at_rate(self, share: float) -> None:
        """Step at this share of the pass's learning rate from now on; for a watcher to call."""
        if self._line is not None and self._line.leads:
            self._line.say(AtRate(share))
        schedule, groups = self._trainer.lr_scheduler, self._trainer.optimizer.param_groups
        peak = share * self._trainer.args.learning_rate
        for group, before in zip(groups, schedule.base_lrs, strict=True):
            group["lr"] *= peak / before
        schedule.base_lrs = [peak for _ in groups]
        schedule._last_lr = [group["lr"] for group in groups]

    def snapshot(self) -> Snapshot:
        """The state after the step that was just taken; to be called by a watcher."""
        if self._line is not None:
            self._line.say(TellState())
        weights, moments, random_states = self.state()
        step, schedule = self._trainer.state.global_step, self._trainer.lr_scheduler
        return capture(step, weights, moments, schedule, random_states)

    def state(self) -> tuple[dict[str, Any], dict[str, Any], list[dict[str, Any]]]:
        """Weights, moments, and each process's random numbers; all of a line call this at once."""
        trainer, line = self._trainer, self._line
        states = [random_state()] if line is None else line.gather(random_state(one_gpu=True))
        if self._sharded:
            model = trainer.model
            return sharded.whole_weights(model), sharded.whole_moments(model, trainer), states
        return trained_weights(self._model.network), trainer.optimizer.state_dict(), states

    def spread(self) -> None:
        """Have FSDP spread the base over the processes of the line, if accelerate is to use it."""
        trainer = self._build([FILLING], Optimisation(1e-4, "constant", 0.0, 1, 1, False, 0), 1)
        if trainer.is_fsdp_enabled and self._line is not None:
            self._trainer, self._sharded = trainer, True
            model = sharded.spread(trainer)
            self.run_along(adapter=True)  # FSDP finds its root where a pass begins
            self._model.network = sharded.Mirrored(model, self._line) if self._line.leads else model

    def run_along(self, *, adapter: bool) -> None:
        """Run the network that FSDP spread, because the first process does."""
        sharded.run_along(self._trainer.model, adapter=adapter, pad_id=self._pad_id)

    def whole_weights(self) -> dict[str, Any] | None:
        """The adapter's weights where FSDP spread them, which all of a line call at once.

        None where the network holds them all.
        """
        if not self._sharded:
            return None
        if self._line is not None and self._line.leads:
            self._line.say(TellWeights())
        return sharded.whole_weights(self._trainer.model)

    def close(self) -> None:
        """Remove the trainer's scratch folder."""
        self._scratch.cleanup()

    def _enter(self, rows: Sequence[Row | PairRow], how: Optimisation, steps: int) -> Any:
        """The resident trainer, set up for a new pass: built at the first, re-entered after.

        `steps` are those of the whole pass, of which `rows` may be the rest.
        """
        if self._trainer is None:
            self._trainer = self._build(rows, how, steps)
            return self._trainer
        trainer = self._trainer
        trainer.train_dataset = dataset(rows)
        trainer.optimizer = trainer.lr_scheduler = None
        for name, value in _arguments(how, steps).items():
            setattr(trainer.args, name, value)
        trainer._train_batch_size = how.micro_batch
        return trainer

    def _build(self, rows: Sequence[Row | PairRow], how: Optimisation, steps: int) -> Any:
        from transformers import PrinterCallback
        from trl import SFTConfig

        plan = self._model.plan
        arguments = SFTConfig(
            output_dir=self._scratch.name,
            **_arguments(how, steps),
            weight_decay=0.0,
            optim="adamw_torch",
            train_sampling_strategy="sequential",
            max_length=None,
            dataset_kwargs={"skip_prepare_dataset": True},
            bf16=plan.device == "cuda" and plan.dtype == "bfloat16",
            # Gradients of half precision are too small for it without the scaling this switches on.
            fp16=plan.device == "cuda" and plan.dtype == "float16",
            use_cpu=plan.device == "cpu",
            save_strategy="no",
            eval_strategy="no",
            logging_strategy="no",
            report_to="none",
            log_level_replica="error",
            disable_tqdm=True,
            dataloader_num_workers=0,
            dataloader_pin_memory=False,
            ddp_find_unused_parameters=False,
            ddp_broadcast_buffers=False,
        )
        trainer = trainer_class()(
            model=self._model.network,
            args=arguments,
            train_dataset=dataset(rows),
            data_collator=Collator(self._pad_id),
            processing_class=tokenizer(self._pad_id),
        )
        trainer.remove_callback(PrinterCallback)  # it writes to standard output
        return trainer

    def _restore(self, start: Snapshot) -> None:
        if self._sharded:
            sharded.put_weights(self._trainer.model, weights_of(start))
        else:
            restore_weights(start, self._model.network)

    def _restore_moments(self, start: Snapshot) -> None:
        trainer, state = self._trainer, optimiser_of(start)
        if self._sharded:
            sharded.put_moments(trainer.model, trainer, state)
        else:
            trainer.optimizer.load_state_dict(state)
        trainer.lr_scheduler.load_state_dict(dict(start.settings["scheduler"]))

    def _leave_clean(self, trainer: Any) -> None:
        """Undo what a trainer leaves on a resident model: wrapped forwards, hooks, switches."""
        network = trainer.accelerator.unwrap_model(trainer.model, keep_fp32_wrapper=False)
        network.get_base_model().__dict__.pop("forward", None)
        if trainer.args.gradient_checkpointing:
            network.gradient_checkpointing_disable()
        network.config.use_cache = True
        network.zero_grad(set_to_none=True)
        network.eval()
        if not self._sharded:
            trainer.model_wrapped = trainer.model  # the next pass starts from the first's weights
            self._model.network = network


_SCHEDULES = {
    "constant": "constant_with_warmup",
    "linear": "linear",
    "cosine": "cosine",
}


def _arguments(how: Optimisation, steps: int) -> dict[str, Any]:
    """The trainer arguments that may change from one pass to the next."""
    return {
        "per_device_train_batch_size": how.micro_batch,
        "gradient_accumulation_steps": how.grad_accum,
        "gradient_checkpointing": how.gradient_checkpointing,
        "max_steps": steps,
        "learning_rate": how.learning_rate,
        "lr_scheduler_type": _SCHEDULES[how.schedule],
        "warmup_steps": min(5, int(how.warmup_ratio * steps) + 1) if how.warmup_ratio else 0,
        "max_grad_norm": how.max_grad_norm,
        "seed": how.seed,
        "data_seed": how.seed,
    }


def _telling(watcher: StepWatcher, line: Line) -> StepWatcher:
    """The watcher of the first process, whose verdict the others hear."""

    def tell(report: StepReport) -> str | None:
        reason = watcher(report)
        line.say(Verdict(reason))
        return reason

    return tell


def _callback(
    watcher: StepWatcher,
    trainer: Any,
    start: Snapshot | None,
    restore_moments: Callable[[Snapshot], None],
    line: Line | None,
) -> Any:
    from transformers import TrainerCallback

    class _Steps(TrainerCallback):  # type: ignore[misc]
        reason: str | None = None

        def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            if start is not None:
                state.global_step = start.step
                restore_moments(start)

        def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            # Not earlier: the data loader draws a random number when it is entered.
            if start is not None and state.global_step == start.step:
                restore_random(start, line.here.rank if line else 0)

        def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> Any:
            rate = kwargs["lr_scheduler"].get_last_lr()[0]
            ours = (trainer.last_loss, trainer.last_tokens, trainer.last_pairs)
            losses, tokens, pairs = zip(*(line.gather(ours) if line else [ours]), strict=True)
            report = StepReport(
                state.global_step, sum(losses), sum(tokens), rate, tuple(in_order(pairs))
            )
            self.reason = watcher(report)
            if self.reason is not None:
                control.should_training_stop = True
            return control

    return _Steps()


class Collator:
    """Pads a list of row dictionaries on the right; shapes are (sequences, longest sequence).

    Where there are pairs, `input_ids`, `labels` and `attention_mask` hold a sequence for each row
    (of a pair, the chosen answer's), then the rejected answers; all else has one entry a row.
    """

    def __init__(self, pad_id: int) -> None:
        self._pad_id = pad_id

    def __call__(self, rows: list[dict[str, Any]]) -> dict[str, Any]:
        import torch

        pairs = [row for row in rows if row.get("is_pair")]
        ids = [row["input_ids"] for row in rows] + [row["rejected_ids"] for row in pairs]
        labels = [row["labels"] for row in rows] + [row["rejected_labels"] for row in pairs]
        width = max(map(len, ids))

        def padded(sequences: list[list[int]], fill: int) -> Any:
            return torch.tensor([one + [fill] * (width - len(one)) for one in sequences])

        batch = {
            "input_ids": padded(ids, self._pad_id),
            "labels": padded(labels, -100),
            "attention_mask": padded([[1] * len(one) for one in ids], 0),
            "row_weight": torch.tensor([row["row_weight"] for row in rows], dtype=torch.float32),
        }
        if "is_pair" in rows[0]:
            reference = [row["reference"] for row in rows]
            return batch | {
                "is_pair": torch.tensor([row["is_pair"] for row in rows]),
                "reference": torch.tensor(reference, dtype=torch.float32),
            }
        return batch | {"toward_base": torch.tensor([row["toward_base"] for row in rows])}


def dataset(rows: Sequence[Row | PairRow]) -> Any:
    """One entry a row: `input_ids`, `labels` (-100: does not count), weight, what it aims at.

    A pair has those of its chosen answer, the same of its rejected one, and their reference.
    """
    from datasets import Dataset

    firsts = [row.chosen if isinstance(row, PairRow) else row for row in rows]
    columns: dict[str, list[Any]] = {
        "input_ids": [list(row.ids) for row in firsts],
        "labels": [_labels(row) for row in firsts],
        "row_weight": [row.weight for row in rows],
    }
    if any(isinstance(row, PairRow) for row in rows):
        pairs = [row if isinstance(row, PairRow) else None for row in rows]
        columns |= {
            "is_pair": [pair is not None for pair in pairs],
            "rejected_ids": [list(pair.rejected.ids) if pair else [] for pair in pairs],
            "rejected_labels": [_labels(pair.rejected) if pair else [] for pair in pairs],
            "reference": [list(pair.reference) if pair else [0.0, 0.0] for pair in pairs],
        }
    else:
        columns["toward_base"] = [row.toward_base for row in firsts]
    return Dataset.from_dict(columns)


def tokenizer(pad_id: int) -> Any:
    """TRL insists on a tokenizer; rows are encoded already, so one with a pad token serves."""
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast

    vocabulary = {f"<{i}>": i for i in range(pad_id + 1)}
    bare = Tokenizer(models.WordLevel(vocabulary, unk_token="<0>"))
    return PreTrainedTokenizerFast(
        tokenizer_object=bare, pad_token=f"<{pad_id}>", eos_token=f"<{pad_id}>"
    )


def _labels(row: Row) -> list[int]:
    return [token if on else -100 for token, on in zip(row.ids, row.supervised, strict=True)]
