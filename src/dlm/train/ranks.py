"""Several processes that train one document: one leads, the others train along.

The first process plans, measures and writes; here is how it tells the others what to do. What they
tell each other are Python values over a gloo group of its own, beside the group over which torch
adds up gradients, so that waiting while the first one measures is no time-out of a step.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from dlm.data.rows import PairRow, Row
from dlm.errors import Abandoned, TrainingError
from dlm.hardware import Plan
from dlm.launch import Launch, launch
from dlm.train.base import Setup
from dlm.train.checkpoint import Snapshot, trained_weights
from dlm.train.losses import Objective
from dlm.train.steps import Optimisation

_STEP = timedelta(minutes=30)  # for the slowest to load its base, or to take a step
_MEASURING = timedelta(hours=12)  # while the first one measures or writes, which has no bound
_WORDS, _ENDED = "words", "ended"  # keys of the store that all processes see
_LAST_WORDS = timedelta(seconds=3)
_POLL_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class LoadBase:
    """Load this base, in `folder` or wherever it lies on another machine."""

    key: str
    folder: Path
    fingerprint: str
    hardware: Plan
    pad_id: int


@dataclass(frozen=True, slots=True)
class AddAdapter:
    """Give the base an adapter of this shape, with these weights by name."""

    config: Any
    weights: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Fit:
    """Take one pass over these rows, as `RowTrainer.fit` does."""

    rows: Sequence[Row | PairRow]
    optimisation: Optimisation
    start: Snapshot | None
    objective: Objective | None


@dataclass(frozen=True, slots=True)
class Verdict:
    """The step was looked at: why to stop, or None to go on."""

    reason: str | None


@dataclass(frozen=True, slots=True)
class AtRate:
    """Step at this share of the peak learning rate from now on."""

    share: float


@dataclass(frozen=True, slots=True)
class TellState:
    """Say how your random numbers stand, and hand in your part of what FSDP spread."""


@dataclass(frozen=True, slots=True)
class TellWeights:
    """Hand in your part of the adapter's weights, where FSDP spread them."""


@dataclass(frozen=True, slots=True)
class RunAlong:
    """Run the network, which FSDP spread, with the adapter or without."""

    adapter: bool


@dataclass(frozen=True, slots=True)
class End:
    """The training is over, whatever came of it."""


class Line:
    """What the processes tell each other; the first one speaks, the others listen.

    Every call raises Abandoned where another process is gone.
    """

    def __init__(self, here: Launch, group: Any, store: Any) -> None:
        self.here = here
        self._group, self._store = group, store

    @property
    def leads(self) -> bool:
        return self.here.leads

    @property
    def processes(self) -> int:
        return self.here.processes

    def say(self, message: object) -> None:
        """Send `message` to all others."""
        self._broadcast([message])

    def hear(self) -> Any:
        """Wait for what the first process says."""
        heard: list[Any] = [None]
        self._broadcast(heard)
        return heard[0]

    def gather(self, value: Any) -> list[Any]:
        """What each process gives here, by rank; all of them call this."""
        from torch import distributed

        found: list[Any] = [None] * self.processes
        with self.guard():
            distributed.all_gather_object(found, value, group=self._group)
        return found

    @contextlib.contextmanager
    def guard(self) -> Iterator[None]:
        """Turn what torch raises where a connection broke into Abandoned."""
        from torch.distributed import DistError

        try:
            yield
        except RuntimeError as error:
            broken = isinstance(error, DistError) or "gloo" in str(error).lower()
            if not broken:
                raise
            raise Abandoned(self.what_ended()) from error

    def note_failure(self, what: str) -> None:
        """Leave word, for the first process to say, why this one cannot go on."""
        self._note(_WORDS, f"process {self.here.rank} of {self.processes}: {what}")

    def note_end(self) -> None:
        """Leave word that the first process says itself how it ended."""
        self._note(_ENDED, "1")

    def leader_speaks(self) -> bool:
        """Whether the first process lived long enough to say what happened."""
        with contextlib.suppress(RuntimeError):
            self._store.wait([_ENDED], _LAST_WORDS)
            return True
        return False

    def what_ended(self) -> str:
        """Which process is gone and why, in a phrase, as far as is known."""
        with contextlib.suppress(RuntimeError):
            if self._store.check([_WORDS]):
                return f"another process could not go on ({self._store.get(_WORDS).decode()})"
        return f"another of the {self.processes} processes of this training ended"

    def _note(self, key: str, text: str) -> None:
        with contextlib.suppress(RuntimeError):  # the store may be gone with the launcher
            self._store.set(key, text)

    def _broadcast(self, values: list[Any]) -> None:
        from torch import distributed

        with self.guard():
            distributed.broadcast_object_list(values, src=0, group=self._group)


