"""The learned map over the document's own text: each section and each question, and its state."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from dlm.data.examples import origin_of
from dlm.doc.document import Document
from dlm.doc.sections import Pair, PairRole, Section, SectionType
from dlm.eval.items import Item, Kind
from dlm.eval.learned_map import SectionState, State, item_states, learned_map
from dlm.eval.scorecard import Scorecard
from dlm.report.facts import Knowledge, PairFacts, SectionFacts

_STATES = {
    State.LEARNED: Knowledge.LEARNED,
    State.PARTLY: Knowledge.PARTLY,
    State.NOT: Knowledge.NOT,
}
_Judged = tuple[Item, Knowledge, float | None]


def sections_of(document: Document, card: Scorecard | None) -> tuple[SectionFacts, ...]:
    """Every section that holds something, in order; what `card` did not measure says so."""
    states = {one.section_id: one for one in learned_map(document, card)} if card else {}
    judged = {
        section_id: _judged(items) for section_id, items in _by_section(card).items() if section_id
    }
    found = [section for section in document.sections if section.content.strip()]
    return tuple(
        _section(number, section, states.get(section.section_id), judged)
        for number, section in enumerate(found, start=1)
    )


def _by_section(card: Scorecard | None) -> Mapping[str, list[Item]]:
    found: dict[str, list[Item]] = {}
    for item in card.items if card else ():
        found.setdefault(item.section_id, []).append(item)
    return found


def _judged(items: Iterable[Item]) -> dict[str, _Judged]:
    """What was measured of a section, by question; its prose by none."""
    own = list(items)
    found: dict[str, _Judged] = {
        item.question: (item, _STATES[state], known) for item, state, known in item_states(own)
    }
    for item in own:
        if item.kind in (Kind.EXAM, Kind.HELD_OUT) and item.said is not None:
            state = Knowledge.LEARNED if item.said.right else Knowledge.NOT
            found.setdefault(item.question, (item, state, None))
    return found


def _section(
    number: int,
    section: Section,
    measured: SectionState | None,
    judged: Mapping[str, Mapping[str, _Judged]],
) -> SectionFacts:
    answers = judged.get(section.section_id, {})
    pairs = tuple(_pair(pair, answers.get(pair.question)) for pair in section.pairs)
    return SectionFacts(
        number=number,
        type=section.type.value,
        line=section.line,
        name=section.name,
        opening=_opening(section),
        origin=origin_of(section),
        state=_STATES[measured.state] if measured else _unmeasured(section),
        known=measured.known if measured else None,
        text="" if pairs else _text(section),
        pairs=pairs,
    )


def _pair(pair: Pair, judged: _Judged | None) -> PairFacts:
    if judged is None:
        state = Knowledge.UNMEASURED
        return PairFacts(pair.line, pair.role.value, pair.question, pair.answer, state)
    item, state, known = judged
    said = item.said
    return PairFacts(
        line=pair.line,
        role="held out" if item.kind is Kind.HELD_OUT else pair.role.value,
        question=pair.question,
        answer=pair.answer,
        state=state,
        known=known,
        right=said.right if said else None,
        said=said.text if said else None,
    )


def _unmeasured(section: Section) -> Knowledge:
    if section.type not in (SectionType.PROSE, SectionType.INSTRUCTION):
        return Knowledge.SILENT
    if section.pairs and all(pair.role is PairRole.EXAM for pair in section.pairs):
        return Knowledge.ASKED
    return Knowledge.UNMEASURED


def _text(section: Section) -> str:
    """The text of a section without pairs; a preference as its three parts."""
    if not section.triples:
        return section.text.strip("\n")
    return "\n\n".join(
        f"Prompt: {one.prompt}\nChosen: {one.chosen}\nRejected: {one.rejected}"
        for one in section.triples
    )


def _opening(section: Section) -> str:
    """What a section is known by: its first question or prompt, or its first line of text."""
    asked = [pair.question for pair in section.pairs] + [each.prompt for each in section.triples]
    lines = (asked[0] if asked else section.text).strip().split("\n")
    return lines[0].strip().lstrip("#").strip()
