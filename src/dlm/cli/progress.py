"""How far a training is, on standard error: a live bar or lines."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from dlm.cli.common import note
from dlm.train.options import Progress, StepFigures

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

    from dlm.train.figures import EpochFigures, PairEpoch


class TerminalProgress(Progress):
    """Loss, tokens a second, answers learned, and the time that is left at most."""

    def __init__(self) -> None:
        self._bar: Bar | None = None
        self._known = ""
        self._tty = sys.stderr.isatty()

    def planned(self, summary: str, warnings: Sequence[str]) -> None:
        note(f"  {summary}")
        for text in warnings:
            note(f"warning: {text}")

    def stage(self, text: str) -> None:
        print(f"{text} …", file=sys.stderr, flush=True)

    def step(self, figures: StepFigures) -> None:
        if not self._tty:
            return
        bar = self._bar or self._start(figures.steps)
        minutes, seconds = divmod(round(figures.seconds_left), 60)
        speed = f"{figures.tokens_per_second:,.0f} tokens/s"
        left = f"at most {minutes}:{seconds:02} left"
        text = f"epoch {figures.epoch:>2}  loss {figures.loss:.3f}  {speed}  {self._known}{left}"
        bar.update(bar.task_ids[0], completed=figures.step, description=text)

    def epoch(self, figures: EpochFigures) -> None:
        if figures.scores:
            self._known = f"{figures.learned}/{len(figures.scores)} learned  "
        if not self._tty:
            parts = [f"epoch {figures.epoch}:", self._known.strip()]
            if figures.answer_nll is not None:
                parts.append(f"answer loss {figures.answer_nll:.3f}")
            if figures.drift is not None:
                parts.append(f"drift {figures.drift:+.2f}")
            print(" ".join(part for part in parts if part), file=sys.stderr, flush=True)

    def preference(self, figures: PairEpoch) -> None:
        self._known = f"{figures.preferred}/{figures.n} preferred  "
        if not self._tty:
            parts = [
                f"epoch {figures.epoch}:",
                self._known.strip(),
                f"margin {figures.margin:+.3f}",
            ]
            if figures.drift is not None:
                parts.append(f"drift {figures.drift:+.2f}")
            print(" ".join(parts), file=sys.stderr, flush=True)

    def note(self, text: str) -> None:
        print(f"note: {text}", file=sys.stderr, flush=True)

    def stopping(self) -> None:
        # The stream may be in the middle of a line of ours, and is not re-entrant.
        os.write(2, b"\nstopping after this step; Ctrl-C again stops at once\n")

    def done(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def _start(self, steps: int) -> Bar:
        from rich.console import Console
        from rich.progress import BarColumn, Progress as RichProgress, TextColumn

        self._bar = RichProgress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=20),
            console=Console(stderr=True),
            transient=True,
        )
        self._bar.add_task("starting", total=steps)
        self._bar.start()
        return self._bar
