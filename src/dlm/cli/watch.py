"""`dlm train --watch`: one status line that stays, and a line for all that happens."""

from __future__ import annotations

import contextlib
import json
import shutil
import signal
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from dlm.cli.common import LiveLine, find_document, note, one_line
from dlm.cli.progress import TerminalProgress
from dlm.errors import DlmError, UsageError
from dlm.text.words import count

if TYPE_CHECKING:
    from types import FrameType

    from dlm.doc.document import Document
    from dlm.loops.push import Drained
    from dlm.loops.watch import WatchSettings
    from dlm.loops.watch_status import Facts, WatchStatus
    from dlm.serve.connections import Address
    from dlm.train.figures import EpochFigures
    from dlm.train.lock_file import LockMode
    from dlm.train.options import StepFigures, TrainOptions
    from dlm.train.report import TrainingReport
    from dlm.train.start import NothingToTrain


def check(
    *,
    watch: bool,
    max_cycles: int | None,
    listen_rpc: str | None,
    plan: bool,
    tensorboard: bool,
    preferences: bool,
) -> None:
    """Refuse what makes no sense together, or cannot be listened to; raises DlmError."""
    if listen_rpc is not None and not watch and max_cycles is None:
        raise UsageError("--listen-rpc needs --watch, or --max-cycles to say when to end")
    if max_cycles is not None and not watch and listen_rpc is None:
        raise UsageError("--max-cycles needs --watch or --listen-rpc: there are no cycles without")
    if plan or tensorboard:
        name = "--plan" if plan else "--tensorboard"
        raise UsageError(f"{name} is for one training; leave it out while watching")
    if preferences:
        raise UsageError(
            "watching trains prose and pairs only: --phase, --no-mined and --force are for one "
            "training"
        )
    if listen_rpc is not None:
        from dlm.serve.connections import parse_address
        from dlm.serve.server import probe_token

        parse_address(listen_rpc)
        probe_token()


def run(
    path: str | None,
    options: TrainOptions,
    settings: WatchSettings,
    *,
    listen_rpc: str | None,
    capacity: int,
    resume: bool,
    lock: LockMode,
    as_json: bool,
) -> None:
    """Train, then watch until Ctrl-C or until the cycles are done."""
    from dlm.doc.parser import parse_file
    from dlm.loops.watch import Watch
    from dlm.loops.watch_status import WatchStatus

    document = find_document(path)
    screen = TerminalScreen(document, as_json=as_json)
    status = WatchStatus(settle_seconds=settings.debounce_seconds, changed=screen.show)
    with contextlib.ExitStack() as stack:
        if listen_rpc is not None:
            # Before torch is imported: what is pushed meanwhile is kept.
            first = parse_file(document)
            stack.enter_context(_listening(listen_rpc, status, first, capacity))
        from dlm.train.run import ResidentTrainer

        trainer = stack.enter_context(ResidentTrainer(resume=resume, lock=lock))
        watch = Watch(document, settings, options, trainer, screen, status, screen.progress)
        stack.enter_context(_ended_by_signals())
        try:
            watch.run()
        except KeyboardInterrupt:
            screen.clear()
            current = status.facts.version
            note(f"stopped watching; {f'{current} is current' if current else 'nothing changed'}")


@contextlib.contextmanager
def _listening(
    text: str, status: WatchStatus, document: Document, capacity: int
) -> Iterator[Address]:
    from dlm.serve.connections import parse_address
    from dlm.serve.server import listening, probe_token
    from dlm.store.edits import queue_depth
    from dlm.store.store import open_store

    address, token = parse_address(text), probe_token()
    with open_store(document) as store:  # makes its file, and checks it
        status.note(queue_depth=queue_depth(store.database))
        database = store.path.database
    if not address.is_loopback:
        note(
            f"WARNING: {address.host} can be reached from other machines. Whoever has the token "
            "can write into the document, and the token travels unencrypted."
        )
    with listening(address, status, token=token, database=database, capacity=capacity) as real:
        note(f"listening for probes on {real.url}/rpc")
        yield real


