"""An unfinished training: its state between two steps, and the one file that keeps it.

The state is adapter weights, Adam moments, the learning-rate schedule and random numbers of torch.
The file is safetensors, replaced whole so that a kill never leaves half: the state as tensors, all
else as JSON in its header, which is read without torch. What may be resumed is for `resume` to say.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from dlm.errors import CorruptStore, DlmError
from dlm.files import write_atomic
from dlm.hardware import Plan
from dlm.train.figures import EpochFigures, PairState

_PARAMETER, _MOMENT, _RANDOM = "parameter/", "optimizer/", "random/"
_OTHERS = "ranks/"  # random numbers of other processes than the first


@dataclass(frozen=True, slots=True)
class Snapshot:
    """After `step` optimiser steps: tensors by name, and plain JSON for everything else."""

    step: int
    tensors: Mapping[str, Any]
    settings: Mapping[str, Any]


def capture(
    step: int,
    weights: Mapping[str, Any],
    state: Mapping[str, Any],
    scheduler: Any,
    random_states: Sequence[Mapping[str, Any]],
) -> Snapshot:
    """Copy what there is after a step.

    `weights` are those that are trained, `state` the optimiser's; `random_states` are of each
    process that trains its `random_state`, by rank.
    """
    tensors = {f"{_PARAMETER}{name}": value.detach() for name, value in weights.items()}
    numbers: dict[str, Any] = {}
    for index, moments in state["state"].items():
        for key, value in moments.items():
            name = f"{_MOMENT}{index}/{key}"
            (tensors if hasattr(value, "detach") else numbers)[name] = value
    for rank, states in enumerate(random_states):
        tensors |= {f"{_random_of(rank)}{name}": value for name, value in states.items()}
    settings = {
        "groups": state["param_groups"],
        "numbers": numbers,
        "scheduler": scheduler.state_dict(),
    }
    copies = {name: value.cpu().clone().contiguous() for name, value in tensors.items()}
    return Snapshot(step, copies, settings)


def trained_weights(network: Any) -> dict[str, Any]:
    """The weights that are trained, by name."""
    return {name: value for name, value in network.named_parameters() if value.requires_grad}


def restore_weights(snapshot: Snapshot, network: Any) -> None:
    """Put the adapter's weights back; raises KeyError when it is another adapter."""
    import torch

    kept = weights_of(snapshot)
    with torch.no_grad():
        for name, value in trained_weights(network).items():
            value.copy_(kept[name])


def weights_of(snapshot: Snapshot) -> dict[str, Any]:
    """The adapter's weights by name."""
    return {
        name.removeprefix(_PARAMETER): value
        for name, value in snapshot.tensors.items()
        if name.startswith(_PARAMETER)
    }


def optimiser_of(snapshot: Snapshot) -> dict[str, Any]:
    """The optimiser's state: moments by the place of a parameter, or by its name under FSDP."""
    state: dict[int | str, dict[str, Any]] = {}
    for name, value in {**snapshot.tensors, **snapshot.settings["numbers"]}.items():
        if name.startswith(_MOMENT):
            place, key = name.removeprefix(_MOMENT).split("/", 1)
            state.setdefault(int(place) if place.isdigit() else place, {})[key] = value
    groups = [
        {key: tuple(value) if key == "betas" else value for key, value in group.items()}
        for group in snapshot.settings["groups"]
    ]
    return {"state": state, "param_groups": groups}


def restore_random(snapshot: Snapshot, rank: int = 0) -> None:
    """Put torch's random numbers back, on every device of this process that had some."""
    import torch

    ours = _random_of(rank)
    for name, value in snapshot.tensors.items():
        if not name.startswith(ours):
            continue
        device = name.removeprefix(ours)
        if device == "cpu":
            torch.set_rng_state(value)
        elif device == "mps":
            torch.mps.set_rng_state(value)
        else:
            torch.cuda.set_rng_state(value, device)


def random_state(*, one_gpu: bool = False) -> dict[str, Any]:
    """Torch's random numbers on every device; with `one_gpu` on the one of this process."""
    import torch

    state = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        here = torch.cuda.current_device()
        for index in [here] if one_gpu else range(torch.cuda.device_count()):
            state[f"cuda:{index}"] = torch.cuda.get_rng_state(index)
    if torch.backends.mps.is_available():
        state["mps"] = torch.mps.get_rng_state()
    return state


def _random_of(rank: int) -> str:
    return f"{_OTHERS}{rank}/" if rank else _RANDOM


_SECONDS = 5.0  # between two checkpoints
_SHARE = 40  # times what writing one takes: at most 2.5 % of the time goes into them
_FORMAT = 1


@dataclass(frozen=True, slots=True)
class Identity:
    """Everything that the bytes of the result depend on.

    `previous` is the digest of the version that is continued, None for a start from the base;
    `work` digests the rows of all steps in order and how they are optimised.
    """

    document: str
    options: Mapping[str, Any]
    base: str
    environment: Mapping[str, str]
    previous: str | None
    work: str
    phase: str = "sft"


