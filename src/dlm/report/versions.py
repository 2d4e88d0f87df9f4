"""Scores over versions with promotions and refusals, and what each version gained and lost."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dlm.eval.figures import Figure
from dlm.eval.items import Item, Kind
from dlm.report.charts import Point, trend
from dlm.report.facts import Change, Facts, VersionFacts
from dlm.report.html import Child, Html, behind, figure, join, missing, part, table, tag, user
from dlm.report.summary import helped
from dlm.report.words import count, hits, percent, plain, signed, when
from dlm.store.improving import Step
from dlm.store.metrics import RunOutcome

_SHOWN = 8  # questions of one kind in one change; the rest is counted
_LONG = 300  # characters of an answer
_MOST = 40  # versions in a chart

_CHARTS = (
    ("Overall", "overall", "overall"),
    ("Trained questions right", "recall", "right"),
    ("Unseen or reworded questions right", "generalisation", "right"),
    ("Coherent answers", "coherence", "coherence"),
)


def versions(facts: Facts) -> Html:
    """The part about versions."""
    title = "Did training help?"
    if not facts.versions:
        text = "There is no version yet, so there is nothing to compare."
        return part("versions", title, None, missing(text))
    return part(
        "versions",
        title,
        helped(facts),
        tag("div", list(_charts(facts)), class_="grid"),
        _key(facts),
        behind("The versions as a table", _table(facts)),
        _events(facts),
        _changes(facts.changes),
    )


def _charts(facts: Facts) -> Iterator[Html]:
    found = facts.versions[-_MOST:]
    for title, group, name in _CHARTS:
        points = [
            Point(v.name, _figure(v, group, name), _outcome(v, facts), v.current) for v in found
        ]
        if any(point.figure.value is not None for point in points):
            chart = trend(f"{title} over versions", points, _short, low=0.0, high=1.0)
            yield figure(title, chart, _counts(points))


def _outcome(version: VersionFacts, facts: Facts) -> str:
    """`promoted` by a round, `not promoted`, `rolled back`, or nothing special."""
    if not version.served:
        return "not promoted"
    if any(move.before == version.name and move.why.startswith("rollback") for move in facts.moves):
        return "rolled back"
    promoted = {one.challenger for one in facts.rounds if one.step == Step.PROMOTED}
    return "promoted" if version.name in promoted else ""


def _counts(points: Sequence[Point]) -> str:
    """What the newest point counts."""
    last = next(point for point in reversed(points) if point.figure.value is not None)
    return f"{last.name}: {_short(last.figure.value or 0.0)}, n = {last.figure.n}"


def _key(facts: Facts) -> Html:
    outcomes = {_outcome(version, facts) for version in facts.versions}
    signs = [
        ("▲", "promoted by a round", "promoted"),
        ("✕", "a challenger that was not promoted", "not promoted"),
        ("☐", "rolled back", "rolled back"),
    ]
    shown = [("◉", "answers now")]
    shown += [(sign, words) for sign, words, name in signs if name in outcomes]
    parts = [
        join(tag("span", sign, class_="key", aria_hidden="true"), f"\N{NO-BREAK SPACE}{words}. ")
        for sign, words in shown
    ]
    note = (
        "Bars are 90 % intervals. Each version was measured on the document as it was then, so "
        "new questions can lower a share; gained and lost below compare the same questions."
    )
    return tag("p", *parts, note, class_="soft small", style="margin-top:.8rem")


def _table(facts: Facts) -> Html:
    rows = [_row(version, facts) for version in reversed(facts.versions)]
    head = ["version", "made", "how", "stands", "overall", "trained", "unseen", "drift"]
    return table("Newest first; a share is followed by how many were asked.", head, rows, 4)


def _row(version: VersionFacts, facts: Facts) -> list[Child]:
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


def _events(facts: Facts) -> Html | None:
    """What moved the pointer besides training, and trainings that came to no version."""
    told = [
        (move.at, f"{move.why}: {move.before or 'nothing'} → {move.to}", "") for move in facts.moves
    ]
    told += [
        (run.started_at, f"training {run.outcome.value}", run.why)
        for run in facts.runs
        if run.outcome not in (RunOutcome.COMMITTED, RunOutcome.RUNNING)
    ]
    if not told:
        return None
    rows = [[when(at), what, user(why)] for at, what, why in sorted(told, reverse=True)]
    made = table("Newest first.", ["when", "what", "why"], rows)
    return behind("Rollbacks, promotions, and trainings that came to no version", made)


def _changes(changes: Sequence[Change]) -> Html:
    heading = tag("h3", "Questions gained and lost", style="margin:2rem 0 .6rem;font-size:1.2rem")
    if not changes:
        text = "Two versions with kept answers are needed to say what was gained and lost."
        return join(heading, missing(text))
    newest, *older = list(reversed(changes))
    shown = [tag("div", _change(newest), class_="card")]
    if older:
        cards = [
            tag("div", _change(change), class_="card", style="margin-top:.8rem") for change in older
        ]
        shown.append(behind(f"Earlier: {count(len(older), 'comparison')}", *cards))
    return join(heading, *shown)


def _change(change: Change) -> Html:
    compared = change.compared
    counts = (
        f"{len(compared.gained)} gained, {len(compared.lost)} lost of "
        f"{count(compared.both, 'question')} asked both times"
    )
    new = f"; {len(compared.learned)} new and right" if compared.learned else ""
    gone = f"; {compared.gone} no longer in the document" if compared.gone else ""
    items = [
        *_items("down", "Lost", compared.lost),
        *_items("up", "Gained", compared.gained),
        *_items("new", "New", compared.learned),
    ]
    return join(
        tag("h3", f"{change.version} after {compared.before}"),
        tag("p", f"{counts}{new}{gone}.", class_="soft", style="margin:0"),
        tag("ul", items, class_="gain") if items else None,
    )


def _items(class_: str, word: str, items: Sequence[Item]) -> Iterator[Html]:
    for item in items[:_SHOWN]:
        kind = {Kind.EXAM: ", exam", Kind.HELD_OUT: ", held out"}.get(item.kind, "")
        said = item.said.text if item.said else ""
        lines = [
            tag("b", f"{word}{kind}: "),
            user(item.question, _LONG),
            tag("span", f" line {item.line}", class_="soft small"),
        ]
        if class_ == "down":
            lines += [
                tag("p", tag("b", "Answer: "), user(item.reference, _LONG), class_="qa"),
                tag("p", tag("b", "It says now: "), user(said or "nothing", _LONG), class_="qa"),
            ]
        yield tag("li", *lines, class_=class_)
    if len(items) > _SHOWN:
        yield tag("li", f"{word}: {len(items) - _SHOWN} more", class_=class_)


def _figure(version: VersionFacts, group: str, name: str) -> Figure:
    return version.card.figure(group, name) if version.card else Figure.absent("not measured")


def _cell(figure: Figure, show: object) -> str:
    return "–" if figure.value is None or not callable(show) else str(show(figure.value))


def _counted(figure: Figure) -> str:
    return "–" if figure.value is None else f"{hits(figure)}/{figure.n}"


def _short(value: float) -> str:
    return percent(value)
