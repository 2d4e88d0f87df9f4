"""`dlm metrics`: what trainings measured, of one run, of all, and while one goes on."""

from __future__ import annotations

import csv
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dlm.cli.common import LiveLine, note, print_json, print_table, read_document, trained_store
from dlm.cli.options import JsonOption, PathArgument, group
from dlm.errors import StoreError, UsageError
from dlm.text.words import count

if TYPE_CHECKING:
    from dlm.doc.document import Document
    from dlm.store.database import Database
    from dlm.store.metrics import Evaluation, MetricRun, StepMetric
    from dlm.store.store import Store

_POLL_SECONDS = 0.5
_SILENCE_SECONDS = 5.0  # after which one looks whether the training still lives


app = group(
    "metrics",
    "What trainings measured: losses, learning rates, speed and evaluations.",
    "What trainings measured: losses, speed, evaluations.",
)


@app.command("show")
def show_run(
    path: PathArgument = None,
    run_id: Annotated[
        str | None, typer.Option("--run", metavar="ID", help="This run instead of the last.")
    ] = None,
    version: Annotated[
        str | None,
        typer.Option("--version", metavar="vNNNN", help="The run that made this version."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print every step as CSV.")] = False,
) -> None:
    """Show what one training measured, epoch by epoch."""
    if as_json and as_csv:
        raise UsageError("--json and --csv exclude each other")
    if run_id and version:
        raise UsageError("--run and --version exclude each other")
    from dlm.store import metrics
    from dlm.store.records import to_json

    document = read_document(path)
    with trained_store(document) as store:
        run = _chosen(store, run_id, version) if store else None
        if store is None or run is None:
            raise never_trained(document)
        steps = metrics.steps(store.database, run.run_id)
        evaluations = metrics.evaluations(store.database, run.run_id)
    if as_json:
        found = {"evaluations": [one.to_json() for one in evaluations]}
        print_json({**to_json(run), **found, "steps": [asdict(step) for step in steps]})
    elif as_csv:
        _print_csv(steps)
    else:
        _print_run(run, steps, evaluations)


@app.command("watch")
def watch_run(
    path: PathArgument = None,
    wait: Annotated[
        float,
        typer.Option("--wait", min=0, metavar="SECONDS", help="Wait so long for a training."),
    ] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")] = False,
) -> None:
    """Follow a training that runs in another terminal, until it ends."""
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


@app.command("list")
def list_runs(path: PathArgument = None, as_json: JsonOption = False) -> None:
    """List the trainings of a document, also those that came to no version."""
    from dlm.store import metrics
    from dlm.store.records import to_json

    document = read_document(path)
    with trained_store(document) as store:
        found = metrics.runs(store.database) if store else ()
    if as_json:
        print_json({"dlm_id": document.frontmatter.dlm_id, "runs": to_json(found)})
        return
    if not found:
        print(f"{document.path} has not been trained yet")
        return
    print("run                     when              mode      version  outcome")
    for run in found:
        when = run.started_at.astimezone().strftime("%Y-%m-%d %H:%M")
        why = f": {run.detail}" if run.detail else ""
        name = run.version or "-"
        print(f"{run.run_id:<22}  {when}  {run.mode:<8}  {name:<7}  {run.outcome.value}{why}")


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
        self._live = LiveLine(sys.stdout)

    def begin(self, run: MetricRun) -> None:
        note(f"watching run {run.run_id}, {run.mode}; Ctrl-C leaves it training")

    def news(
        self, run: MetricRun, steps: tuple[StepMetric, ...], found: tuple[Evaluation, ...]
    ) -> None:
        for one in found:
            self._line(_evaluation_line(one))
        if steps:
            line = _step_line(run, steps[-1])
            self._live.show(line)
            if not self._live.live:
                print(line, flush=True)

    def end(self, run: MetricRun) -> None:
        self._line(run.standing + (f": {run.detail}" if run.detail else ""))

    def _line(self, text: str) -> None:
        self._live.show("")
        print(text, flush=True)


class _Json(_Text):
    """One JSON object a line; `event` says of what."""

    def begin(self, run: MetricRun) -> None:
        _print_event("run", run)

    def news(
        self, run: MetricRun, steps: tuple[StepMetric, ...], found: tuple[Evaluation, ...]
    ) -> None:
        events: list[tuple[int, int, str, Any]] = [(s.step, 0, "step", s) for s in steps]
        events += [(one.step, 1, "evaluation", one.to_json()) for one in found]
        for _, _, event, data in sorted(events, key=lambda item: item[:2]):
            _print_event(event, data)

    def end(self, run: MetricRun) -> None:
        _print_event("end", run)


def _print_event(event: str, data: Any) -> None:
    from dlm.store.records import to_json

    print(json.dumps({"event": event, **to_json(data)}, ensure_ascii=False), flush=True)


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


_BARS = "▁▂▃▄▅▆▇█"
_CURVE_WIDTH = 60


def never_trained(document: Document) -> StoreError:
    """There are no metrics at all."""
    return StoreError(
        f"{document.path} has no training to show",
        hint=f"metrics are kept from the first `dlm train {document.path}` on",
    )


def _chosen(store: Store, run_id: str | None, version: str | None) -> MetricRun | None:
    from dlm.store import metrics

    known = metrics.runs(store.database)
    if version is not None:
        wanted = store.version(version)
        named = [run for run in known if run.run_id == wanted.run_id]
        missing = f"the training that made {wanted.name} kept no metrics"
    elif run_id is not None:
        named = [run for run in known if run.run_id.startswith(run_id)]
        missing = f"there is no run {run_id}" if not named else f"{run_id} begins several runs"
    else:
        return known[-1] if known else None
    if len(named) != 1:
        raise StoreError(missing, hint="`dlm metrics list` names the runs there are")
    return named[0]


def _print_csv(steps: Sequence[StepMetric]) -> None:
    from dlm.store.metrics import StepMetric

    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(item.name for item in fields(StepMetric))
    writer.writerows(asdict(step).values() for step in steps)


def _print_run(
    run: MetricRun, steps: Sequence[StepMetric], evaluations: Sequence[Evaluation]
) -> None:
    print(f"run {run.run_id}: {run.standing}")
    when = f"{run.started_at.astimezone():%Y-%m-%d %H:%M:%S}"
    rows = {
        "started": f"{when}, {run.mode}, base {run.base_key}",
        "steps": _steps_text(steps, evaluations),
    }
    if run.detail:
        rows["ended"] = run.detail
    print_table(rows)
    if evaluations:
        print()
        for line in table(evaluations, steps):
            print(line)
    from dlm.store.metrics import smoothed

    losses = [step.loss for step in steps if step.loss is not None]
    if len(losses) > 1:
        print(f"\nloss  {sparkline(smoothed(losses))}  {losses[0]:.3f} → {losses[-1]:.3f}")


def _steps_text(steps: Sequence[StepMetric], evaluations: Sequence[Evaluation]) -> str:
    if not steps:
        return "removed: only the latest runs keep them" if evaluations else "none"
    tokens = sum(step.tokens for step in steps)
    training = sum(step.tokens / step.tokens_per_second for step in steps if step.tokens_per_second)
    speed = f"{tokens / training:,.0f} tokens/s" if training else ""
    return f"{count(len(steps), 'step')}, {tokens:,} tokens, {speed}, {steps[-1].seconds:.1f} s"


_COLUMNS = (
    ("answer loss", "answer_nll", "{:.3f}"),
    ("held-out loss", "held_out_nll", "{:.3f}"),
    ("preferred", "preferred", "{}"),
    ("margin", "margin", "{:+.3f}"),
    ("chosen loss", "chosen_nll", "{:.3f}"),
    ("drift", "drift", "{:+.2f}"),
)


def table(evaluations: Sequence[Evaluation], steps: Sequence[StepMetric]) -> list[str]:
    """One line per epoch below a heading, with the columns that any of them has."""
    columns = [c for c in _COLUMNS if any(e.figures.get(c[1]) is not None for e in evaluations)]
    lines = [["epoch", "step", "loss", "learned", *(name for name, _, _ in columns), "seconds"]]
    for found in evaluations:
        losses = [s.loss for s in steps if s.epoch == found.epoch and s.loss is not None]
        mean = f"{sum(losses) / len(losses):.3f}" if losses else "-"
        cells = [str(found.epoch), str(found.step), mean, _learned(found)]
        for _, key, form in columns:
            value = found.figures.get(key)
            cells.append("-" if value is None else form.format(value))
        lines.append([*cells, f"{found.seconds:.1f}"])
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    return [
        "  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True))
        for line in lines
    ]


def _learned(found: Evaluation) -> str:
    pairs = found.figures.get("pairs")
    return f"{found.figures.get('learned')}/{pairs}" if pairs else "-"


def sparkline(values: Sequence[float], width: int = _CURVE_WIDTH) -> str:
    """A curve of at most `width` characters; each stands for the mean of its share of `values`."""
    width = min(width, len(values))
    means = []
    for column in range(width):
        part = values[column * len(values) // width : (column + 1) * len(values) // width]
        means.append(sum(part) / len(part))
    low, high = min(means), max(means)
    scale = (len(_BARS) - 1) / (high - low) if high > low else 0.0
    return "".join(_BARS[round((mean - low) * scale)] for mean in means)
