"""Train, wait for a save or a push, train again; the model stays in memory.

Editors replace a file, write it in place, or do either in several goes; what counts as a save is
that the name stands for a file that has not changed for a while.

One cycle: pushed probes are written into the document, what is new in it is trained, and a version
is committed. Whatever is wrong with a save is said, and the next save is waited for.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Final, Protocol, Self

from watchfiles import Change, watch

from dlm.doc.document import Document
from dlm.doc.parser import parse_file
from dlm.errors import DlmError, Interrupted
from dlm.eval.answers import Kind
from dlm.loops.push import Drained, Fits, drain
from dlm.loops.watch_status import WatchStatus
from dlm.store.edits import queue_depth, waiting_probes, written_probes
from dlm.store.store import open_store
from dlm.train.options import Progress, Relay, StepFigures, TrainOptions
from dlm.train.report import TrainingReport
from dlm.train.start import NothingToTrain

_LISTEN_SECONDS: Final = 1.0
_LOCK_SECONDS: Final = 30.0  # another command of the owner may hold the store for a while
_LOOK_SECONDS: Final = 0.02
_LONGEST: Final = 10.0  # debounce times: a file that never rests is read as it is

Stamp = tuple[int, int, int]
"""Inode, time of change and size: two saves never have the same."""


@dataclass(frozen=True, slots=True)
class WatchSettings:
    """What is watched: saves of the file, pushes, or both; `max_cycles` None means for ever."""

    saves: bool = True
    pushes: bool = False
    debounce_seconds: float = 0.2
    max_steps: int = 100
    max_cycles: int | None = None


class Trainer(Protocol):
    """What trains: a resident model, or a stand-in."""

    def train(
        self, document: Document, options: TrainOptions, progress: Progress
    ) -> TrainingReport | NothingToTrain: ...

    def warm_up(self, document: Document) -> None:
        """Load what the next training needs."""
        ...

    def fits(self, document: Document) -> Fits: ...


class Screen(Protocol):
    """Where the owner sees what happens."""

    def drained(self, drained: Drained) -> None: ...

    def trained(self, document: Document, report: TrainingReport, seconds: float) -> None: ...

    def nothing_new(self, document: Document, found: NothingToTrain) -> None: ...

    def failed(self, error: DlmError) -> None: ...


class Watch:
    """The loop. `run` returns after `max_cycles` trainings, or when Ctrl-C ends the waiting."""

    def __init__(
        self,
        path: Path,
        settings: WatchSettings,
        options: TrainOptions,
        trainer: Trainer,
        screen: Screen,
        status: WatchStatus,
        progress: Progress,
    ) -> None:
        self._path, self._settings, self._trainer = path, settings, trainer
        self._options = replace(options, fresh=False, epochs=None, seed=options.seed)
        self._first_options = options
        self._screen, self._status, self._progress = screen, status, progress
        self._seen: Stamp | None = None
        self._dlm_id: str | None = None

    def run(self) -> None:
        """Train once, then after every save and push. Raises Interrupted during a training."""
        self._cycle(self._first_options, first=True)
        watching: contextlib.AbstractContextManager[object] = contextlib.nullcontext()
        if self._settings.saves:
            watching = Saves(self._path, self._status.wake)
        with watching:
            done = 0
            while self._settings.max_cycles is None or done < self._settings.max_cycles:
                self._wait()
                done += self._cycle(self._quick)

    @property
    def _quick(self) -> TrainOptions:
        return replace(self._options, quick=True, max_steps=self._settings.max_steps)

    def _wait(self) -> None:
        """Return when there is a save that was not looked at, or probes that can be written."""
        self._status.note(phase="waiting")
        while True:
            if self._settings.saves and stamp(self._path) != self._seen:
                found = settle(self._path, self._settings.debounce_seconds)
                if found is not None and found != self._seen:
                    return
            if self._status.take_pushes():
                time.sleep(self._settings.debounce_seconds)  # so that a burst goes in together
                return
            _wait_for(self._status.wake)

    def _cycle(self, options: TrainOptions, *, first: bool = False) -> int:
        """Drain, read, train; returns 1 when a version was committed."""
        self._status.begin()
        try:
            document = self._take_up()
            found = self._trainer.train(document, options, _Estimated(self._progress, self._status))
        except Interrupted:
            raise
        except DlmError as error:
            self._status.idle()
            self._status.note(error=str(error))
            if first:
                raise
            self._screen.failed(error)
            return 0
        if isinstance(found, NothingToTrain):
            self._status.idle()
            self._status.note(version=found.version.name, error=None)
            self._screen.nothing_new(document, found)
            if first:
                self._trainer.warm_up(document)
            return 0
        self._status.note(cycles=self._status.facts.cycles + (not first))
        self._finish(document, found)
        return 1

    def _take_up(self) -> Document:
        """Write what was pushed, and read the document as it is then."""
        self._status.note(phase="reading")
        self._seen = stamp(self._path)
        document = self._read()
        with open_store(document) as store:
            if queue_depth(store.database) or written_probes(store.database):
                with store.lock("writing pushed probes", wait=_LOCK_SECONDS):
                    drained = drain(store.database, self._path, fits=self._trainer.fits(document))
                self._seen = stamp(self._path)
                document = self._read()
                self._screen.drained(drained)
            depth = queue_depth(store.database)
            held = sum(bool(probe.reason) for probe in waiting_probes(store.database))
        self._status.note(queue_depth=depth, held=held)
        return document

    def _read(self) -> Document:
        document = parse_file(self._path)
        self._dlm_id = self._dlm_id or document.frontmatter.dlm_id
        if document.frontmatter.dlm_id != self._dlm_id:
            raise DlmError(
                f"the dlm_id of {self._path} was changed, so it is another document now",
                hint="restore it, or end this and start anew",
            )
        return document

    def _finish(self, document: Document, report: TrainingReport) -> None:
        card = report.outcome.card
        probes = [item for item in card.of(Kind.TRAINED) if item.probe and item.said is not None]
        took = self._status.end()
        self._status.note(
            version=report.version.name,
            loss=report.outcome.losses[-1] if report.outcome.losses else None,
            probes_passed=sum(item.said is not None and item.said.right for item in probes),
            probes_asked=len(probes),
            cycle_seconds=round(took, 2),
            error=None,
        )
        self._screen.trained(document, report, took)


def stamp(path: Path) -> Stamp | None:
    """What tells one save of a file from another; None while there is no file."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


