"""What the processes do that train along with the first one: as told, and nothing else.

They write no file and say nothing; where the first one died without a word, one of them says so.
"""

from __future__ import annotations

import signal
from contextlib import suppress

from dlm.base_models.folder import fingerprint
from dlm.base_models.locate import local_folder
from dlm.base_models.resolve import resolve
from dlm.engine.model import Model
from dlm.errors import Abandoned, BaseModelError, DlmError
from dlm.launch import Launch
from dlm.train.ranks import (
    AddAdapter,
    AtRate,
    End,
    Fit,
    Line,
    LoadBase,
    RunAlong,
    TellState,
    TellWeights,
    Verdict,
    join,
)
from dlm.train.trainer import RowTrainer, StepReport


class _Over(Exception):
    """The first process ended the training while a pass was under way."""


def follow(here: Launch) -> int:
    """Train along until the first process ends it; returns the exit status.

    Raises Abandoned where the first process died and this one is to say so.
    """
    line = join(here)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # when to stop is for the first one to say
    follower = _Follower(line)
    try:
        with suppress(_Over):
            follower.serve()
        return 0
    except Abandoned:
        if here.rank == 1 and not line.leader_speaks():
            raise Abandoned(
                f"the first of the {here.processes} processes of this training ended",
                hint="the last version is current; start them again, with --resume to go on",
            ) from None
    except (DlmError, RuntimeError, MemoryError, OSError) as error:
        line.note_failure((str(error).strip().splitlines() or [type(error).__name__])[0])
    finally:
        follower.close()
    return 1


class _Follower:
    """What one of the others holds."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._load: LoadBase | None = None
        self._model: Model | None = None
        self._trainer: RowTrainer | None = None

    def serve(self) -> None:
        """Do what is said; returns at the end."""
        while True:
            match self._line.hear():
                case LoadBase() as load:
                    self.close()
                    self._load, self._model = load, _loaded(load)
                case AddAdapter() as adapter:
                    self._adapt(adapter)
                case Fit() as fit:
                    assert self._trainer is not None
                    self._trainer.fit(
                        fit.rows,
                        fit.optimisation,
                        self._watch,
                        start=fit.start,
                        objective=fit.objective,
                    )
                case End():
                    return
                case other:
                    self._take_part(other)

    def close(self) -> None:
        """Let go of the model."""
        if self._trainer is not None:
            self._trainer.close()
        self._trainer = self._model = None

    def _adapt(self, adapter: AddAdapter) -> None:
        assert self._model is not None
        assert self._load is not None
        self._model.add_adapter(adapter.config, adapter.weights)
        self._trainer = RowTrainer(self._model, pad_id=self._load.pad_id, line=self._line)
        if self._line.here.sharded:
            self._trainer.spread()

    def _take_part(self, message: object) -> None:
        """In what all processes do at once."""
        assert self._trainer is not None
        match message:
            case AtRate(share):
                self._trainer.at_rate(share)
            case TellState():
                self._trainer.state()
            case TellWeights():
                self._trainer.whole_weights()
            case RunAlong(adapter):
                self._trainer.run_along(adapter=adapter)

    def _watch(self, report: StepReport) -> str | None:
        """What the first process says of the step; it may want something before."""
        while True:
            match self._line.hear():
                case Verdict(reason):
                    return reason
                case End():
                    raise _Over
                case other:
                    self._take_part(other)


def _loaded(load: LoadBase) -> Model:
    """The base, from the folder of the first process or where it lies on this machine."""
    folder = load.folder if load.folder.exists() else local_folder(resolve(load.key))
    if fingerprint(folder) != load.fingerprint:
        raise BaseModelError(f"the base in {folder} is not the {load.key} of the first process")
    return Model.load(folder, load.hardware)
