"""Continuous batching: one thread that owns a model, and rows that other threads hand to it.

Rows come in between two steps as far as the memory allows, and leave when they end or are
cancelled. Knows token ids; text and requests are for others.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Final

from dlm.base_models import BaseModel
from dlm.engine.running import Ended, Live, Running, end
from dlm.errors import DlmError
from dlm.hardware import detect, plan_answers

MOST_WAITING: Final = 512  # rows
_ENDING: Final = DlmError("the server is ending")


class QueueFull(DlmError):
    """So many rows wait already that another one would wait too long."""


class Batcher:
    """A model on its own thread; `start` begins to load it, and rows may be handed in at once."""

    def __init__(self, base: BaseModel, folder: Path, pad_id: int) -> None:
        self.base = base
        self._folder, self._pad_id = folder, pad_id
        self._changed = threading.Condition()
        self._waiting: deque[Live] = deque()
        self._calls: deque[tuple[Callable[[Any], Any], Future[Any]]] = deque()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="dlm-model", daemon=True)
        self.state = "loading"  # or ready, failed, closed
        self.running = 0  # rows in the last step
        self.observe: Callable[[int], None] = lambda rows: None

    def start(self) -> None:
        self._thread.start()

    @property
    def waiting(self) -> int:
        """How many rows have not come in yet."""
        return len(self._waiting)

    def submit(self, rows: Sequence[Live]) -> None:
        """Queue rows, all of them or none; raises QueueFull, or DlmError when there is no model."""
        with self._changed:
            if self._closing:
                raise _ENDING
            if len(self._waiting) + len(rows) > MOST_WAITING:
                raise QueueFull(f"{len(self._waiting)} answers wait already")
            self._waiting.extend(rows)
            self._changed.notify()

    def call(self, act: Callable[[Any], Any]) -> Future[Any]:
        """Have `act` called with the `Adapters` between two steps."""
        future: Future[Any] = Future()
        with self._changed:
            if self._closing:
                future.set_exception(_ENDING)
                return future
            self._calls.append((act, future))
            self._changed.notify()
        return future

    @property
    def has_ended(self) -> bool:
        """Whether nothing of the model runs any more."""
        return not self._thread.is_alive()

    def close(self, seconds: float = 2.0) -> None:
        """End every row that is left, and the thread, unless it takes longer."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        if self._thread.ident is not None:
            self._thread.join(seconds)
        if not self.has_ended:
            self._refuse(_ENDING)

    def _run(self) -> None:
        try:
            self._serve()
        except DlmError as error:
            self._refuse(error)
        except Exception as error:
            self._refuse(DlmError(f"the model of {self.base.key} cannot answer: {error}"))

    def _serve(self) -> None:
        from dlm.engine.adapters import Adapters
        from dlm.engine.model import Model

        model = Model.load(self._folder, plan_answers(detect(), self.base))
        adapters = Adapters(model)
        running = Running(adapters, self._pad_id)
        self.state = "ready"
        while self._wait(running):
            self._make_calls(adapters)
            with model.inference():
                self._advance(running)
        self._refuse(_ENDING, running)

    def _wait(self, running: Running) -> bool:
        """Return when there is something to do; False when it is to end."""
        with self._changed:
            while not (self._closing or self._calls or self._waiting or len(running)):
                self._changed.wait()
            return not self._closing

    def _make_calls(self, adapters: Any) -> None:
        while self._calls:
            act, future = self._calls.popleft()
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(act(adapters))
                except BaseException as error:
                    future.set_exception(error)

    def _advance(self, running: Running) -> None:
        """Take in what waits and has room, and make one step."""
        rows = self._next(running)
        try:
            if rows:
                running.take_in(rows)
        except Exception as error:
            for row in rows:
                end(row, Ended(False, _failure(error)))
        try:
            running.step()
        except Exception as error:
            running.fail(_failure(error))
        self.running = len(running)
        self.observe(self.running)

    def _next(self, running: Running) -> list[Live]:
        with self._changed:
            for row in [one for one in self._waiting if one.cancelled]:
                self._waiting.remove(row)
            count = running.room_for(self._waiting)
            return [self._waiting.popleft() for _ in range(count)]

    def _refuse(self, error: DlmError, running: Running | None = None) -> None:
        """End all that is there and all that comes."""
        with self._changed:
            self.state = "closed" if self._closing else "failed"
            self._closing = True
            rows, calls = list(self._waiting), list(self._calls)
            self._waiting.clear()
            self._calls.clear()
        if running is not None:
            running.fail(error)
        for row in rows:
            end(row, Ended(False, error))
        for _, future in calls:
            if future.set_running_or_notify_cancel():
                future.set_exception(error)


def _failure(error: Exception) -> DlmError:
    """What the caller is told when the model could not go on."""
    if "out of memory" in str(error).lower():
        return DlmError("the memory of this machine does not hold so many answers at once")
    return DlmError(f"the model could not go on: {type(error).__name__}")