def settle(path: Path, seconds: float, sleep: Callable[[float], None] = time.sleep) -> Stamp | None:
    """Wait until the file exists and has rested for `seconds`; returns its stamp.

    None when it stays away for ten times as long.
    """
    last, since = stamp(path), time.monotonic()
    began = since
    while True:
        now = time.monotonic()
        if now - since >= seconds and last is not None:
            return last
        if now - began >= _LONGEST * max(seconds, 0.1):
            return last
        sleep(min(_LOOK_SECONDS, max(seconds, 0.001)))
        if (found := stamp(path)) != last:
            last, since = found, time.monotonic()


class Saves:
    """Sets `event` whenever the file may have been saved; a context manager.

    Watches the folder, because a file that is replaced is another file. A document behind a
    symbolic link is watched where it lies too.
    """

    def __init__(self, path: Path, event: threading.Event) -> None:
        self._names = {path.absolute(), path.resolve()}
        self._event = event
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="dlm-saves", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join(timeout=2)

    def _watch(self) -> None:
        folders = {name.parent for name in self._names}
        while not self._stop.is_set():
            # A folder that goes away and comes back ends the watching of it.
            with contextlib.suppress(OSError, RuntimeError):
                for _ in watch(
                    *folders,
                    watch_filter=self._is_ours,
                    debounce=50,
                    step=10,
                    stop_event=self._stop,
                    recursive=False,
                    raise_interrupt=False,
                ):
                    self._event.set()
            self._stop.wait(0.5)
            self._event.set()

    def _is_ours(self, change: Change, name: str) -> bool:
        return Path(name) in self._names


class _Estimated(Relay):
    """Passes on what a training tells, and keeps the estimate of its end."""

    def __init__(self, inner: Progress, status: WatchStatus) -> None:
        super().__init__(inner)
        self._status = status

    def stage(self, text: str) -> None:
        self._status.note(phase=text)
        self.inner.stage(text)

    def planned(self, summary: str, warnings: Sequence[str]) -> None:
        self._status.note(change=summary.partition(";")[0])
        self.inner.planned(summary, warnings)

    def step(self, figures: StepFigures) -> None:
        self._status.left(figures.seconds_left)
        self._status.note(phase=f"step {figures.step} of {figures.steps}", loss=figures.loss)
        self.inner.step(figures)


def _wait_for(event: threading.Event) -> None:
    event.wait(timeout=_LISTEN_SECONDS)  # with a limit, so that Ctrl-C is heard everywhere
    event.clear()
