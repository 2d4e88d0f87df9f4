"""What was done to a document: trainings, what teachers wrote for it, rounds of improvement."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from markupsafe import Markup

from dlm.data.lessons import AUTHORED, SYNTHETIC
from dlm.eval.figures import Figure
from dlm.report.charts import Chart, Point, curve, trend
from dlm.report.facts import EpochFacts, Facts, Knowledge, RoundFacts, RunFacts, SynthFacts
from dlm.report.summary import last_round
from dlm.report.words import duration, percent, plain, signed, user, when
from dlm.store.improving import Step
from dlm.store.metrics import RunOutcome
from dlm.text.words import count

_CURVES: Final = 6  # trainings whose curve is drawn
_MOST_ROUNDS: Final = 12
_MOST_SYNTHS: Final = 8
_REPLAYED: Final = ", replayed"
_STANDS: Final = {
    Step.PROMOTED.value: Knowledge.LEARNED,
    Step.REFUSED.value: Knowledge.NOT,
}
_STAGES: Final = {
    "generated": "written by the teacher",
    "parsed": "readable as a question and an answer",
    "dedup": "not said before",
    "grounded": "supported by the text",
    "judged": "found worth asking",
    "threshold": "good enough",
    "accepted": "kept",
}
_DROPPED: Final = {
    "parsed": "not readable",
    "dedup": "said before",
    "grounded": "not supported by the text",
    "judged": "not worth asking",
    "threshold": "not good enough",
    "accepted": "others of the section were better",
}


def trainings(facts: Facts) -> dict[str, Any]:
    """What `trainings.html` shows."""
    return {
        "lead": _lead(facts.runs[-1]) if facts.runs else None,
        "curves": list(_curves(facts.runs)),
        "rows": [_training(run) for run in reversed(facts.runs)],
        "read": _read(facts),
        "drift": [*_drift(facts), *_drift_within(facts)] if _measured_drift(facts) else [],
    }


def synths(facts: Facts) -> dict[str, Any]:
    """What `synths.html` shows."""
    shown = list(reversed(facts.synths))[:_MOST_SYNTHS]
    lead = "How many of a teacher's pairs were left after each filter, and what became of them."
    return {
        "lead": lead if shown else None,
        "shown": [
            {
                "run": one.run,
                "fate": _fate(one),
                "funnel": _funnel(one.run.note),
                "samples": _kept_and_dropped(one.run.samples),
            }
            for one in shown
        ],
        "rest": len(facts.synths) - len(shown),
        "dropped": _DROPPED,
    }


def rounds(facts: Facts) -> dict[str, Any]:
    """What `rounds.html` shows."""
    shown = list(reversed(facts.rounds))[:_MOST_ROUNDS]
    return {
        "lead": last_round(facts) or None,
        "shown": [
            (one, list(_scores(one)), _difference(one), _diversity(one), _state(one))
            for one in shown
        ],
        "rest": len(facts.rounds) - len(shown),
        "teachers": [
            [
                str(one.number),
                user(one.spec) + (" (serves now)" if one.number == facts.teacher else ""),
                when(one.at),
                user(one.why),
                f"{plain(one.score)} (n = {one.asked})" if one.score is not None else "–",
            ]
            for one in reversed(facts.teachers)
        ],
    }


def _lead(run: RunFacts) -> Markup:
    when_ = f"The last one began {when(run.started_at)} and "
    if run.outcome is RunOutcome.RUNNING:
        return Markup(f"{when_}is still under way.")
    lasted = f" after {duration(run.seconds)}" if run.seconds is not None else ""
    came = f"became {run.version}" if run.version else f"ended as {run.outcome.value}"
    why = user(run.why or "no reason is kept")
    return Markup("{}{}{}. Why it stopped: {}.").format(when_, came, lasted, why)


def _curves(runs: Sequence[RunFacts]) -> Iterator[dict[str, Any]]:
    signs = {"answers to learn": "◆", "held-out answers": "●"}
    drawable = [run for run in runs if len(run.losses) > 1]
    for run in reversed(drawable[-_CURVES:]):
        name = run.version or run.outcome.value
        measured = _measured(run.epochs)
        key = ["Line: loss of each step, smoothed. Across: steps."]
        key += [f"{signs[what]}\N{NO-BREAK SPACE}{what}." for what in measured]
        yield {
            "title": f"{name}: loss, nats a token",
            "chart": curve(f"Loss of {name}", run.losses, measured),
            "why": run.why,
            "key": " ".join(key),
        }


def _measured(epochs: Sequence[EpochFacts]) -> dict[str, list[tuple[float, float]]]:
    """What was measured after epochs, by name, at its step; only what was measured at all."""
    found: dict[str, list[tuple[float, float]]] = {"held-out answers": [], "answers to learn": []}
    for one in epochs:
        if one.step is not None and one.held_out_nll is not None:
            found["held-out answers"].append((one.step, one.held_out_nll))
        if one.step is not None and one.answer_nll is not None:
            found["answers to learn"].append((one.step, one.answer_nll))
    return {name: points for name, points in found.items() if points}


def _training(run: RunFacts) -> list[str]:
    return [
        when(run.started_at),
        run.version or "–",
        run.outcome.value,
        user(run.why),
        f"{run.steps:,}",
        duration(run.seconds) if run.seconds is not None else "–",
    ]


def _read(facts: Facts) -> dict[str, Any] | None:
    """What the last training read that says so."""
    run = next((run for run in reversed(facts.runs) if run.shares), None)
    if run is None:
        return None
    total = sum(one["tokens"] for one in run.shares) or 1
    parts = [
        (chr(ord("A") + index % 26), _source(str(one["source"])), one["tokens"] / total)
        for index, one in enumerate(run.shares)
    ]
    rows = [
        [letter, name, f"{one.get('rows', 0):,}", f"{one['tokens']:,}", percent(share)]
        for (letter, name, share), one in zip(parts, run.shares, strict=True)
    ]
    return {
        "parts": parts,
        "caption": f"Rows and tokens that {run.version or 'the run'} read over all epochs.",
        "rows": rows,
        "real": _real(run, facts.real_share),
    }


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


def _measured_drift(facts: Facts) -> list[Point]:
    points = [
        Point(one.name, one.card.figure("drift", "texts"), current=one.name == facts.current)
        for one in facts.versions
        if one.card is not None
    ]
    return [point for point in points if point.figure.value is not None][-40:]


def _drift(facts: Facts) -> Iterator[tuple[str, Chart, str]]:
    """Drift over versions, with its bound and a note."""
    points = _measured_drift(facts)
    bounds = [run.drift_bound for run in facts.runs if run.drift_bound is not None]
    bound = bounds[-1] if bounds else None
    kept = (
        f"A training that passes {plain(bound)} stops."
        if bound is not None
        else "No bound is on record: trainings of a fixed number of epochs have none."
    )
    chart = trend("Drift over versions", points, signed, low=0.0, bound=bound)
    last = points[-1]
    note = f"{last.name}: {signed(last.figure.value or 0.0)}, n = {last.figure.n} texts. {kept}"
    yield "Drift over versions", chart, note


def _drift_within(facts: Facts) -> Iterator[tuple[str, Chart, str]]:
    """Drift during the last training that measured it."""
    for run in reversed(facts.runs):
        found = [(one.epoch, one.drift) for one in run.epochs if one.drift is not None]
        if len(found) > 1:
            points = [Point(str(epoch), Figure(drift, 0)) for epoch, drift in found]
            name = run.version or run.outcome.value
            chart = trend(
                f"Drift while {name} trained", points, signed, low=0.0, bound=run.drift_bound
            )
            yield f"While {name} trained", chart, "Across: epochs, on fewer texts."
            return


def _funnel(note: Mapping[str, Any]) -> list[tuple[str, int]]:
    """How many candidates were left after each stage."""
    funnel = note.get("funnel")
    return [
        (_STAGES.get(str(stage), str(stage)), number)
        for stage, number in (funnel.items() if isinstance(funnel, Mapping) else ())
        if isinstance(number, int)
    ]


def _fate(synth: SynthFacts) -> str:
    planned = count(synth.run.planned, "pair")
    if synth.staged:
        return f"{synth.staged} of {planned} wait to be applied."
    if synth.standing:
        edited = f", {synth.edited} of them edited since" if synth.edited else ""
        return f"{synth.standing} of {planned} stand in the document{edited}."
    if synth.reverted_at:
        return f"Its {planned} were taken back {when(synth.reverted_at)}."
    if synth.applied_at:
        return f"Its {planned} were applied, and stand in the document no more."
    if not synth.run.planned:
        return "It kept none."
    return f"It kept {planned}, only shown or discarded since."


def _kept_and_dropped(samples: Sequence[Mapping[str, Any]]) -> list[list[Mapping[str, Any]]]:
    kept = [one for one in samples if not one.get("dropped")]
    dropped = [one for one in samples if one.get("dropped")]
    return [group for group in (kept, dropped) if group]


def _state(one: RoundFacts) -> Knowledge:
    return _STANDS.get(one.step, Knowledge.UNMEASURED)


def _scores(one: RoundFacts) -> Iterator[tuple[str, Figure]]:
    for who, score in one.scores.items():
        yield f"{who}: {plain(score.value or 0.0)} overall on the exam, n = {score.n}", score


def _difference(one: RoundFacts) -> str | None:
    figure = one.difference
    if figure is None:
        return None
    between = ""
    if figure.low is not None and figure.high is not None:
        between = f" ({signed(figure.low)} to {signed(figure.high)} with 90 % confidence)"
    odds = f", p = {one.p:.2g}" if one.p is not None else ""
    return f"Challenger minus champion: {signed(figure.value or 0.0)}{between}{odds}."


def _diversity(one: RoundFacts) -> str | None:
    if not one.diversity:
        return None
    names = {"distinct": "distinct-2", "overlap": "self-overlap", "types": "question types (bits)"}
    found = [(text, one.diversity[key]) for key, text in names.items() if key in one.diversity]
    told = [f"{text} {plain(value)}" for text, value in found]
    return f"Variety of what was written: {', '.join(told)}."
