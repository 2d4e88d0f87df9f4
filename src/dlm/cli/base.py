"""One line for whoever just chose a base: what it can hold, and what suits this machine."""

from __future__ import annotations

from typing import Final

from dlm.base_models.registry import BaseModel
from dlm.hardware import Machine, largest_base

# Weights per core that still make a training on CPU a matter of minutes.
_PER_CORE: Final = 70_000_000
_SMALLEST_FOR_USE: Final = 100_000_000


def describe(base: BaseModel, machine: Machine) -> str:
    """What `base` can and cannot hold, and the base of the registry for real use on `machine`."""
    better = suited(machine)
    if base.params and base.params < _SMALLEST_FOR_USE:
        text = (
            f"{base.key} is for trying dlm and for tests: it memorises a few dozen answers, "
            "rewordings mostly fail"
        )
        return f"{text}; for real use, {_recommend(better, machine)}" if better else text
    text = f"{base.key}: {_facts(base)}"
    if better and base.params > 2 * better.params and not machine.gpus:
        return f"{text}; {_recommend(better, machine)} and is quicker to train"
    return text


def suited(machine: Machine) -> BaseModel | None:
    """The base for real use on this machine: the largest that fits and trains within minutes."""
    if machine.gpus or machine.mps:
        best = largest_base(machine)
    else:
        best = largest_base(machine, below=max(2 * _SMALLEST_FOR_USE, machine.cores * _PER_CORE))
    return best if best and best.params >= _SMALLEST_FOR_USE else None


def _facts(base: BaseModel) -> str:
    if not base.params:
        return "its size is known once it is on this machine"
    return (
        f"{base.size_gb_fp16:g} GB; the report after a training says how well it answers "
        "questions put in other words"
    )


def _recommend(base: BaseModel, machine: Machine) -> str:
    if machine.gpus:
        place = machine.gpus[0].name
    elif machine.mps:
        place = "this Mac"
    else:
        place = f"this machine ({machine.cores} cores, {machine.memory_gb:.0f} GB)"
    return f"base_model: {base.key} ({base.size_gb_fp16:g} GB) suits {place}"
