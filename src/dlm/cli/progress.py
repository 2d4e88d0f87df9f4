"""How far a training or an improvement is, on standard error: a live bar or lines."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from dlm.cli.common import note, one_line
from dlm.cli.working import RARELY, WorkLine, clock
from dlm.loops.improve.options import ImproveProgress
from dlm.store.records import version_name
from dlm.train.options import Progress, StepFigures

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

    from dlm.store.improving import Round
    from dlm.train.figures import EpochFigures, PairEpoch

_LONG = 20.0  # seconds that are left of an epoch, to be told of


class TerminalProgress(Progress):
    """Loss, tokens a second, answers learned, and the time that is left at most."""

    def __init__(self, work: WorkLine | None = None) -> None:
        self._bar: Bar | None = None
        self._known = ""
        self._tty = sys.stderr.isatty()
        self._work = work or WorkLine()
        self._logged = time.monotonic()

    def planned(self, summary: str, warnings: Sequence[str]) -> None:
        self._work.close()
        note(f"  {summary}")
        for text in warnings:
            note(f"warning: {text}")

    def stage(self, text: str) -> None:
        self._work.close()
        note(f"{text} …")

    def working(self, what: str, done: int, of: int) -> None:
        if self._bar is None:
            self._work(what, done, of)
        elif done < of:
            self._bar.update(self._bar.task_ids[0], description=f"{what}: {done / of:.0%}")

    def step(self, figures: StepFigures) -> None:
        self._work.close()
        speed = f"{figures.tokens_per_second:,.0f} tokens/s"
        left = f"at most {clock(figures.seconds_left)} left"
        epoch_left = f"{clock(figures.epoch_seconds_left)} of this epoch, "
        if self._tty:
            bar = self._bar or self._start(figures.steps)
            left = (epoch_left if figures.epoch_seconds_left >= _LONG else "") + left
            epoch = f"epoch {figures.epoch:>2}  loss {figures.loss:.3f}"
            text = f"{epoch}  {speed}  {self._known}{left}"
            bar.update(bar.task_ids[0], completed=figures.step, description=text)
        elif time.monotonic() - self._logged >= RARELY:
            self._logged = time.monotonic()
            note(
                f"epoch {figures.epoch}, {figures.epoch_share:.0%}: step {figures.step:,} of "
                f"{figures.steps:,}, loss {figures.loss:.3f}, {speed}; {epoch_left}{left}"
            )

    def epoch(self, figures: EpochFigures) -> None:
        if figures.scores:
            self._known = f"{figures.learned}/{len(figures.scores)} learned  "
        if not self._tty:
            parts = [f"epoch {figures.epoch}:", self._known.strip()]
            if figures.answer_nll is not None:
                parts.append(f"answer loss {figures.answer_nll:.3f}")
            if figures.drift is not None:
                parts.append(f"drift {figures.drift:+.2f}")
            note(" ".join(part for part in parts if part))

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
            note(" ".join(parts))

    def note(self, text: str) -> None:
        self._work.close()
        note(f"note: {text}")

    def stopping(self) -> None:
        # The stream may be in the middle of a line of ours, and is not re-entrant.
        os.write(2, b"\nstopping after this step; Ctrl-C again stops at once\n")

    def done(self) -> None:
        self._work.close()
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


class ImproveScreen(ImproveProgress):
    """The run on standard error: a heading a round, a line a step, and what came of it."""

    def __init__(self) -> None:
        self._work = WorkLine("    ")
        super().__init__(TerminalProgress(self._work))

    def round(self, name: str, number: int, of: int, teacher: str, strategy: str) -> None:
        note(f"round {number} of {of}, {name}: {one_line(teacher, 80)} teaches by {strategy}")

    def step(self, text: str) -> None:
        self.close()
        note(f"  {one_line(text, 200)} …")

    def told(self, title: str, text: str) -> None:
        self.close()
        note(f"    {title:<10}  {one_line(text, 300)}")

    def working(self, what: str, done: int, of: int) -> None:
        self._work(what, done, of)

    def ended(self, one: Round) -> None:
        self.close()
        note(f"  {verdict(one)}")

    def note(self, text: str) -> None:
        self.close()
        note(f"note: {one_line(text, 300)}")

    def close(self) -> None:
        """End the line that is written over."""
        self._work.close()


def verdict(one: Round) -> str:
    """What a round came to, in a few words."""
    name = "" if one.challenger is None else f" {version_name(one.challenger)}"
    if one.step.value == "promoted":
        exam = one.facts["exam"]
        before, after = (exam[who]["overall"]["value"] for who in ("champion", "challenger"))
        brought = one.facts["brings"]
        return f"promoted{name}: {before:.3f} → {after:.3f} on the exam, {brought} added"
    return f"{one.step.value}{name}"