class Crew:
    """The first process's side of a training: what it has the others do."""

    def __init__(self, line: Line) -> None:
        self.line = line

    def load(self, plan: Setup) -> None:
        """Have the others load the base, which lies unpacked by now."""
        base = plan.base
        self.line.say(
            LoadBase(
                base.key, plan.base_folder, plan.base_fingerprint, plan.hardware, plan.codec.pad_id
            )
        )

    def adapt(self, network: Any) -> None:
        """Have them add an adapter such as `network` has."""
        from dlm.engine.loading import ADAPTER

        config = replace(network.peft_config[ADAPTER], inference_mode=False)
        weights = {name: one.detach().cpu() for name, one in trained_weights(network).items()}
        self.line.say(AddAdapter(config, weights))


@contextlib.contextmanager
def leading() -> Iterator[Crew | None]:
    """The other processes of this launch, waiting to be told what to do; None where it is alone.

    They end when the block does, however it ends. A launcher that ends this one, as it does where
    another died, ends it at once, and what it was doing stays undone.
    """
    here = launch()
    if not here.several:
        yield None
        return
    if not here.leads:
        raise TrainingError("only the first of several processes can lead a training")
    line = join(here)
    ending = False

    def ended(number: int, frame: FrameType | None) -> None:
        nonlocal ending
        if not ending:
            ending = True  # it may ask more than once
            raise Abandoned(line.what_ended())

    before = signal.signal(signal.SIGTERM, ended)
    try:
        yield Crew(line)
        ending = True
        with contextlib.suppress(Abandoned):  # what was to be done is done
            line.say(End())
        signal.signal(signal.SIGTERM, before)
    except BaseException as error:
        ending = True
        line.note_end()
        if isinstance(error, Abandoned):
            error.hint = error.hint or "nothing half was kept; start the processes again"
        else:
            with contextlib.suppress(Abandoned):
                line.say(End())
        raise


def join(here: Launch) -> Line:
    """Meet the other processes; raises TrainingError where they do not come together."""
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")  # what is wrong is said once, by us
    from dlm.engine.loading import prepare

    prepare()
    import torch
    from torch import distributed
    from torch.distributed.distributed_c10d import PrefixStore
    from torch.distributed.rendezvous import rendezvous

    on_gpu = torch.cuda.is_available()
    if here.sharded and here.leads:  # so that it is said once
        require_gpu(on_gpu=on_gpu)
    try:
        if on_gpu:
            torch.cuda.set_device(here.local_rank)
        store, rank, processes = next(iter(rendezvous("env://", timeout=_STEP)))
        _await_all(PrefixStore("arrived", store), processes)
        distributed.init_process_group(
            "cpu:gloo,cuda:nccl" if on_gpu else "gloo",
            store=PrefixStore("training", store),
            rank=rank,
            world_size=processes,
            timeout=_STEP,
        )
        group = distributed.new_group(backend="gloo", timeout=_MEASURING)
    except (RuntimeError, ValueError, OSError) as error:
        _cannot_meet(here, error)
    return Line(here, group, PrefixStore("dlm", store))


def require_gpu(*, on_gpu: bool) -> None:
    """Raise TrainingError where accelerate would not spread a base: it does on GPUs only."""
    if not on_gpu:
        raise TrainingError(
            "accelerate is configured for FSDP, which spreads a base over GPUs, and there is none",
            hint="torchrun --nproc-per-node 2 -m dlm train trains on the cores, a base in each",
        )


def _await_all(store: Any, processes: int) -> None:
    """Wait here for all processes: torch would wait where no signal is heard."""
    arrived = store.add("count", 1)
    deadline = time.monotonic() + _STEP.total_seconds()
    while arrived < processes:
        if time.monotonic() > deadline:
            raise RuntimeError(f"{arrived} of {processes} arrived within {_STEP}")
        time.sleep(_POLL_SECONDS)
        arrived = store.add("count", 0)


def _cannot_meet(here: Launch, error: Exception) -> NoReturn:
    first = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
    raise TrainingError(
        f"the {here.processes} processes do not come together: {first}",
        hint="every machine must reach MASTER_ADDR at MASTER_PORT; "
        "on one machine `torchrun --standalone` finds a free port",
    ) from error
