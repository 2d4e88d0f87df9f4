"""The process beside `dlm serve --watch` that trains one document after every save.

    python -m dlm.serve.watcher PATH

It says how things stand as JSON lines on standard output. A line on its standard input says that
probes were pushed; it ends when its standard input does: with the server, however that ended. What
it commits, the server finds in the store.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import threading
import time
from dataclasses import asdict
from pathlib import Path
from types import FrameType
from typing import Final

from dlm.doc.document import Document
from dlm.errors import DlmError, Interrupted
from dlm.loops.push import Drained
from dlm.loops.watch import Watch, WatchSettings, stamp
from dlm.loops.watch_status import Facts, WatchStatus
from dlm.train.options import Progress, TrainOptions
from dlm.train.report import TrainingReport
from dlm.train.run import ResidentTrainer
from dlm.train.start import NothingToTrain

_BEHIND: Final = 5  # answers go before trainings
_AGAIN_SECONDS: Final = 10.0  # after a failure, when nothing was saved
_END_SECONDS: Final = 3.0  # for a training to stop after its step


class PipeScreen:
    """What happens, as lines for the server."""

    def facts(self, facts: Facts) -> None:
        _say({"facts": asdict(facts)})

    def drained(self, drained: Drained) -> None:
        """The document shows what was written, and the store what waits."""

    def trained(self, document: Document, report: TrainingReport, seconds: float) -> None:
        _say({"note": f"{document.path}: {report.version.name} was trained in {seconds:.1f} s"})

    def nothing_new(self, document: Document, found: NothingToTrain) -> None:
        """The facts say it."""

    def failed(self, error: DlmError) -> None:
        _say({"note": f"warning: not trained: {error}"})


def main() -> None:
    """Train and watch until standard input ends."""
    signal.signal(signal.SIGTERM, _stop)
    settings = WatchSettings()
    status = WatchStatus(settle_seconds=settings.debounce_seconds, changed=PipeScreen().facts)
    threading.Thread(target=_hear_the_server, args=(status,), daemon=True).start()
    with contextlib.suppress(OSError, AttributeError):
        os.nice(_BEHIND)
    with contextlib.suppress(KeyboardInterrupt, Interrupted, BrokenPipeError):
        _watch(Path(sys.argv[1]), settings, status)


def _watch(path: Path, settings: WatchSettings, status: WatchStatus) -> None:
    """Begin again after a first training that failed: with the next save, or a while later."""
    screen = PipeScreen()
    with ResidentTrainer() as trainer:
        while True:
            before = stamp(path)
            watch = Watch(path, settings, TrainOptions(), trainer, screen, status, Progress())
            try:
                watch.run()
            except Interrupted:
                raise
            except DlmError as error:
                screen.failed(error)
            deadline = time.monotonic() + _AGAIN_SECONDS
            while stamp(path) == before and time.monotonic() < deadline:
                time.sleep(0.1)


def _say(value: object) -> None:
    sys.stdout.write(f"{json.dumps(value)}\n")  # in one piece: two threads say something
    sys.stdout.flush()


def _stop(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _hear_the_server(status: WatchStatus) -> None:
    """Pass on that probes were pushed, and end with the server."""
    while said := os.read(sys.stdin.fileno(), 4096):
        status.pushed(status.facts.queue_depth + said.count(b"\n"))
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(_END_SECONDS)
    os._exit(1)


if __name__ == "__main__":
    main()