@contextlib.contextmanager
def _ended_by_signals() -> Iterator[None]:
    """SIGTERM ends the waiting as Ctrl-C does."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


class TerminalScreen:
    """On a terminal one line that is written over; elsewhere one line a cycle."""

    def __init__(self, path: Path, *, as_json: bool) -> None:
        self._path, self._as_json = path, as_json
        self._line = LiveLine(sys.stderr)
        self._lock = threading.RLock()
        self._facts: Facts | None = None
        self._passed: set[str] = set()
        self.progress = _CycleProgress(self)

    def show(self, facts: Facts) -> None:
        """Draw the status line anew."""
        with self._lock:
            self._facts = facts
            width = shutil.get_terminal_size().columns - 1
            self._line.show(status_line(facts)[:width])

    def say(self, text: str) -> None:
        """A line of its own, above the status line."""
        with self._lock:
            self.clear()
            note(text)
            if self._facts is not None:
                self.show(self._facts)

    def clear(self) -> None:
        """Take the status line away."""
        self._line.show("")

    def drained(self, drained: Drained) -> None:
        if drained.added:
            self.say(f"{count(len(drained.added), 'pushed probe')} written into {self._path}")
        if drained.put_back:
            back = count(len(drained.put_back), "pushed probe")
            self.say(f"{back} put back: the file was saved from a text without them")
        if drained.known:
            self.say(f"{count(len(drained.known), 'pushed probe')} left out: asked already")
        for one in drained.removed:
            self.say(f"taken out by you, and not put back: {one_line(one.prompt, 60)}")
        for held in drained.held:
            self.say(f"kept in the queue: {one_line(held.prompt, 60)}: {held.reason}")

    def trained(self, document: Document, report: TrainingReport, seconds: float) -> None:
        from dlm.cli.train_report import print_report
        from dlm.eval.answers import Kind

        card, facts = report.outcome.card, self._facts
        items = [item for item in card.of(Kind.TRAINED) if item.probe and item.said]
        passed = {item.question for item in items if item.said and item.said.right}
        lost = sorted({item.question for item in items} & self._passed - passed)
        self._passed = passed
        self.clear()
        if self._as_json:
            print(json.dumps(report.to_json() | {"cycle_seconds": round(seconds, 2)}), flush=True)
        elif facts is not None and facts.cycles:
            short = replace(facts, phase=f"{report.outcome.stop_reason}, {seconds:.1f} s")
            print(status_line(short), flush=True)
        else:
            print_report(document, report)
            sys.stdout.flush()
        for question in lost:
            self.say(f"probe lost: {one_line(question, 60)}")

    def nothing_new(self, document: Document, found: NothingToTrain) -> None:
        self.clear()
        facts: dict[str, object] = {
            "version": None,
            "unchanged": True,
            "current": found.version.name,
        }
        text = f"nothing new: {found.version.name} knows all that {document.path} says"
        if found.unlearned:
            facts |= {"unlearned": len(found.unlearned)}
            text = (
                f"nothing new: {found.version.name} was trained on all of {document.path}; "
                f"{count(len(found.unlearned), 'pair')} not learned yet (`dlm train` goes on)"
            )
        print(json.dumps(facts) if self._as_json else text, flush=True)

    def failed(self, error: DlmError) -> None:
        self.say(f"error: {error}")
        if error.hint:
            self.say(f"hint: {error.hint}")
        self.say("waiting for the next save")


class _CycleProgress(TerminalProgress):
    """The usual progress for the first training; later the status line shows it."""

    def __init__(self, screen: TerminalScreen) -> None:
        super().__init__()
        self._screen = screen
        self._tty = False
        self._told: set[str] = set()

    def planned(self, summary: str, warnings: object) -> None:
        self._screen.say(f"  {summary}")

    def stage(self, text: str) -> None:
        """The status line shows it; elsewhere only what takes long is worth a line."""
        if text.startswith(("loading", "sampling")):
            self._screen.say(f"{text} …")

    def step(self, figures: StepFigures) -> None:
        """The status line shows it."""

    def epoch(self, figures: EpochFigures) -> None:
        """The status line shows it."""

    def note(self, text: str) -> None:
        if text not in self._told:
            self._told.add(text)
            self._screen.say(f"note: {text}")


def status_line(facts: Facts) -> str:
    """All that a person wants to know at a glance."""
    parts = [facts.version or "no version"]
    parts += [facts.change] if facts.change else []
    parts += [f"loss {facts.loss:.3f}"] if facts.loss is not None else []
    if facts.probes_asked:
        parts.append(f"probes {facts.probes_passed}/{facts.probes_asked}")
    held = f" ({facts.held} held)" if facts.held else ""
    parts.append(f"queue {facts.queue_depth}{held}")
    return " · ".join([*parts, facts.phase])
