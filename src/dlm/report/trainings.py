"""The trainings: what they read, their loss curves, why they stopped, and what they cost."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dlm.data.examples import AUTHORED, SYNTHETIC
from dlm.eval.figures import Figure
from dlm.report.charts import Point, curve, letter, stack, trend
from dlm.report.facts import EpochFacts, Facts, RunFacts
from dlm.report.html import Child, Html, behind, figure, join, missing, part, table, tag, user
from dlm.report.words import duration, percent, plain, sentences, signed, when
from dlm.store.metrics import RunOutcome

_CURVES = 6  # runs whose curve is drawn
_REPLAYED = ", replayed"


def trainings(facts: Facts) -> Html:
    """The part about trainings."""
    if not facts.runs:
        text = "No training is on record."
        return part("trainings", "The trainings", None, missing(text))
    latest = facts.runs[-1]
    return part(
        "trainings",
        "The trainings",
        _lead(latest),
        tag("div", list(_curves(facts.runs)), class_="grid"),
        behind("All trainings as a table", _table(facts.runs)),
        _read(facts),
        _drift(facts),
    )


def _lead(run: RunFacts) -> Html:
    when_ = f"The last one began {when(run.started_at)} and "
    if run.outcome is RunOutcome.RUNNING:
        return join(f"{when_}is still under way.")
    lasted = f" after {duration(run.seconds)}" if run.seconds is not None else ""
    came = f"became {run.version}" if run.version else f"ended as {run.outcome.value}"
    return join(
        f"{when_}{came}{lasted}. Why it stopped: ", user(run.why or "no reason is kept"), "."
    )


def _curves(runs: Sequence[RunFacts]) -> Iterator[Html]:
    drawable = [run for run in runs if len(run.losses) > 1]
    for run in reversed(drawable[-_CURVES:]):
        name = run.version or run.outcome.value
        measured = _measured(run.epochs)
        chart = curve(f"Loss of {name}", run.losses, measured)
        key = "Line: loss of each step, smoothed. Across: steps."
        signs = {"answers to learn": "◆", "held-out answers": "●"}
        key = sentences([key, *(f"{signs[what]}\N{NO-BREAK SPACE}{what}." for what in measured)])
        yield figure(f"{name}: loss, nats a token", chart, user(run.why), tag("br"), key)
    if not drawable:
        yield missing("No losses are kept of these trainings.")


def _measured(epochs: Sequence[EpochFacts]) -> dict[str, list[tuple[float, float]]]:
    """What was measured after epochs, by name, at its step; only what was measured at all."""
    found: dict[str, list[tuple[float, float]]] = {"held-out answers": [], "answers to learn": []}
    for one in epochs:
        if one.step is not None and one.held_out_nll is not None:
            found["held-out answers"].append((one.step, one.held_out_nll))
        if one.step is not None and one.answer_nll is not None:
            found["answers to learn"].append((one.step, one.answer_nll))
    return {name: points for name, points in found.items() if points}


def _table(runs: Sequence[RunFacts]) -> Html:
    rows = [
        [
            when(run.started_at),
            run.version or "–",
            run.outcome.value,
            user(run.why),
            f"{run.steps:,}",
            duration(run.seconds) if run.seconds is not None else "–",
        ]
        for run in reversed(runs)
    ]
    head = ["began", "version", "outcome", "why it ended", "steps", "time"]
    return table("Newest first.", head, rows, 2)


def _read(facts: Facts) -> Html:
    heading = _heading("What the last training read")
    run = next((run for run in reversed(facts.runs) if run.shares), None)
    if run is None:
        return join(heading, missing("What the trainings read is not on record."))
    total = sum(one["tokens"] for one in run.shares) or 1
    parts = [(_source(str(one["source"])), one["tokens"] / total) for one in run.shares]
    rows: list[list[Child]] = [
        [letter(index), name, f"{one.get('rows', 0):,}", f"{one['tokens']:,}", percent(share)]
        for index, ((name, share), one) in enumerate(zip(parts, run.shares, strict=True))
    ]
    caption = f"Rows and tokens that {run.version or 'the run'} read over all epochs."
    made = table(caption, ["", "source", "rows", "tokens", "share"], rows, 3)
    told = tag("p", _real(run, facts.real_share), class_="why")
    chart = stack("Shares of what was read", parts)
    return join(heading, tag("div", chart, made, told, class_="card"))


def _source(source: str) -> str:
    """A source in words that a newcomer knows."""
    plain_source = source.removesuffix(_REPLAYED)
    words = {
        AUTHORED: "written by you",
        "synthesized": "written by a teacher",
        "mined": "mined from answers",
        "harvested": "harvested from failures",
        "pushed": "pushed probes",
        "imported": "imported",
        "general text": "general text, against forgetting",
        "samples of the base": "the base's own text, against forgetting",
        "to forget": "to be forgotten",
    }
    replayed = " (known, replayed)" if source.endswith(_REPLAYED) else ""
    return words.get(plain_source, plain_source) + replayed


def _real(run: RunFacts, wanted: float | None) -> str:
    """How much of the document's own tokens people wrote, where models wrote any."""
    real = synthetic = 0.0
    for one in run.shares:
        source = str(one["source"]).removesuffix(_REPLAYED)
        real += one["tokens"] if source == AUTHORED else 0
        synthetic += one["tokens"] if source in SYNTHETIC else 0
    if not synthetic:
        return "People wrote all of the document's own text; no model wrote any of it."
    share = real / (real + synthetic)
    asked = ""
    if wanted is not None:
        word = "less than" if share < wanted else "at least"
        asked = f", {word} the {percent(wanted)} that training.real_share asks for"
    return f"Real share: people wrote {percent(share)} of the document's own tokens{asked}."


def _drift(facts: Facts) -> Html:
    heading = _heading("What training cost: drift")
    cards = {version.name: version.card for version in facts.versions}
    points = [
        Point(name, card.figure("drift", "texts"), current=name == facts.current)
        for name, card in cards.items()
        if card is not None
    ]
    points = [point for point in points if point.figure.value is not None][-40:]
    bounds = [run.drift_bound for run in facts.runs if run.drift_bound is not None]
    if not points:
        return join(heading, missing("Drift was not measured."))
    bound = bounds[-1] if bounds else None
    lead = (
        "How much harder general text became for the model than for its base, in nats a token. "
        "0 is no change; the less, the better."
    )
    kept = (
        f"A training that passes {plain(bound)} stops."
        if bound is not None
        else "No bound is on record: trainings of a fixed number of epochs have none."
    )
    chart = trend("Drift over versions", points, signed, low=0.0, bound=bound)
    last = points[-1]
    note = f"{last.name}: {signed(last.figure.value or 0.0)}, n = {last.figure.n} texts. {kept}"
    return join(
        heading,
        tag("p", lead, class_="lead"),
        tag("div", figure("Drift over versions", chart, note), _within(facts), class_="grid"),
    )


def _within(facts: Facts) -> Html | None:
    """Drift during the last training that measured it."""
    for run in reversed(facts.runs):
        found = [(one.epoch, one.drift) for one in run.epochs if one.drift is not None]
        if len(found) > 1:
            points = [Point(str(epoch), Figure(drift, 0)) for epoch, drift in found]
            name = run.version or run.outcome.value
            chart = trend(
                f"Drift while {name} trained", points, signed, low=0.0, bound=run.drift_bound
            )
            return figure(f"While {name} trained", chart, "Across: epochs, on fewer texts.")
    return None


def _heading(text: str) -> Html:
    return tag("h3", text, style="margin:2.2rem 0 .6rem;font-size:1.2rem")
