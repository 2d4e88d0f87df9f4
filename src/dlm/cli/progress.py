"""How far a training or an improvement is, on standard error: a live bar or lines."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from dlm.cli.common import AskingBar, note, one_line
from dlm.loops.improve.options import ImproveProgress
from dlm.store.records import version_name
from dlm.train.options import Progress, StepFigures

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

    from dlm.store.improving import Round
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
        note(f"{text} …")

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
        note(f"note: {text}")

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


class ImproveScreen(ImproveProgress):
    """The run on standard error: a heading a round, a line a step, and what came of it."""

    def __init__(self) -> None:
        super().__init__(TerminalProgress())
        self._bar = AskingBar("    ")

    def round(self, name: str, number: int, of: int, teacher: str, strategy: str) -> None:
        note(f"round {number} of {of}, {name}: {one_line(teacher, 80)} teaches by {strategy}")

    def step(self, text: str) -> None:
        self.close()
        note(f"  {one_line(text, 200)} …")

    def told(self, title: str, text: str) -> None:
        self.close()
        note(f"    {title:<10}  {one_line(text, 300)}")

    def asking(self, what: str, done: int, of: int) -> None:
        self._bar.show(what, done, of)

    def ended(self, one: Round) -> None:
        self.close()
        note(f"  {verdict(one)}")

    def note(self, text: str) -> None:
        self.close()
        note(f"note: {one_line(text, 300)}")

    def close(self) -> None:
        """End the line that is written over."""
        self._bar.close()


def verdict(one: Round) -> str:
    """What a round came to, in a few words."""
    name = "" if one.challenger is None else f" {version_name(one.challenger)}"
    if one.step.value == "promoted":
        exam = one.facts["exam"]
        before, after = (exam[who]["overall"]["value"] for who in ("champion", "challenger"))
        brought = one.facts["brings"]
        return f"promoted{name}: {before:.3f} → {after:.3f} on the exam, {brought} added"
    return f"{one.step.value}{name}"
