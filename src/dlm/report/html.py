"""Elements of HTML and SVG as text, and what all parts of the page are made of.

Whatever is not `Html` already is escaped on the way in.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from html import escape
from typing import Final, TypeAlias

from dlm.report.facts import Knowledge

# What HTML cannot hold, or what would reorder the text around it on the page.
_NO_CHARACTER: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_EMPTY: Final = frozenset({"meta", "br", "hr", "link", "col"})


_CHIPS: Final = {
    Knowledge.LEARNED: ("learned", "●"),
    Knowledge.PARTLY: ("partly", "◐"),
    Knowledge.NOT: ("not", "○"),
    Knowledge.UNMEASURED: ("none", "–"),
    Knowledge.ASKED: ("none", "?"),
    Knowledge.SILENT: ("none", "–"),
}


class Html(str):
    """Markup that is safe as it stands."""

    __slots__ = ()

    def __html__(self) -> str:
        """Tells a template not to escape it again."""
        return self


Child: TypeAlias = "str | int | Iterable[Child] | None"
Attribute: TypeAlias = "str | int | float | bool | None"


def tag(name: str, /, *children: Child, **attributes: Attribute) -> Html:
    """An element. `class_` is the attribute class, `aria_label` aria-label; None leaves one out."""
    opening = f"<{name}{''.join(_attribute(*pair) for pair in attributes.items())}>"
    if name in _EMPTY:
        return Html(opening)
    return Html(f"{opening}{join(*children)}</{name}>")


def join(*children: Child) -> Html:
    """Children one after the other, text among them escaped."""
    return Html("".join(_text(child) for child in children))


def raw(text: str) -> Html:
    """Markup of our own; never of a user."""
    return Html(text)


def user(text: str, most: int | None = None) -> Html:
    """A text that others wrote, inline: it has its own direction and disturbs nothing around it."""
    line = " ".join(text.split())
    return tag("bdi", line if most is None or len(line) <= most else f"{line[: most - 1]}…")


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


def _text(child: Child) -> str:
    if child is None:
        return ""
    if isinstance(child, Html):
        return child
    if isinstance(child, str | int):
        return clean(str(child))
    return "".join(_text(one) for one in child)


def _attribute(name: str, value: Attribute) -> str:
    if value is None or value is False:
        return ""
    plain = name.rstrip("_").replace("_", "-")
    if value is True:
        return f" {plain}"
    shown = f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
    return f' {plain}="{clean(shown)}"'


def clean(text: str) -> str:
    """Escaped, with what is no character replaced by the sign for that."""
    return escape(_NO_CHARACTER.sub("�", text))
