"""The figures of the version that answers, each with what it means, its n and its interval."""

from __future__ import annotations

from collections.abc import Iterator

from dlm.eval.figures import Figure
from dlm.eval.items import Kind
from dlm.eval.scorecard import Scorecard
from dlm.report.charts import meter
from dlm.report.facts import Facts
from dlm.report.html import Html, behind, missing, part, table, tag
from dlm.report.words import between, hits, percent, plain, signed, when


def overview(facts: Facts) -> Html:
    """The part with the figures."""
    if facts.card is None:
        text = (
            f"{facts.current} was never measured: dlm eval measures it."
            if facts.current
            else "There are no figures: nothing was trained yet."
        )
        return part("figures", "The figures", None, missing(text))
    lead = f"Of {facts.current}, measured {when(facts.card.measured_at)}."
    tiles = tag("div", list(_tiles(facts.card)), class_="grid tiles")
    return part("figures", "The figures", lead, tiles, behind("All figures", _all(facts.card)))


def _tiles(card: Scorecard) -> Iterator[Html]:
    recall = card.figure("recall", "right")
    yield _share("Trained on", recall, "right, of those it was trained on")
    unseen = card.figure("generalisation", "right")
    exam = card.of(Kind.EXAM, Kind.HELD_OUT)
    if exam or unseen.value is None:
        note = "right, of questions it never saw"
        yield _share("Exam", unseen, note, "there is no exam: mark pairs with !exam")
    else:
        yield _share("Other wordings", unseen, "right, reworded by rule: this is no exam")
    probes = card.figure("probes", "right")
    if probes.n:
        yield _share("Probes", probes, "right, of the pairs marked !probe")
    yield _overall(card)
    yield _drift(card)


def _share(name: str, figure: Figure, note: str, why_none: str | None = None) -> Html:
    if figure.value is None:
        return _tile(name, "–", None, why_none or figure.note or "not measured")
    value = f"{hits(figure)} of {figure.n}"
    words = f"{note}; {between(figure, percent)}"
    return _tile(name, value, meter(figure, f"{name}: {value}, {between(figure, percent)}"), words)


def _overall(card: Scorecard) -> Html:
    figure = card.figure("overall", "overall")
    if figure.value is None:
        return _tile("Overall", "–", None, figure.note)
    parts = ", ".join(
        f"{name} {plain(part.value)}"
        for name in ("accuracy", "coherence", "knowledge")
        if (part := card.figure("overall", name)).value is not None
    )
    return _tile(
        "Overall", plain(figure.value), meter(figure, f"Overall: {plain(figure.value)}"), parts
    )


def _drift(card: Scorecard) -> Html:
    figure = card.figure("drift", "texts")
    if figure.value is None:
        return _tile("Drift", "–", None, figure.note or "not measured")
    note = f"nats a token on {figure.n} general texts; 0 is no change; {between(figure, signed)}"
    return _tile("Drift", signed(figure.value), None, note)


def _tile(name: str, value: str, drawn: Html | None, note: str) -> Html:
    return tag(
        "div",
        tag("p", name, class_="name"),
        tag("p", value, class_="value"),
        drawn,
        tag("p", note, class_="note"),
        class_="card tile",
    )


def _all(card: Scorecard) -> Html:
    rows = [
        [f"{group} · {name.replace('_', ' ')}", *_cells(figure)]
        for group, named in card.figures.items()
        for name, figure in named.items()
    ]
    head = ["figure", "note", "value", "90 % interval", "n"]
    return table(
        "Every figure of the scorecard; docs/evaluation.md says how each is made.", head, rows, 3
    )


def _cells(figure: Figure) -> list[str]:
    if figure.value is None:
        return [figure.note, "–", "–", "–"]
    interval = "–"
    if figure.low is not None and figure.high is not None:
        interval = f"{_number(figure.low)} … {_number(figure.high)}"
    return [figure.note, _number(figure.value), interval, str(figure.n)]


def _number(value: float) -> str:
    return f"{value:.3f}".replace("-", "−")
