"""What the watching tests share: a loop with a trainer that only remembers what it was given."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dlm.data.lessons import lessons_of
from dlm.doc.document import Document
from dlm.errors import DlmError
from dlm.loops.push import Drained
from dlm.store.records import Version
from dlm.train.options import Progress, TrainOptions
from dlm.train.start import NothingToTrain

DLM_ID = "01J9ZQ6W3N8R2T4V6X8Y0A1B2C"
HEAD = f"---\ndlm_id: {DLM_ID}\ndlm_version: 15\nbase_model: pocket\n---\n"
TEXT = f"{HEAD}\nThe shed is teal.\n"


@dataclass
class RecordingTrainer:
    """Says of every document that all of it is known."""

    seen: list[tuple[str, TrainOptions]] = field(default_factory=list)
    before: Callable[[], None] = lambda: None

    def train(
        self, document: Document, options: TrainOptions, progress: Progress
    ) -> NothingToTrain:
        self.before()
        lessons_of(document)
        self.seen.append((document.text, options))
        return NothingToTrain(Version(1, "v0001", Path("none"), "0" * 64, None, "run", None))  # type: ignore[arg-type]

    def warm_up(self, document: Document) -> None:
        pass

    def fits(self, document: Document) -> Callable[[str, str], str | None]:
        return lambda question, answer: None


@dataclass
class RecordingScreen:
    """Keeps what would be shown."""

    drains: list[Drained] = field(default_factory=list)
    quiet: int = 0
    errors: list[DlmError] = field(default_factory=list)

    def drained(self, drained: Drained) -> None:
        self.drains.append(drained)

    def trained(self, document: Document, report: Any, seconds: float) -> None:
        raise AssertionError("nothing is trained here")

    def nothing_new(self, document: Document, found: NothingToTrain) -> None:
        self.quiet += 1

    def failed(self, error: DlmError) -> None:
        self.errors.append(error)


def replaced(path: Path, text: str) -> None:
    """As vim, emacs and most editors save: another file takes the name."""
    other = path.with_name(f".{path.name}.swp{time.monotonic_ns()}")
    other.write_text(text)
    other.replace(path)


def in_place(path: Path, text: str) -> None:
    """As nano and simple editors save: cut to nothing, then written in several goes."""
    with path.open("w") as file:
        for start in range(0, len(text), 40):
            file.write(text[start : start + 40])
            file.flush()
            os.fsync(file.fileno())


def with_backup(path: Path, text: str) -> None:
    """As vim saves with a backup: the old file is moved away, and for a moment there is none."""
    backup = path.with_name(f"{path.name}~")
    path.rename(backup)
    time.sleep(0.02)
    path.write_text(text)
    backup.unlink()


def until(holds: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.02)
