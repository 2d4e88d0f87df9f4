"""A scorecard, and what it gained and lost, as lines that a newcomer understands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dlm.cli.common import count

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from dlm.eval.comparison import Comparison
    from dlm.eval.figures import Figure
    from dlm.eval.items import Item
    from dlm.eval.scorecard import Scorecard

_SHOWN = 10  # questions of one kind; the rest is counted


def figure_rows(card: Scorecard, compared: Comparison | None) -> dict[str, str]:
    """Aligned `name  value` rows for `print_table`."""
    rows = dict(_rows(card))
    if compared is not None:
        rows[f"since {compared.before}"] = _change(compared)
    return rows


def print_questions(card: Scorecard, compared: Comparison | None, path: object) -> None:
    """The questions that matter: those lost since, and those that are not answered."""
    from dlm.eval.items import Kind

    lost = list(compared.lost) if compared else []
    _print_group("lost", lost)
    named = {(item.line, item.question) for item in lost}
    asked = [item for item in card.of(Kind.TRAINED) if item.said and not item.said.right]
    open_ = [item for item in asked if (item.line, item.question) not in named]
    _print_group("not learned yet", open_)
    for kind, name in ((Kind.HELD_OUT, "held out"), (Kind.EXAM, "exam")):
        unseen = [item for item in card.of(kind) if item.said and not item.said.right]
        _print_group(name, [i for i in unseen if (i.line, i.question) not in named])
    if compared and lost:
        print(f"  to go back: dlm rollback {path} {compared.before}")


def _rows(card: Scorecard) -> Iterator[tuple[str, str]]:
    from dlm.eval.items import Kind

    trained = card.of(Kind.TRAINED)
    if trained:
        exact = sum(item.fit.exact for item in trained)
        text = f"{exact} of {count(len(trained), 'answer')} word for word"
        recall = card.figure("recall", "right")
        if recall.n < len(trained) or recall.value != exact / len(trained):
            text += f"; asked {recall.n}, {_hits(recall)} right"
        yield "learned", text
    for kind, name in (
        (Kind.HELD_OUT, "held out"),
        (Kind.EXAM, "exam"),
        (Kind.REWORDED, "reworded"),
    ):
        said = [item.said for item in card.of(kind) if item.said]
        if said:
            right = f"{sum(one.right for one in said)} of {len(said)} right"
            yield name, right + _why(card, name)
    probes = card.figure("probes", "right")
    if probes.n:
        yield "probes", f"{_hits(probes)} of {probes.n} right"
    yield from _text_rows(card)
    yield from _verdict_rows(card)


def _text_rows(card: Scorecard) -> Iterator[tuple[str, str]]:
    prose, base = card.figure("prose", "perplexity"), card.figure("prose", "base_perplexity")
    if prose.value is not None and base.value is not None:
        change = f"perplexity {base.value:.1f} → {prose.value:.1f}"
        yield "prose", f"{change} (measured on the training text)"
    drift = card.figure("drift", "texts")
    if drift.value is not None:
        between = _between(drift, lambda value: f"{value:+.2f}")
        text = f"{drift.value:+.2f} nats a token on {drift.n} general texts{between}"
        asked = card.figure("drift", "questions")
        yield "drift", f"{text}; {asked.value or 0.0:+.2f} on {asked.n} everyday questions"
    worse, spilled = card.figure("drift", "worse"), card.figure("drift", "spilled")
    if worse.value is not None:
        text = f"{_hits(worse)} of {worse.n} everyday questions answered worse than by the base"
        yield "general", text + f", {_hits(spilled)} with an answer from the document"


def _verdict_rows(card: Scorecard) -> Iterator[tuple[str, str]]:
    coherence = card.figure("coherence", "coherence")
    if coherence.value is not None:
        between = _between(coherence, lambda value: f"{value:.2f}")
        yield "coherence", f"{coherence.value:.2f} over {coherence.n} answers{between}"
    overall = card.figure("overall", "overall")
    parts = [
        f"{name} {figure.value:.2f}"
        for name in ("accuracy", "coherence", "knowledge")
        if (figure := card.figure("overall", name)).value is not None
    ]
    text = "not measured" if overall.value is None else f"{overall.value:.2f}"
    why = overall.note if overall.value is None else ", ".join(parts)
    yield "overall", f"{text} ({why})"


def _why(card: Scorecard, name: str) -> str:
    figure = card.figure("generalisation", "right")
    between = _between(figure, lambda value: f"{value:.0%}")
    return f" (by rule, not an exam){between}" if name == "reworded" else " (never trained)"


def _change(compared: Comparison) -> str:
    parts = [f"gained {len(compared.gained)}"]
    if compared.learned:
        parts.append(f"{len(compared.learned)} new")
    parts.append(f"lost {len(compared.lost)}")
    if compared.gone:
        parts.append(f"{compared.gone} no longer in the document")
    return ", ".join(parts)


def _print_group(name: str, items: Sequence[Item]) -> None:
    for item in items[:_SHOWN]:
        answer = item.said.text[:200] if item.said else ""
        print(f"  {name}, line {item.line}: {item.question}")
        print(f"    expected {item.reference[:200]}")
        print(f"    answers  {answer}")
    if len(items) > _SHOWN:
        print(f"  {name}: {len(items) - _SHOWN} more")


def _hits(figure: Figure) -> int:
    return round((figure.value or 0.0) * figure.n)


def _between(figure: Figure, show: Callable[[float], str]) -> str:
    if figure.low is None or figure.high is None:
        return ""
    return f", 90 % between {show(figure.low)} and {show(figure.high)}"
