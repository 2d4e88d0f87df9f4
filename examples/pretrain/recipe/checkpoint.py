"""The state of a training on disk: whole or not at all, and only for the run that it belongs to."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import torch

from dlm.errors import DlmError
from dlm.files import write_atomic

NAME = "checkpoint.pt"


def save(folder: Path, state: dict[str, Any]) -> None:
    """Replace the checkpoint of `folder`; a crash leaves the old one or the new one."""
    buffer = io.BytesIO()
    torch.save(state, buffer)
    write_atomic(folder / NAME, buffer.getvalue())


def load(folder: Path, identity: dict[str, Any]) -> dict[str, Any]:
    """The state kept in `folder`. Raises DlmError where `identity` says that it is another run."""
    path = folder / NAME
    if not path.is_file():
        raise DlmError(f"{folder} holds no {NAME} to resume", hint="leave out --resume")
    state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    for key, value in identity.items():
        if state["identity"].get(key) != value:
            raise DlmError(
                f"{path} was made with {key} {state['identity'].get(key)}, not {value}",
                hint="resume with what the run began with, or begin a new one in another folder",
            )
    return state


def random_state(device: torch.device) -> dict[str, torch.Tensor]:
    """What the random generators of a training are at."""
    found = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        found["cuda"] = torch.cuda.get_rng_state(device)
    return found


def restore_random_state(state: dict[str, torch.Tensor], device: torch.device) -> None:
    torch.set_rng_state(state["cpu"])
    if device.type == "cuda" and "cuda" in state:
        torch.cuda.set_rng_state(state["cuda"], device)
