"""`dlm metrics watch`: follow a training that runs in another process, through the store alone."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from dlm.cli.common import note, read_document, trained_store
from dlm.errors import StoreError

if TYPE_CHECKING:
    from dlm.doc.document import Document
    from dlm.store.database import Database
    from dlm.store.metrics import Evaluation, MetricRun, StepMetric
    from dlm.store.store import Store

_POLL_SECONDS = 0.5
_SILENCE_SECONDS = 5.0  # after which one looks whether the training still lives


def watch_run(path: str | None, *, wait: float, as_json: bool) -> None:
    document = read_document(path)
    with trained_store(document) as store:
        run = _running(store)
    deadline = time.monotonic() + wait
    while run is None:
        if time.monotonic() >= deadline:
            raise _idle(document)
        time.sleep(_POLL_SECONDS)
        with trained_store(document) as store:
            run = _running(store)
    with trained_store(document) as store:
        assert store is not None
        try:
            _follow(document, store.database, run, _Json() if as_json else _Text())
        except KeyboardInterrupt:
            note("\nstopped watching; the training goes on")
            sys.exit(130)


def _running(store: Store | None) -> MetricRun | None:
    from dlm.store import metrics
    from dlm.store.metrics import RunOutcome

    last = metrics.runs(store.database, limit=1) if store else ()
    return last[0] if last and last[0].outcome is RunOutcome.RUNNING else None


def _idle(document: Document) -> StoreError:
    return StoreError(
        f"nothing is training {document.path} now",
        hint="`dlm metrics show` shows the last training; --wait 60 waits for the next",
    )


def _follow(document: Document, database: Database, run: MetricRun, printer: _Text) -> None:
    from dlm.store import metrics

    printer.begin(run)
    step = epoch = 0
    heard = time.monotonic()
    while True:
        # Read before the figures: when it has ended, the figures that follow are all there are.
        now = metrics.run(database, run.run_id)
        steps = metrics.steps(database, run.run_id, after=step)
        found = metrics.evaluations(database, run.run_id, after=epoch)
        if steps or found:
            heard = time.monotonic()
            step = steps[-1].step if steps else step
            epoch = found[-1].epoch if found else epoch
            printer.news(run, steps, found)
        if now is None or now.ended_at is not None:
            printer.end(now or run)
            return
        if time.monotonic() - heard > _SILENCE_SECONDS:
            heard = time.monotonic()
            with trained_store(document):
                pass  # opening a store that nobody holds ends the runs that died
        time.sleep(_POLL_SECONDS)


class _Text:
    """Lines for a person; on a terminal the line of the current step is written over."""

    def __init__(self) -> None:
        self._tty = sys.stdout.isatty()

    def begin(self, run: MetricRun) -> None:
        note(f"watching run {run.run_id}, {run.mode}; Ctrl-C leaves it training")

    def news(
        self, run: MetricRun, steps: tuple[StepMetric, ...], found: tuple[Evaluation, ...]
    ) -> None:
        for one in found:
            self._line(_evaluation_line(one))
        if steps:
            line = _step_line(run, steps[-1])
            if self._tty:
                print(f"\r\x1b[K{line}", end="", flush=True)
            else:
                print(line, flush=True)

    def end(self, run: MetricRun) -> None:
        self._line(run.standing + (f": {run.detail}" if run.detail else ""))

    def _line(self, text: str) -> None:
        print(f"\r\x1b[K{text}" if self._tty else text, flush=True)


class _Json(_Text):
    """One JSON object a line; `event` says of what."""

    def begin(self, run: MetricRun) -> None:
        _print_event("run", run.to_json())

    def news(
        self, run: MetricRun, steps: tuple[StepMetric, ...], found: tuple[Evaluation, ...]
    ) -> None:
        events = [(step.step, 0, "step", asdict(step)) for step in steps]
        events += [(one.step, 1, "evaluation", one.to_json()) for one in found]
        for _, _, event, data in sorted(events, key=lambda item: item[:2]):
            _print_event(event, data)

    def end(self, run: MetricRun) -> None:
        _print_event("end", run.to_json())


def _print_event(event: str, data: dict[str, Any]) -> None:
    print(json.dumps({"event": event, **data}, ensure_ascii=False), flush=True)


def _step_line(run: MetricRun, step: StepMetric) -> str:
    loss = "-" if step.loss is None else f"{step.loss:.3f}"
    return (
        f"step {step.step} of at most {run.planned_steps}  epoch {step.epoch}  loss {loss}  "
        f"lr {step.learning_rate:.2e}  {step.tokens_per_second:,.0f} tokens/s"
    )


def _evaluation_line(found: Evaluation) -> str:
    parts = [f"epoch {found.epoch}:"]
    figures = found.figures
    if figures.get("pairs"):
        parts.append(f"{figures['learned']}/{figures['pairs']} learned")
    for name, key, form in (
        ("answer loss", "answer_nll", "{:.3f}"),
        ("held-out loss", "held_out_nll", "{:.3f}"),
        ("drift", "drift", "{:+.2f}"),
    ):
        if figures.get(key) is not None:
            parts.append(f"{name} {form.format(figures[key])}")
    return "  ".join(parts)
