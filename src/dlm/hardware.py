"""What this process has to compute with, and how a training or an answer should use it.

Cores, memory and GPUs are read from files and asked of `nvidia-smi`; the rest is arithmetic over
plain values, and each decision comes with its reason. Never imports torch, so that a plan can be
refused before the slow part starts.
"""

from __future__ import annotations

import importlib.util
import math
import os
import platform
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal

from dlm.base_models import BASE_MODELS, BaseModel
from dlm.base_models.registry import Quantization
from dlm.errors import TrainingError
from dlm.launch import ALONE, Launch, launch
from dlm.memory import GB, Device, Dtype, answering_gb, training_gb, weights_gb

Auto = Literal["auto"]
_SEQUENCE_LENGTH: Final = 512  # tokens, where none is given
_ROWS: Final = 8  # of a step; adapters on small documents learn best from few
# Of a larger base on CPU, where every token costs: a document is learned from half of them.
_FEW_ROWS: Final = 2
_SMALL: Final = 50_000_000  # weights of a base whose matrices do not fill the cores
_USABLE: Final = 0.9  # of the free memory; the rest is fragmentation
_UNIFIED_USABLE: Final = 0.7  # of the memory that CPU and GPU share on Apple silicon
_PRECISIONS: Final[dict[str, Dtype]] = {"fp32": "float32", "bf16": "bfloat16", "fp16": "float16"}


@dataclass(frozen=True, slots=True)
class Gpu:
    """One NVIDIA GPU. `compute` is its compute capability, such as (9, 0)."""

    name: str
    memory_gb: float
    free_gb: float
    compute: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Machine:
    """Cores and memory this process may use; 0 gigabytes means unknown.

    `launch`: the processes that share a training with it, and this machine.
    """

    cores: int
    memory_gb: float
    available_gb: float
    gpus: tuple[Gpu, ...] = ()
    mps: bool = False
    launch: Launch = ALONE


@dataclass(frozen=True, slots=True)
class Plan:
    """How to run. `memory_gb` is the estimated peak, 0 when the size of the base is unknown.

    `quantization`: the weights of the base are held in so many bits.
    """

    device: Device
    dtype: Dtype
    micro_batch: int
    grad_accum: int
    gradient_checkpointing: bool
    threads: int
    memory_gb: float
    reasons: tuple[str, ...]
    quantization: Quantization | None = None

    @property
    def remarks(self) -> tuple[str, ...]:
        """The reasons that are not the usual ones: what was asked for, and what did not fit."""
        return tuple(one for one in self.reasons if "asked for" in one or "would be needed" in one)

    @property
    def summary(self) -> str:
        """In one line: device, number format, rows a step, memory."""
        held = f", the base in {self.quantization}" if self.quantization else ""
        memory = f", about {self.memory_gb:.1f} GB" if self.memory_gb else ""
        less = ", gradient checkpointing" if self.gradient_checkpointing else ""
        rows = f"{self.micro_batch} x {self.grad_accum} rows a step"
        return f"{self.device}, {self.dtype}{held}, {rows}{less}{memory}"


