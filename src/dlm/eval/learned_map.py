"""The learned map: for each section that teaches, whether its version has learned it.

A pair is learned when its answer is right and its reworded questions carry at least half of the
way from the base's loss to none. The bounds stand in `docs/evaluation.md`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from dlm.doc.document import Document
from dlm.doc.sections import Section
from dlm.eval.answers import Item, Kind
from dlm.eval.scorecard import Scorecard, known_shares

_LEARNED, _PARTLY = 0.5, 0.1  # of the way from the base's loss to none


class State(StrEnum):
    LEARNED = "learned"
    PARTLY = "partly"
    NOT = "not learned"


@dataclass(frozen=True, slots=True)
class SectionState:
    """What is known of one section: `known` in 0..1, `right` of `pairs` answers; prose has none."""

    section_id: str
    type: str
    line: int
    opening: str
    state: State
    known: float
    right: int
    pairs: int

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def learned_map(document: Document, card: Scorecard) -> tuple[SectionState, ...]:
    """The sections that were measured, in the order of the document.

    `card` must have been measured on this document; sections that only ask are left out.
    """
    by_section: dict[str, list[Item]] = {}
    for item in card.of(Kind.TRAINED, Kind.REWORDED, Kind.PROSE):
        by_section.setdefault(item.section_id, []).append(item)
    return tuple(
        _state(section, by_section[section.section_id])
        for section in document.sections
        if section.section_id in by_section
    )


def item_states(items: Sequence[Item]) -> Iterator[tuple[Item, State, float]]:
    """Each pair or piece of prose of one section, with how much of it is known.

    `items` are all of the section, rewordings too.
    """
    taught = [item for item in items if item.kind in (Kind.TRAINED, Kind.PROSE)]
    rewordings = [item for item in items if item.kind is Kind.REWORDED]
    for item, known in zip(taught, known_shares([*taught, *rewordings]), strict=True):
        yield item, _item_state(item, known), known


def _state(section: Section, items: Sequence[Item]) -> SectionState:
    states = [state for _, state, _ in item_states(items)]
    pairs = [item for item in items if item.kind is Kind.TRAINED]
    known = known_shares(items)
    return SectionState(
        section_id=section.section_id,
        type=section.type.value,
        line=section.line,
        opening=_opening(section),
        state=states[0] if len(set(states)) == 1 else State.PARTLY,
        known=sum(known) / len(known),
        right=sum(map(_right, pairs)),
        pairs=len(pairs),
    )


def _item_state(item: Item, known: float) -> State:
    if item.kind is Kind.PROSE:
        return _of_prose(known)
    if _right(item):
        return State.LEARNED if known >= _LEARNED else State.PARTLY
    return State.PARTLY if item.fit.known >= _LEARNED else State.NOT


def _of_prose(known: float) -> State:
    if known >= _LEARNED:
        return State.LEARNED
    return State.PARTLY if known >= _PARTLY else State.NOT


def _right(item: Item) -> bool:
    """Right when asked; pairs that were not asked must be predicted token for token."""
    return item.said.right if item.said else item.fit.exact


def _opening(section: Section) -> str:
    """The first question, or the first line of prose."""
    if section.pairs:
        return section.pairs[0].question.split("\n")[0]
    return next((line.strip() for line in section.text.split("\n") if line.strip()), "")
