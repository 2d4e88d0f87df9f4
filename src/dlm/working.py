"""How work that takes a while tells how far it is. Who shows it, and how, is not known here."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final, TypeVar

Tell = Callable[[str, int, int], None]
"""Called with what is being done, how many are done, and of how many; at the end with all of them.
It is called often: showing it rarely is the business of who shows it."""

_T = TypeVar("_T")
_EVERY: Final = 64


def untold(what: str, done: int, of: int) -> None:
    """For work that nobody watches."""


def part(tell: Tell, before: int, of: int) -> Tell:
    """For a part of what is told of as a whole: so many were done `before` it, `of` so many."""
    return lambda what, done, _: tell(what, before + done, of)


def told(what: str, items: Sequence[_T], tell: Tell, *, every: int = _EVERY) -> Iterator[_T]:
    """The items one by one, telling after `every` so many how many were gone through."""
    for done, item in enumerate(items):
        if done % every == 0:
            tell(what, done, len(items))
        yield item
    tell(what, len(items), len(items))
