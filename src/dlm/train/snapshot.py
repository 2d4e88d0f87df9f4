"""The state of an optimisation between two steps, and how it is put back exactly.

Adapter weights, Adam's moments, the learning-rate schedule and torch's random numbers. Knows
neither rows nor files.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_PARAMETER, _MOMENT, _RANDOM = "parameter/", "optimizer/", "random/"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """After `step` optimiser steps: tensors by name, and plain JSON for everything else."""

    step: int
    tensors: Mapping[str, Any]
    settings: Mapping[str, Any]


def capture(step: int, network: Any, optimizer: Any, scheduler: Any) -> Snapshot:
    """Copy the state after a step."""
    state = optimizer.state_dict()
    tensors = {
        f"{_PARAMETER}{name}": value.detach()
        for name, value in network.named_parameters()
        if value.requires_grad
    }
    numbers: dict[str, Any] = {}
    for index, moments in state["state"].items():
        for key, value in moments.items():
            name = f"{_MOMENT}{index}/{key}"
            (tensors if hasattr(value, "detach") else numbers)[name] = value
    tensors |= {f"{_RANDOM}{name}": value for name, value in _random_state().items()}
    settings = {
        "groups": state["param_groups"],
        "numbers": numbers,
        "scheduler": scheduler.state_dict(),
    }
    copies = {name: value.cpu().clone().contiguous() for name, value in tensors.items()}
    return Snapshot(step, copies, settings)


def restore_weights(snapshot: Snapshot, network: Any) -> None:
    """Put the adapter's weights back; raises KeyError when it is another adapter."""
    import torch

    with torch.no_grad():
        for name, value in network.named_parameters():
            if value.requires_grad:
                value.copy_(snapshot.tensors[f"{_PARAMETER}{name}"])


def restore_optimiser(snapshot: Snapshot, optimizer: Any, scheduler: Any) -> None:
    """Put moments, learning rate and schedule back."""
    state: dict[int, dict[str, Any]] = {}
    for name, value in {**snapshot.tensors, **snapshot.settings["numbers"]}.items():
        if name.startswith(_MOMENT):
            index, key = name.removeprefix(_MOMENT).split("/", 1)
            state.setdefault(int(index), {})[key] = value
    groups = [
        {key: tuple(value) if key == "betas" else value for key, value in group.items()}
        for group in snapshot.settings["groups"]
    ]
    optimizer.load_state_dict({"state": state, "param_groups": groups})
    scheduler.load_state_dict(dict(snapshot.settings["scheduler"]))


def restore_random(snapshot: Snapshot) -> None:
    """Put torch's random numbers back, on every device that had some."""
    import torch

    for name, value in snapshot.tensors.items():
        if not name.startswith(_RANDOM):
            continue
        device = name.removeprefix(_RANDOM)
        if device == "cpu":
            torch.set_rng_state(value)
        elif device == "mps":
            torch.mps.set_rng_state(value)
        else:
            torch.cuda.set_rng_state(value, device)


def _random_state() -> dict[str, Any]:
    import torch

    state = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        for index in range(torch.cuda.device_count()):
            state[f"cuda:{index}"] = torch.cuda.get_rng_state(index)
    if torch.backends.mps.is_available():
        state["mps"] = torch.mps.get_rng_state()
    return state
