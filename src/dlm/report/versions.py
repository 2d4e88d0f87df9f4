"""Scores over versions with promotions and refusals, and what each version gained and lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from dlm.eval.answers import Item, Kind
from dlm.eval.figures import Figure
from dlm.report.charts import Chart, Point, trend
from dlm.report.facts import Change, Facts, VersionFacts
from dlm.report.summary import helped
from dlm.report.words import percent, plain, signed, user, when
from dlm.store.improving import Step
from dlm.store.metrics import RunOutcome
from dlm.text.words import count

_SHOWN = 8  # questions of one kind in one change; the rest is counted
_MOST = 40  # versions in a chart

_CHARTS = (
    ("Overall", "overall", "overall"),
    ("Trained questions right", "recall", "right"),
    ("Unseen or reworded questions right", "generalisation", "right"),
    ("Trained questions right, notes open", "open", "recall"),
    ("Unseen or reworded questions right, notes open", "open", "generalisation"),
    ("Coherent answers", "coherence", "coherence"),
)


def versions(facts: Facts) -> dict[str, Any]:
    """What `versions.html` shows."""
    return {
        "lead": helped(facts) if facts.versions else None,
        "charts": list(_charts(facts)),
        "signs": _signs(facts),
        "rows": [_row(version, facts) for version in reversed(facts.versions)],
        "events": _events(facts),
        "changes": [_change(change) for change in reversed(facts.changes)],
    }


def _charts(facts: Facts) -> Iterator[tuple[str, Chart, str]]:
    """Each chart with its title, and what its newest point counts."""
    found = facts.versions[-_MOST:]
    for title, group, name in _CHARTS:
        points = [
            Point(v.name, _figure(v, group, name), _outcome(v, facts), v.current) for v in found
        ]
        measured = [point for point in points if point.figure.value is not None]
        if measured:
            chart = trend(f"{title} over versions", points, percent, low=0.0, high=1.0)
            last = measured[-1]
            counts = f"{last.name}: {percent(last.figure.value or 0.0)}, n = {last.figure.n}"
            yield title, chart, counts


def _outcome(version: VersionFacts, facts: Facts) -> str:
    """`promoted` by a round, `not promoted`, `rolled back`, or nothing special."""
    if not version.served:
        return "not promoted"
    if any(
        move.from_version == version.name and move.why.startswith("rollback")
        for move in facts.moves
    ):
        return "rolled back"
    promoted = {one.challenger for one in facts.rounds if one.step == Step.PROMOTED}
    return "promoted" if version.name in promoted else ""


def _signs(facts: Facts) -> list[tuple[str, str]]:
    outcomes = {_outcome(version, facts) for version in facts.versions}
    signs = [
        ("▲", "promoted by a round", "promoted"),
        ("✕", "a challenger that was not promoted", "not promoted"),
        ("☐", "rolled back", "rolled back"),
    ]
    shown = [("◉", "answers now")]
    return shown + [(sign, words) for sign, words, name in signs if name in outcomes]


def _row(version: VersionFacts, facts: Facts) -> list[str]:
    how = {"fresh": "from the base", "continue": f"continued {version.parent or 'the one before'}"}
    now = ["answers now"] if version.current else []
    now += [outcome] if (outcome := _outcome(version, facts)) else []
    now += [] if version.stands else ["pruned"]
    return [
        version.name,
        when(version.made_at),
        how.get(version.mode or "", version.mode or "not known"),
        ", ".join(now) or "kept",
        _cell(_figure(version, "overall", "overall"), plain),
        _counted(_figure(version, "recall", "right")),
        _counted(_figure(version, "generalisation", "right")),
        _cell(_figure(version, "drift", "texts"), signed),
    ]


def _events(facts: Facts) -> list[list[str]]:
    """What moved the pointer besides training, and trainings that came to no version."""
    told = [
        (move.at, f"{move.why}: {move.from_version or 'nothing'} → {move.to_version}", "")
        for move in facts.moves
    ]
    told += [
        (run.started_at, f"training {run.outcome.value}", run.why)
        for run in facts.runs
        if run.outcome not in (RunOutcome.COMMITTED, RunOutcome.RUNNING)
    ]
    return [[when(at), what, user(why)] for at, what, why in sorted(told, reverse=True)]


def _change(change: Change) -> dict[str, Any]:
    compared = change.compared
    counts = (
        f"{len(compared.gained)} gained, {len(compared.lost)} lost of "
        f"{count(compared.both, 'question')} asked both times"
    )
    new = f"; {len(compared.learned)} new and right" if compared.learned else ""
    gone = f"; {compared.gone} no longer in the document" if compared.gone else ""
    return {
        "title": f"{change.version} after {compared.before}",
        "counts": f"{counts}{new}{gone}",
        "questions": [
            *_items("down", "Lost", compared.lost),
            *_items("up", "Gained", compared.gained),
            *_items("new", "New", compared.learned),
        ],
    }


def _items(class_: str, word: str, items: Sequence[Item]) -> Iterator[dict[str, Any]]:
    for item in items[:_SHOWN]:
        kind = {Kind.EXAM: ", exam", Kind.HELD_OUT: ", held out"}.get(item.kind, "")
        shown = {"class": class_, "word": word + kind, "question": item.question, "line": item.line}
        if class_ == "down":
            said = item.said.text if item.said else ""
            shown |= {"answer": item.reference, "said": said or "nothing"}
        yield {"more": 0, **shown}
    if len(items) > _SHOWN:
        yield {"class": class_, "word": word, "more": len(items) - _SHOWN}


def _figure(version: VersionFacts, group: str, name: str) -> Figure:
    return version.card.figure(group, name) if version.card else Figure.absent("not measured")


def _cell(figure: Figure, show: Callable[[float], str]) -> str:
    return "–" if figure.value is None else show(figure.value)


def _counted(figure: Figure) -> str:
    return "–" if figure.value is None else f"{figure.hits}/{figure.n}"
