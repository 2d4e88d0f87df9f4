"""Everything the report tells, read from a document and its store. Loads no model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from dlm.data.lessons import origin_of
from dlm.doc.document import Document
from dlm.doc.sections import Pair, PairRole, Section, SectionType
from dlm.errors import CorruptStore
from dlm.eval.answers import Item, Kind
from dlm.eval.comparison import compare, kept
from dlm.eval.learned_map import SectionState, State, item_states, learned_map
from dlm.eval.scorecard import Scorecard
from dlm.report.facts import (
    Change,
    Facts,
    Knowledge,
    PairFacts,
    SectionFacts,
    VersionFacts,
)
from dlm.report.gather_history import rounds_of, runs_of, synths_of
from dlm.store import improving, metrics
from dlm.store.metrics import latest_scorecards
from dlm.store.records import PointerMove, Version, version_name
from dlm.store.store import Store

COMPARED = 12
"""How many of the newest versions are compared question by question."""


_STATES = {
    State.LEARNED: Knowledge.LEARNED,
    State.PARTLY: Knowledge.PARTLY,
    State.NOT: Knowledge.NOT,
}
_Judged = tuple[Item, Knowledge, float | None]


def gather(document: Document, store: Store | None) -> Facts:
    """What is known of the document and its history; without a store, that nothing is."""
    facts = known(document, store)
    return _with_history(facts, document, store) if store else facts


def known(document: Document, store: Store | None, version: Version | None = None) -> Facts:
    """What the current version knows of each section, or `version`, without any history."""
    current = store.current() if store else None
    asked = version or current
    card, fits = _card(store, asked, document) if store and asked else (None, False)
    path = document.path
    return Facts(
        document=str(path or "the document"),
        title=path.name if path else "the document",
        dlm_id=document.frontmatter.dlm_id,
        base=document.frontmatter.base_model,
        made_at=datetime.now(UTC).replace(microsecond=0),
        current=current.name if current else None,
        card=card,
        fits=fits,
        sections=_sections(document, card),
        real_share=document.frontmatter.training.real_share,
    )


def _with_history(facts: Facts, document: Document, store: Store) -> Facts:
    serving = improving.serving(store.database)
    return replace(
        facts,
        versions=tuple(_versions(store)),
        changes=tuple(_changes(store)),
        runs=runs_of(store),
        moves=tuple(move for move in store.pointer_moves() if move.why != "commit"),
        synths=synths_of(document, store),
        rounds=rounds_of(store.database),
        teachers=improving.teachers(store.database),
        teacher=serving.number if serving else None,
    )


def _card(store: Store, current: Version, document: Document) -> tuple[Scorecard | None, bool]:
    """The scorecard on the text of today, else the latest; and whether it is the former."""
    exact = kept(store, current, document.sha256)
    return (exact, True) if exact else (kept(store, current), False)


def _versions(store: Store) -> Iterator[VersionFacts]:
    """Every version that stands or was measured, oldest first."""
    standing = {version.number: version for version in store.versions()}
    measured = _measured(store)
    current = store.current()
    served = {move.to_version for move in store.pointer_moves()}
    trained = {run.version: run for run in metrics.runs(store.database) if run.version}
    for number in sorted(standing.keys() | measured.keys()):
        name = version_name(number)
        version = standing.get(number)
        card, asked = measured.get(number, (None, False))
        run = trained.get(name)
        ended = run.ended_at if run else None
        made_at = version.created_at if version else ended or (card.measured_at if card else None)
        if made_at is None:
            continue
        mode = store.run_of(version).mode if version else run.mode if run else None
        yield VersionFacts(
            name=name,
            made_at=made_at,
            mode=mode,
            parent=version.parent if version else None,
            served=name in served,
            stands=version is not None,
            current=current is not None and current.number == number,
            card=card,
            items=asked,
        )


def _measured(store: Store) -> dict[int, tuple[Scorecard | None, bool]]:
    """The figures of every version; one that is damaged counts as never measured."""
    found: dict[int, tuple[Scorecard | None, bool]] = {}
    try:
        cards = latest_scorecards(store.database)
    except CorruptStore:
        return found
    for number, (data, asked) in cards.items():
        try:
            found[number] = Scorecard.from_json(data), asked
        except (KeyError, TypeError, ValueError):
            continue
    return found


def _changes(store: Store) -> Iterator[Change]:
    """Each of the newest versions against the one that was current when it was made."""
    moves = store.pointer_moves()
    cards: dict[str, Scorecard] = {}
    for version in store.versions()[-COMPARED:]:
        card = kept(store, version)
        if card is None or not card.items:
            continue
        before = _before(version, moves)
        if cards:
            name = before if before in cards else next(reversed(cards))
            yield Change(version.name, compare(name, cards[name], card))
        cards[version.name] = card


def _before(version: Version, moves: Sequence[PointerMove]) -> str | None:
    """The version that answered before this one, or beside it where it never answered."""
    for move in moves:
        if move.to_version == version.name:
            return move.from_version
    earlier = [move.to_version for move in moves if move.at <= version.created_at]
    return earlier[-1] if earlier else None


def _sections(document: Document, card: Scorecard | None) -> tuple[SectionFacts, ...]:
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
    said, opened = item.said, item.opened
    return PairFacts(
        line=pair.line,
        role="held out" if item.kind is Kind.HELD_OUT else pair.role.value,
        question=pair.question,
        answer=pair.answer,
        state=state,
        known=known,
        right=said.right if said else None,
        said=said.text if said else None,
        opened=opened.text if opened and not opened.right else None,
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
