"""How a training or an answer should use a machine: device, number format, batch, threads.

Arithmetic over plain values; each decision comes with its reason. Knows nothing of torch.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from dlm.base_models import BASE_MODELS, BaseModel
from dlm.errors import TrainingError
from dlm.machine import Gpu, Machine, detect

__all__ = [
    "Gpu",
    "Machine",
    "Plan",
    "answering_gb",
    "detect",
    "largest_base",
    "plan",
    "plan_again",
    "plan_answers",
    "training_gb",
]

Auto = Literal["auto"]
Device = Literal["cpu", "cuda", "mps"]
Dtype = Literal["float32", "bfloat16", "float16"]

_GB: Final = 1e9
_SEQUENCE_LENGTH: Final = 512  # tokens, where none is given
_EFFECTIVE_BATCH: Final = 8  # rows per step; adapters on small documents learn best from few
_USABLE: Final = 0.9  # of the free memory; the rest is fragmentation
_UNIFIED_USABLE: Final = 0.7  # of the memory that CPU and GPU share on Apple silicon
_RUNTIME_GB: Final = {"cpu": 0.8, "cuda": 1.0, "mps": 1.0}  # libraries and kernels, measured on CPU
# Values kept for the backward pass, per token, layer and hidden unit, and copies of the logits.
# Measured as resident memory on CPU; a GPU needs less, so there the estimate is on the safe side.
_ACTIVATIONS: Final = 50
_ACTIVATIONS_CHECKPOINTED: Final = 20
_LOGIT_COPIES: Final = 4
_LORA_SPAN: Final = 22  # input plus output widths of one layer's matrices, in hidden sizes
_ANSWER_TOKENS: Final = 4096  # what an answer may need in the key-value cache
_BYTES: Final[dict[Dtype, int]] = {"float32": 4, "bfloat16": 2, "float16": 2}
_PRECISIONS: Final[dict[str, Dtype]] = {"fp32": "float32", "bf16": "bfloat16", "fp16": "float16"}


@dataclass(frozen=True, slots=True)
class Plan:
    """How to run. `memory_gb` is the estimated peak, 0 when the size of the base is unknown."""

    device: Device
    dtype: Dtype
    micro_batch: int
    grad_accum: int
    gradient_checkpointing: bool
    threads: int
    memory_gb: float
    reasons: tuple[str, ...]


def plan(
    machine: Machine,
    base: BaseModel,
    *,
    sequence_length: int,
    micro_batch: int | Auto = "auto",
    grad_accum: int | Auto = "auto",
    precision: str | None = None,
    lora_rank: int = 16,
) -> Plan:
    """How to train `base` here: the best device, and the least change to it that fits the memory.

    Raises TrainingError, naming a base that would fit, when nothing does.
    """
    threads = _threads(machine, base)
    too_small: list[str] = []
    for device, free, why in _devices(machine):
        dtype, format_reason = _dtype(device, machine, precision)
        need = 0.0
        for micro, accum, less in _shapes(micro_batch, grad_accum):
            need = training_gb(base, device, dtype, micro * sequence_length, lora_rank, less)
            if _fits(need, free):
                reasons = (
                    *too_small,
                    why,
                    format_reason,
                    *_shape_reasons(micro, accum, less, need),
                )
                return Plan(device, dtype, micro, accum, less, threads, round(need, 2), reasons)
        too_small.append(_lack(device, free, need))
    raise _too_large(machine, base, sequence_length, too_small)


def plan_answers(machine: Machine, base: BaseModel, *, precision: str | None = None) -> Plan:
    """How to load `base` for answering: weights and cache only, nothing kept for a backward pass.

    Raises TrainingError, naming a base that would fit, when nothing does.
    """
    threads = _threads(machine, base)
    too_small: list[str] = []
    for device, free, why in _devices(machine):
        dtype, format_reason = _dtype(device, machine, precision)
        need = answering_gb(base, device, dtype)
        if _fits(need, free):
            reasons = (*too_small, why, format_reason)
            return Plan(device, dtype, 1, 1, False, threads, round(need, 2), reasons)
        too_small.append(_lack(device, free, need))
    raise _too_large(machine, base, _SEQUENCE_LENGTH, too_small)


def plan_again(machine: Machine, before: Plan) -> Plan:
    """The plan of an earlier run, taken over unchanged so that its result stays the same.

    Raises TrainingError when the device is not there or its free memory does not suffice now.
    """
    for device, free, _ in _devices(machine):
        if device != before.device:
            continue
        if _fits(before.memory_gb, free):
            return before
        raise TrainingError(
            f"the run needs about {before.memory_gb:.1f} GB and {device} has {free:.1f} GB to use",
            hint="close other programs and resume again",
        )
    raise TrainingError(
        f"the run was training on {before.device}, which is not to be had here",
        hint="resume it where it was started, or start over without --resume",
    )


def training_gb(
    base: BaseModel, device: Device, dtype: Dtype, tokens: int, lora_rank: int, checkpointing: bool
) -> float:
    """Estimated peak of one step over `tokens` tokens, in gigabytes; 0 when the base is unknown."""
    if not base.params:
        return 0.0
    size = _BYTES[dtype]
    kept = _ACTIVATIONS_CHECKPOINTED if checkpointing else _ACTIVATIONS
    activations = tokens * base.layers * base.hidden_size * kept * size
    logits = tokens * base.vocab_size * _LOGIT_COPIES * 4
    # Each value of the adapter comes with its gradient and two moments, four bytes each.
    adapter = base.layers * base.hidden_size * _LORA_SPAN * lora_rank * 16
    return _RUNTIME_GB[device] + (base.params * size + activations + logits + adapter) / _GB


def answering_gb(base: BaseModel, device: Device, dtype: Dtype) -> float:
    """Estimated memory for answering, in gigabytes; 0 when the base is unknown."""
    if not base.params:
        return 0.0
    tokens = min(base.context_length, _ANSWER_TOKENS)
    cache = tokens * base.layers * base.hidden_size * 2 * _BYTES[dtype]
    return _RUNTIME_GB[device] + (base.params * _BYTES[dtype] + cache) / _GB


def largest_base(
    machine: Machine, *, sequence_length: int = _SEQUENCE_LENGTH, below: int | None = None
) -> BaseModel | None:
    """The largest openly licensed base of the registry that can be trained here, or None.

    `below` leaves out those with as many weights or more.
    """
    limit = math.inf if below is None else below
    fitting = [
        base
        for base in BASE_MODELS.values()
        if base.params < limit
        and base.license_spdx in ("Apache-2.0", "MIT", "CC-BY-SA-4.0")
        and not base.thinking
        and _can_train(machine, base, sequence_length)
    ]
    return max(fitting, key=lambda base: base.params, default=None)


def _can_train(machine: Machine, base: BaseModel, sequence_length: int) -> bool:
    return any(
        _fits(
            training_gb(base, device, _dtype(device, machine, None)[0], sequence_length, 16, True),
            free,
        )
        for device, free, _ in _devices(machine)
    )


def _devices(machine: Machine) -> Iterator[tuple[Device, float, str]]:
    """Devices to try, best first: name, gigabytes to use (0 unknown), why."""
    if machine.gpus:
        gpu = machine.gpus[0]
        others = f", the first of {len(machine.gpus)}" if len(machine.gpus) > 1 else ""
        yield "cuda", gpu.free_gb * _USABLE, f"cuda: {gpu.name}{others}"
    elif machine.mps:
        yield "mps", machine.memory_gb * _UNIFIED_USABLE, "mps: Apple silicon"
    yield "cpu", machine.available_gb * _USABLE, f"cpu: {machine.cores} cores"


def _dtype(device: Device, machine: Machine, precision: str | None) -> tuple[Dtype, str]:
    """The number format of the base, and why. The adapter itself is always float32."""
    asked = _PRECISIONS.get(precision or "")
    if asked == "float16" and device != "cuda":
        return "float32", f"float32: fp16 was asked for, and {device} cannot train in it"
    if asked:
        return asked, f"{asked}: asked for in the document"
    if device == "cuda" and machine.gpus[0].compute >= (8, 0):
        return "bfloat16", "bfloat16: the GPU computes in it"
    if device == "cuda":
        return "float32", "float32: the GPU has no bfloat16"
    return "float32", f"float32: every {device} computes in it, and it is exact"


def _shapes(micro_batch: int | Auto, grad_accum: int | Auto) -> Iterator[tuple[int, int, bool]]:
    """Micro-batch, accumulation and checkpointing to try, fastest first.

    What is automatic shrinks and grows so that a step keeps its rows; what was asked for stays.
    """
    if micro_batch != "auto":
        accum = math.ceil(_EFFECTIVE_BATCH / micro_batch) if grad_accum == "auto" else grad_accum
        yield micro_batch, accum, False
        yield micro_batch, accum, True
        return
    micro = most = max(1, _EFFECTIVE_BATCH // (1 if grad_accum == "auto" else grad_accum))
    while micro > 1:
        yield micro, most // micro if grad_accum == "auto" else grad_accum, False
        micro //= 2
    last = most if grad_accum == "auto" else grad_accum
    yield 1, last, False
    yield 1, last, True


def _shape_reasons(micro: int, accum: int, less: bool, need: float) -> Iterator[str]:
    yield f"batch: {micro} x {accum} rows a step"
    if less:
        yield "gradient checkpointing: slower, and the memory does not suffice without it"
    yield (
        f"memory: about {need:.1f} GB"
        if need
        else "memory: not checked, the base is of unknown size"
    )


def _fits(need: float, free: float) -> bool:
    """Whether it fits as far as is known: 0 stands for unknown."""
    return need == 0 or free == 0 or need <= free


def _lack(device: Device, free: float, need: float) -> str:
    return f"{device} has {free:.1f} GB to use and {need:.1f} GB would be needed"


def _threads(machine: Machine, base: BaseModel) -> int:
    # Small matrices are split into crumbs by many threads: waiting then costs more than computing.
    most = 4 if 0 < base.params <= 50_000_000 else 16
    return max(1, min(machine.cores, most))


def _too_large(
    machine: Machine, base: BaseModel, sequence_length: int, too_small: list[str]
) -> TrainingError:
    smaller = largest_base(machine, sequence_length=sequence_length, below=base.params)
    hint = f"base_model: {smaller.key} fits; or " if smaller else ""
    return TrainingError(
        f"{base.key} does not fit this machine: {'; '.join(too_small)}",
        hint=f"{hint}close other programs, shorten training.sequence_len, or use a larger machine",
    )
