"""Elements of HTML and SVG as text. Whatever is not `Html` already is escaped on the way in."""

from __future__ import annotations

import re
from collections.abc import Iterable
from html import escape
from typing import Final, TypeAlias

# What HTML cannot hold, or what would reorder the text around it on the page.
_NO_CHARACTER: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_EMPTY: Final = frozenset({"meta", "br", "hr", "link", "col"})


class Html(str):
    """Markup that is safe as it stands."""

    __slots__ = ()


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
