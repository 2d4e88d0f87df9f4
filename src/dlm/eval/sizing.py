"""How much is put to a version where time is short: a part of the sheet, in a fixed order.

The cost of a question is counted in tokens that a model reads; what it writes costs several times
as much. What was trained and what is sealed is asked whole, and one rewording of each pair scored,
since how far it is known is told by that. Of all else there is as much as there is room for, and at
least ten, from which a figure has an interval; which sections of prose, a hash of their words says.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from dlm.data.lessons import Lesson
from dlm.eval.answers import Kind
from dlm.eval.probes import Question, Sheet

WRITTEN: Final = 4
"""A token that is written costs as many as are read, several answers being written at once."""
_FEWEST: Final = 10
_WHOLE: Final = (Kind.TRAINED, Kind.EXAM, Kind.HELD_OUT)


@dataclass(frozen=True, slots=True)
class Costs:
    """What it takes, in tokens read, to measure a question, a text, a section of prose."""

    question: Callable[[Question], int]
    text: int
    prose: Callable[[Lesson], int]


@dataclass(slots=True)
class _Group:
    """Things of one kind, the most telling first, of which a beginning is measured."""

    members: Sequence[Any]
    cost: Callable[[Any], int]
    least: int
    taken: int = 0

    def next_cost(self) -> int | None:
        """What one more costs; None where there is none."""
        whole = self.taken == len(self.members)
        return None if whole else self.cost(self.members[self.taken])

    def chosen(self) -> Sequence[Any]:
        return self.members[: self.taken]


def sized(sheet: Sheet, tokens: int, costs: Costs) -> Sheet:
    """The part of a sheet that costs about `tokens`; the whole of it where that is enough."""
    reworded = [one for one in sheet.questions if one.kind is Kind.REWORDED]
    first = {one.lesson.id: one for one in reversed(reworded)}
    scored = [replace(one, asked=False) for one in first.values()]
    asked = _Group(
        [one for one in first.values() if one.asked],
        lambda one: costs.question(one) - costs.question(replace(one, asked=False)),
        _FEWEST,
    )
    others = [one for one in reworded if one is not first[one.lesson.id]]
    second = _Group(others, costs.question, 0)
    texts = _Group(range(sheet.texts), lambda _: costs.text, _FEWEST)
    general = [one for one in sheet.questions if one.kind is Kind.GENERAL]
    everyday = _Group(general, costs.question, _FEWEST)
    prose = _Group(sorted(sheet.prose, key=lambda one: one.id), costs.prose, _FEWEST)
    whole = [one for one in sheet.questions if one.kind in _WHOLE]
    room = tokens - sum(map(costs.question, (*whole, *scored)))
    _fill([asked, texts, everyday, prose, second], room)
    told = {*asked.chosen(), *whole, *everyday.chosen(), *second.chosen()}
    first_told = {one: one if one in told else replace(one, asked=False) for one in first.values()}
    measured = set(prose.chosen())
    return replace(
        sheet,
        questions=tuple(
            first_told.get(one, one) for one in sheet.questions if one in told or one in first_told
        ),
        prose=tuple(one for one in sheet.prose if one in measured),
        texts=texts.taken,
    )


def _fill(groups: Sequence[_Group], room: int) -> None:
    """Take the least of each group, and then from all in turn while there is room."""
    for group in groups:
        while group.taken < group.least and (cost := group.next_cost()) is not None:
            group.taken, room = group.taken + 1, room - cost
    waiting = list(groups)
    while waiting:
        for group in tuple(waiting):
            cost = group.next_cost()
            if cost is None or cost > room:
                waiting.remove(group)
            else:
                group.taken, room = group.taken + 1, room - cost
