"""The rounds of improvement with their verdicts, and every teacher that served."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from dlm.report.charts import meter
from dlm.report.facts import Facts, Knowledge, RoundFacts
from dlm.report.html import Html, join, tag, user
from dlm.report.parts.frame import chip, missing, part, table
from dlm.report.summary import last_round
from dlm.report.words import count, plain, signed, when
from dlm.store.rounds import Step

_MOST: Final = 12  # rounds that are told of
_STANDS: Final = {
    Step.PROMOTED.value: Knowledge.LEARNED,
    Step.REFUSED.value: Knowledge.NOT,
}


def rounds(facts: Facts) -> Html:
    """The part about `dlm improve`."""
    title = "Rounds of improvement, and teachers"
    told = list(reversed(facts.rounds))[:_MOST]
    rest = len(facts.rounds) - len(told)
    more = tag("p", f"{count(rest, 'earlier round')} not shown.", class_="soft") if rest else None
    cards = tag("div", [_round(one) for one in told], class_="grid")
    none = "No round of dlm improve is on record."
    shown = join(cards, more) if told else missing(none)
    return part("rounds", title, last_round(facts) or None, shown, _teachers(facts))


def _round(one: RoundFacts) -> Html:
    against = f"{one.champion} against {one.challenger or 'a challenger to come'}"
    new = f", {one.brings} more" if one.brings is not None else ""
    return tag(
        "div",
        tag(
            "div",
            tag("h3", user(one.name), style="flex:1"),
            chip(_STANDS.get(one.step, Knowledge.UNMEASURED), one.step),
            style="display:flex;gap:.6rem;align-items:baseline",
        ),
        tag(
            "p", when(one.started_at), ", written by ", user(one.teacher), f", {one.strategy}{new}"
        ),
        tag("p", against, class_="soft"),
        list(_scores(one)),
        _difference(one),
        _checks("Why not", one.reasons, "down"),
        _checks("What holds", one.met, "up"),
        _diversity(one),
        class_="card",
    )


def _scores(one: RoundFacts) -> Iterator[Html]:
    for who, figure in one.scores.items():
        value = plain(figure.value or 0.0)
        words = f"{who}: {value} overall on the exam, n = {figure.n}"
        yield tag("p", words, style="margin:.6rem 0 0")
        yield meter(figure, words)


def _difference(one: RoundFacts) -> Html | None:
    figure = one.difference
    if figure is None:
        return None
    between = ""
    if figure.low is not None and figure.high is not None:
        between = f" ({signed(figure.low)} to {signed(figure.high)} with 90 % confidence)"
    odds = f", p = {one.p:.2g}" if one.p is not None else ""
    text = f"Challenger minus champion: {signed(figure.value or 0.0)}{between}{odds}."
    return tag("p", text, class_="why")


def _checks(name: str, texts: Sequence[str], class_: str) -> Html | None:
    if not texts:
        return None
    items = [tag("li", user(text), class_=class_) for text in texts]
    return join(tag("h4", name), tag("ul", items, class_="gain"))


def _diversity(one: RoundFacts) -> Html | None:
    if not one.diversity:
        return None
    names = {"distinct": "distinct-2", "overlap": "self-overlap", "types": "question types (bits)"}
    told = [
        f"{words} {plain(one.diversity[key])}"
        for key, words in names.items()
        if key in one.diversity
    ]
    return tag("p", f"Variety of what was written: {', '.join(told)}.", class_="soft small")


def _teachers(facts: Facts) -> Html:
    heading = tag("h3", "Teachers", style="margin:2rem 0 .6rem;font-size:1.2rem")
    if not facts.teachers:
        text = "No teacher history: teachers are kept from the first dlm improve on."
        return join(heading, missing(text))
    rows = [
        [
            str(one.number),
            join(user(one.spec), " (serves now)" if one.number == facts.teacher else ""),
            when(one.at),
            user(one.why),
            f"{plain(one.score)} (n = {one.asked})" if one.score is not None else "–",
        ]
        for one in reversed(facts.teachers)
    ]
    head = ["no.", "teacher", "since", "why", "score on the exam"]
    return join(heading, table("Newest first.", head, rows, 1))
