"""What all parts share: the section with its heading, tables behind charts, chips for states."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from dlm.report.facts import Knowledge
from dlm.report.html import Child, Html, tag

_CHIPS: Final = {
    Knowledge.LEARNED: ("learned", "●"),
    Knowledge.PARTLY: ("partly", "◐"),
    Knowledge.NOT: ("not", "○"),
    Knowledge.UNMEASURED: ("none", "–"),
    Knowledge.ASKED: ("none", "?"),
    Knowledge.SILENT: ("none", "–"),
}


def part(name: str, title: str, lead: Child, *children: Child) -> Html:
    """A part of the page; `name` is what links lead to."""
    heading = tag("h2", title, id=f"{name}-title")
    first = tag("p", lead, class_="lead") if lead else None
    return tag(
        "section",
        heading,
        first,
        *children,
        id=name,
        class_="part",
        aria_labelledby=f"{name}-title",
    )


def table(
    caption: str, head: Sequence[str], rows: Sequence[Sequence[Child]], numbers: int = 0
) -> Html:
    """A table whose last `numbers` columns are numbers."""
    classes = [None] * (len(head) - numbers) + ["n"] * numbers
    first = [
        tag("th", name, scope="col", class_=class_)
        for name, class_ in zip(head, classes, strict=True)
    ]
    lines = [
        tag(
            "tr",
            [tag("td", cell, class_=class_) for cell, class_ in zip(row, classes, strict=True)],
        )
        for row in rows
    ]
    made = tag(
        "table", tag("caption", caption), tag("thead", tag("tr", first)), tag("tbody", lines)
    )
    return tag("div", made, class_="wide")


def behind(summary: str, *children: Child) -> Html:
    """What is shown when it is asked for."""
    return tag("details", tag("summary", summary), *children)


def figure(title: str, chart: Html, *caption: Child) -> Html:
    """A chart on a card under its heading."""
    below = tag("figcaption", *caption) if caption else None
    return tag("figure", tag("h3", title), chart, below, class_="card")


def chip(state: Knowledge, word: str | None = None) -> Html:
    """A state as a sign, a word and a colour."""
    class_, sign = _CHIPS[state]
    shown = tag("span", sign, aria_hidden="true")
    return tag("span", shown, word or state.value, class_=f"chip {class_}")


def state_class(state: Knowledge) -> str:
    """The class of a state in the style."""
    return _CHIPS[state][0]


def missing(text: Child) -> Html:
    """Says in words that there is nothing to show."""
    return tag("p", text, class_="card soft")


def code(text: str) -> Html:
    return tag("code", text)