@dataclass(frozen=True, slots=True)
class TrainerState:
    """What happened so far. `verdict` is why the run ended, None while it goes on.

    `preference` is what a preference phase cannot find out again: how it stood before its first
    step, and what its triples were before each was trained.
    """

    started: datetime
    seconds: float
    losses: tuple[float, ...] = ()
    epochs: tuple[EpochFigures, ...] = ()
    verdict: str | None = None
    preference: PairState | None = None


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What the header of the file says: who, where, how far."""

    path: Path
    identity: Identity
    hardware: Plan
    course: TrainerState
    step: int
    steps: int
    settings: Mapping[str, Any]
    header: str
    digest: str

    @property
    def place(self) -> str:
        return f"step {self.step} of {self.steps}"

    def load(self) -> Snapshot:
        """Read the tensors; raises CorruptStore when they are not the ones that were written."""
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        try:
            tensors = load_file(self.path)
        except (OSError, SafetensorError) as error:
            raise _damaged(self.path, str(error)) from error
        if _digest(self.header, tensors) != self.digest:
            raise _damaged(self.path, "its contents are not those that were written")
        return Snapshot(self.step, tensors, self.settings)


def read_checkpoint(path: Path) -> Checkpoint | None:
    """The checkpoint in `path`, or None; raises CorruptStore when it cannot be read."""
    from safetensors import SafetensorError, safe_open

    if not path.exists():
        return None
    try:
        with safe_open(path, framework="np") as file:
            metadata = file.metadata()
        data = json.loads(metadata["dlm"])
        if data["format"] != _FORMAT:
            raise ValueError(f"its format {data['format']} is not known")
        return Checkpoint(
            path=path,
            identity=_IDENTITY.validate_python(data["identity"]),
            hardware=_HARDWARE.validate_python(data["hardware"]),
            course=_COURSE.validate_python(data["course"]),
            step=int(data["step"]),
            steps=int(data["steps"]),
            settings=data["settings"],
            header=metadata["dlm"],
            digest=metadata["digest"],
        )
    except (OSError, SafetensorError, ValueError, TypeError, KeyError) as error:
        raise _damaged(path, str(error).strip().split("\n")[0]) from error


class CheckpointWriter:
    """Writes the checkpoints of one run, not so often that it would slow the run down."""

    def __init__(
        self, path: Path, identity: Identity, hardware: Plan, steps: int, kept: Checkpoint | None
    ) -> None:
        self._path = path
        self._identity, self._hardware, self._steps = identity, hardware, steps
        # The same run may have come further before: its checkpoint is worth more than ours.
        self._further = kept.step if kept is not None and kept.identity == identity else 0
        self._pause = _pause()
        self._last = time.monotonic()
        self._cost = 0.0
        self._told = False

    @property
    def due(self) -> bool:
        """Whether it is time for the next one."""
        pause = max(_SECONDS, _SHARE * self._cost) if self._pause is None else self._pause
        return time.monotonic() - self._last >= pause

    def keep(self, snapshot: Snapshot, course: TrainerState) -> DlmError | None:
        """Replace the checkpoint; returns why the disk refused, the first time that it does."""
        began = time.monotonic()
        try:
            if snapshot.step >= self._further:
                write_atomic(self._path, self._bytes(snapshot, course), mode=0o600)
        except DlmError as error:
            told, self._told = self._told, True
            return None if told else error
        finally:
            self._last = time.monotonic()
            self._cost = self._last - began
        return None

    def forget(self) -> None:
        """Remove the checkpoint, of this run or an earlier one."""
        self._path.unlink(missing_ok=True)

    def _bytes(self, snapshot: Snapshot, course: TrainerState) -> bytes:
        from safetensors.torch import save

        tensors = dict(snapshot.tensors)
        data = {
            "format": _FORMAT,
            "step": snapshot.step,
            "steps": self._steps,
            "identity": asdict(self._identity),
            "hardware": asdict(self._hardware),
            "course": {**_COURSE.dump_python(course), "started": course.started.isoformat()},
            "settings": snapshot.settings,
        }
        header = json.dumps(data)
        metadata = {"dlm": header, "digest": _digest(header, tensors)}
        return bytes(save(tensors, metadata=metadata))


_IDENTITY = TypeAdapter(Identity)
_HARDWARE = TypeAdapter(Plan)
_COURSE = TypeAdapter(TrainerState)


def _digest(header: str, tensors: Mapping[str, Any]) -> str:
    digest = hashlib.sha256(header.encode())
    for name in sorted(tensors):
        value = tensors[name]
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}\n".encode())
        digest.update(value.reshape(-1).view(_bytes_type()).numpy())
    return digest.hexdigest()


def _bytes_type() -> Any:
    import torch

    return torch.uint8


def _pause() -> float | None:
    """Seconds between checkpoints as the owner wants them; None leaves it to us."""
    try:
        return max(0.0, float(os.environ["DLM_CHECKPOINT_SECONDS"]))
    except (KeyError, ValueError):
        return None


def _damaged(path: Path, reason: str) -> CorruptStore:
    return CorruptStore(
        f"the checkpoint {path} is damaged: {reason}",
        hint="`dlm train` without --resume starts the run over",
    )
