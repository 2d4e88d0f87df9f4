"""What a running training shows where standard error is not a terminal, and on one."""

from __future__ import annotations

import contextlib
import os
import pty
import sys

import pytest

from dlm.cli.progress import TerminalProgress
from dlm.cli.working import WorkLine
from dlm.engine.model import Score
from dlm.train.figures import EpochFigures
from dlm.train.options import StepFigures

STEP = StepFigures(
    step=3,
    steps=40,
    epoch=2,
    loss=1.25,
    tokens_per_second=812.4,
    seconds_left=119.7,
    epoch_share=0.4,
    epoch_seconds_left=61.0,
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
    left = "1:01 of this epoch, at most 2:00 left"
    for part in ("epoch  2", "loss 1.250", "812 tokens/s", "1/2 learned", left):
        assert part in shown


def test_work_that_lasts_says_when_it_will_end(capsys: pytest.CaptureFixture[str]) -> None:
    now = 0.0
    line = WorkLine(seconds=lambda: now)
    for done in range(400):
        line("encoding", done, 400)
        now += 0.25
    line("encoding", 400, 400)
    line("scoring", 0, 3)
    line("scoring", 3, 3)
    assert capsys.readouterr().err.splitlines() == [
        "  encoding: 5%, about 1:35 left",
        "  encoding: 35%, about 1:05 left",
        "  encoding: 65%, about 0:35 left",
        "  encoding: 95%, about 0:05 left",
    ]


def test_a_log_gets_a_line_every_half_minute_whatever_the_work(
    capsys: pytest.CaptureFixture[str],
) -> None:
    now = 0.0
    line = WorkLine(seconds=lambda: now)
    for what in ("encoding", "scoring", "answering", "judging"):
        for done in range(60):
            line(what, done, 60)
            now += 0.25
        line(what, 60, 60)
    assert capsys.readouterr().err.splitlines() == [
        "  encoding: 33%, about 0:10 left",
        "  answering: 33%, about 0:10 left",
    ]


def test_a_terminal_writes_over_how_far_work_is(monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = pty.openpty()
    now = 0.0
    with os.fdopen(writer, "w") as terminal:
        monkeypatch.setattr(sys, "stderr", terminal)
        line = WorkLine(seconds=lambda: now)
        for done in range(4):
            line("encoding", done, 4)
            now += 1.0
        line("encoding", 4, 4)
    shown = _drained(reader)
    assert "encoding: 50%, about 0:02 left" in shown
    assert "\n" not in shown
    assert shown.endswith("\r\x1b[K")
