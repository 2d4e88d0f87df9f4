"""What a running training shows where standard error is not a terminal, and on one."""

from __future__ import annotations

import contextlib
import os
import pty
import sys

import pytest

from dlm.cli.progress import TerminalProgress
from dlm.engine.model import Score
from dlm.train.figures import EpochFigures
from dlm.train.options import StepFigures

STEP = StepFigures(
    step=3, steps=40, epoch=2, loss=1.25, tokens_per_second=812.4, seconds_left=119.7
)
EPOCH = EpochFigures(2, (Score(0.1, 5, True), Score(2.0, 5, False)), 0.07)


def _drained(reader: int) -> str:
    """All that was written to the other end, which is closed by now."""
    data = b""
    with contextlib.suppress(OSError):  # the end of a pseudo-terminal is an error
        while chunk := os.read(reader, 65536):
            data += chunk
    os.close(reader)
    return data.decode()


def test_a_file_gets_a_line_an_epoch(capsys: pytest.CaptureFixture[str]) -> None:
    progress = TerminalProgress()
    progress.stage("loading pocket")
    progress.step(STEP)
    progress.epoch(EPOCH)
    progress.done()
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == (
        "loading pocket …\nepoch 2: 1/2 learned answer loss 1.050 drift +0.07\n"
    )


def test_a_terminal_shows_loss_speed_and_the_time_left(monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = pty.openpty()
    monkeypatch.setenv("COLUMNS", "140")
    monkeypatch.setenv("TERM", "xterm")
    with os.fdopen(writer, "w") as terminal:
        monkeypatch.setattr(sys, "stderr", terminal)
        progress = TerminalProgress()
        progress.epoch(EPOCH)
        progress.step(STEP)
        progress.done()
    shown = _drained(reader)
    for part in ("epoch  2", "loss 1.250", "812 tokens/s", "1/2 learned", "at most 2:00 left"):
        assert part in shown