def detect() -> Machine:
    """The machine as this process sees it: affinity, container limits and visible GPUs included.

    Of several processes of one launch each has its part. Raises TrainingError where they are more
    than the GPUs.
    """
    total, available = memory_within(Path("/"))
    apple = platform.system() == "Darwin" and platform.machine() == "arm64"
    here = launch()
    parts = here.local_processes
    gpus = _gpus()
    if gpus and here.several:
        if parts > len(gpus):
            raise TrainingError(
                f"{parts} processes were started here, and there are {len(gpus)} GPUs",
                hint="start one for each GPU; CUDA_VISIBLE_DEVICES= leaves the GPUs out",
            )
        gpus = (gpus[here.local_rank],)
    cores = max(1, cores_within(Path("/")) // parts)
    return Machine(cores, total / parts, available / parts, gpus, apple, here)


def plan(
    machine: Machine,
    base: BaseModel,
    *,
    sequence_length: int,
    micro_batch: int | Auto = "auto",
    grad_accum: int | Auto = "auto",
    precision: str = "auto",
    lora_rank: int = 16,
) -> Plan:
    """How to train `base` here: the best device, and the least change to it that fits the memory.

    Raises TrainingError, naming a base that would fit, when nothing does, and where a base that is
    to be quantised cannot be.
    """
    threads = _threads(machine, base)
    too_small: list[str] = []
    if (refusal := _cannot_quantise(machine)) and base.quantization:
        raise TrainingError(
            f"training.quantization: {base.quantization} {refusal[0]}", hint=refusal[1]
        )
    for device, free, why in _devices(machine):
        if base.quantization and device != "cuda":
            continue
        dtype, format_reason = _dtype(device, machine, precision)
        need = before = 0.0
        slow = device == "cpu" and base.params > _SMALL
        rows = _FEW_ROWS if slow else _ROWS
        for micro, accum, less in _shapes(micro_batch, grad_accum, rows):
            held = min(micro, math.ceil(micro * accum / machine.launch.processes))
            need = training_gb(base, device, dtype, held, sequence_length, lora_rank, less)
            need -= _elsewhere(base, device, dtype, machine.launch)
            if _fits(need, free):
                reasons = (
                    *too_small,
                    why,
                    format_reason,
                    *_held_reasons(base),
                    *_launch_reasons(machine.launch),
                    *_shape_reasons(micro, accum, less, need, _lack(device, free, before)),
                )
                memory = round(need, 2)
                return Plan(
                    device, dtype, micro, accum, less, threads, memory, reasons, base.quantization
                )
            before = need
        too_small.append(_lack(device, free, need))
    raise _too_large(machine, base, sequence_length, too_small)


def plan_answers(machine: Machine, base: BaseModel) -> Plan:
    """How to load `base` for answering: weights and cache only, nothing kept for a backward pass.

    It is quantised as for training where that can be done, and whole elsewhere. Raises
    TrainingError, naming a base that would fit, when nothing does.
    """
    threads = _threads(machine, base)
    too_small: list[str] = []
    for device, free, why in _devices(machine):
        held = base
        if base.quantization and (device != "cuda" or _cannot_quantise(machine)):
            held = replace(base, quantization=None)
        dtype, format_reason = _dtype(device, machine, "auto")
        need = answering_gb(held, device, dtype)
        if _fits(need, free):
            reasons = (*too_small, why, format_reason, *_held_reasons(held))
            memory = round(need, 2)
            return Plan(device, dtype, 1, 1, False, threads, memory, reasons, held.quantization)
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


def _elsewhere(base: BaseModel, device: Device, dtype: Dtype, here: Launch) -> float:
    """Gigabytes of the base that FSDP leaves to the other processes."""
    if not here.sharded or device == "cpu":
        return 0.0
    return weights_gb(base, dtype) * (1 - 1 / here.processes)


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
            training_gb(
                base, device, _dtype(device, machine, "auto")[0], 1, sequence_length, 16, True
            ),
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


def _cannot_quantise(machine: Machine) -> tuple[str, str] | None:
    """Why weights cannot be held in few bits here, and what to do."""
    if not machine.gpus:
        return (
            "needs an NVIDIA GPU, and there is none here that torch can use",
            "leave the key out to train the base as it is, or train on another machine",
        )
    if importlib.util.find_spec("bitsandbytes") is None:
        return (
            "needs the package bitsandbytes, which is not installed",
            "pip install 'dlm[quantization]', or leave the key out to train the base as it is",
        )
    return None


def _held_reasons(base: BaseModel) -> Iterator[str]:
    if base.quantization:
        yield f"{base.quantization}: asked for in the document; the adapter itself is float32"


def _dtype(device: Device, machine: Machine, precision: str) -> tuple[Dtype, str]:
    """The number format of the base, and why. The adapter itself is always float32."""
    asked = _PRECISIONS.get(precision)
    if asked == "float16" and device != "cuda":
        return "float32", f"float32: fp16 was asked for, and {device} cannot train in it"
    if asked:
        return asked, f"{asked}: asked for in the document"
    if device == "cuda" and machine.gpus[0].compute >= (8, 0):
        return "bfloat16", "bfloat16: the GPU computes in it"
    if device == "cuda":
        return "float32", "float32: the GPU has no bfloat16"
    return "float32", f"float32: every {device} computes in it, and it is exact"


def _shapes(
    micro_batch: int | Auto, grad_accum: int | Auto, rows: int
) -> Iterator[tuple[int, int, bool]]:
    """Micro-batch, accumulation and checkpointing to try, fastest first, for `rows` a step.

    What is automatic shrinks and grows so that
    a step keeps its rows; what was asked for stays.
    """
    if micro_batch != "auto":
        accum = math.ceil(rows / micro_batch) if grad_accum == "auto" else grad_accum
        yield micro_batch, accum, False
        yield micro_batch, accum, True
        return
    most = max(1, rows // (1 if grad_accum == "auto" else grad_accum))
    micro = most
    while micro > 1:
        yield micro, most // micro if grad_accum == "auto" else grad_accum, False
        micro //= 2
    last = most if grad_accum == "auto" else grad_accum
    yield 1, last, False
    yield 1, last, True


def _launch_reasons(here: Launch) -> Iterator[str]:
    if here.several:
        kind = "the base is spread over them by FSDP" if here.sharded else "each holds the base"
        yield f"processes: {here.processes} share the rows of a step, {kind}"


def _shape_reasons(micro: int, accum: int, less: bool, need: float, lack: str) -> Iterator[str]:
    """`lack` is what the step before this one in the order of `_shapes` fell short of."""
    yield f"batch: {micro} x {accum} rows a step"
    if less:
        yield f"gradient checkpointing: slower, but {lack} without it"
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
    most = 4 if 0 < base.params <= _SMALL else 16
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


def cores_within(root: Path) -> int:
    """Cores by affinity, and not more than a container's quota."""
    affinity = getattr(os, "sched_getaffinity", None)
    cores = len(affinity(0)) if affinity else os.cpu_count() or 1
    for folder in _groups(root, "cpu"):
        quota = _text(folder / "cpu.max").split()  # cgroup 2: "quota period"
        if not quota:
            quota = [_text(folder / f"cpu.cfs_{name}_us") for name in ("quota", "period")]
        if len(quota) == 2 and quota[0].isdigit() and quota[1].isdigit():
            cores = min(cores, max(1, math.ceil(int(quota[0]) / int(quota[1]))))
    return cores


def memory_within(root: Path) -> tuple[float, float]:
    """Gigabytes in total and available, within a container's limit."""
    info = dict(re.findall(r"^(\w+):\s+(\d+) kB$", _text(root / "proc/meminfo"), re.MULTILINE))
    if not info:
        return _physical()
    total = int(info["MemTotal"]) * 1024
    available = int(info["MemAvailable"]) * 1024
    for folder in _groups(root, "memory"):
        limit = _text(folder / "memory.max") or _text(folder / "memory.limit_in_bytes")
        used = _text(folder / "memory.current") or _text(folder / "memory.usage_in_bytes")
        if limit.isdigit() and used.isdigit() and int(limit) < total:
            total = int(limit)
            available = min(available, max(0, total - int(used) + _reclaimable(folder)))
    return total / GB, available / GB


def _physical() -> tuple[float, float]:
    """Memory where there is no /proc; what is free is not told, so half is taken to be."""
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / GB
    except (AttributeError, ValueError, OSError):
        return 0.0, 0.0
    return total, total / 2


def _reclaimable(folder: Path) -> int:
    """File cache that the kernel counts as used and gives back when asked."""
    found = re.search(
        r"^(?:total_)?inactive_file (\d+)$", _text(folder / "memory.stat"), re.MULTILINE
    )
    return int(found[1]) if found else 0


def _groups(root: Path, controller: str) -> Iterator[Path]:
    """Folders of this process's control group and of all above it, for either cgroup version."""
    for line in _text(root / "proc/self/cgroup").splitlines():
        _, names, path = line.split(":", 2)
        if names and controller not in names.split(","):
            continue
        top = root / "sys/fs/cgroup" / (names and controller)
        below = [part for part in path.split("/") if part]
        yield from (top.joinpath(*below[:depth]) for depth in range(len(below) + 1))


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return ""


def _gpus() -> tuple[Gpu, ...]:
    """The GPUs that torch would see: those the driver names, if this torch is built for them."""
    if not _torch_has_cuda():
        return ()
    query = "--query-gpu=name,memory.total,memory.free,compute_cap"
    try:
        done = subprocess.run(
            ["nvidia-smi", query, "--format=csv,noheader,nounits"],
            capture_output=True,
            text=True,
            timeout=2,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return ()
    return parse_gpus(done.stdout, os.environ.get("CUDA_VISIBLE_DEVICES"))


def parse_gpus(listing: str, visible: str | None) -> tuple[Gpu, ...]:
    """GPUs in `nvidia-smi`'s table, narrowed as CUDA_VISIBLE_DEVICES asks."""
    rows = [[cell.strip() for cell in line.rsplit(",", 3)] for line in listing.splitlines()]
    gpus = [
        Gpu(row[0], _mib(row[1]), _mib(row[2]), _capability(row[3]))
        for row in rows
        if len(row) == 4
    ]
    if visible is None:
        return tuple(gpus)
    chosen = [name.strip() for name in visible.split(",")]
    if not all(name.isdigit() for name in chosen):
        # Empty and -1 hide all; a name of another kind (GPU-…, MIG-…) cannot be matched to a row.
        return () if visible.strip() in ("", "-1") else tuple(gpus[:1])
    return tuple(gpus[int(name)] for name in chosen if int(name) < len(gpus))


def _mib(cell: str) -> float:
    # GPUs that share the main memory answer "[N/A]".
    return float(cell) * 1024**2 / GB if re.fullmatch(r"[\d.]+", cell) else 0.0


def _capability(cell: str) -> tuple[int, int]:
    major, _, minor = cell.partition(".")
    return (int(major), int(minor)) if major.isdigit() and minor.isdigit() else (0, 0)


def _torch_has_cuda() -> bool:
    """Whether the installed torch is a CUDA build, read from its version file, not imported."""
    spec = importlib.util.find_spec("torch")
    if spec is None or spec.origin is None:
        return False
    version = _text(Path(spec.origin).parent / "version.py")
    return re.search(r"^cuda\b.*=\s*'", version, re.MULTILINE) is not None
