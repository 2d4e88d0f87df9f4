"""Everything the report tells, read from a document and its store. Loads no model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from dlm.doc.document import Document
from dlm.errors import CorruptStore
from dlm.eval.comparison import compare
from dlm.eval.keeping import kept
from dlm.eval.scorecard import Scorecard
from dlm.report.facts import Change, Facts, Move, VersionFacts
from dlm.report.gather_history import rounds_of, runs_of, synths_of
from dlm.report.gather_map import sections_of
from dlm.store import improving, metrics
from dlm.store.metrics import latest_scorecards
from dlm.store.records import PointerMove, Version, version_name
from dlm.store.store import Store

COMPARED = 12
"""How many of the newest versions are compared question by question."""


def gather(document: Document, store: Store | None) -> Facts:
    """What is known of the document; without a store, that nothing is."""
    current = store.current() if store else None
    card, fits = _card(store, current, document) if store and current else (None, False)
    path = document.path
    facts = Facts(
        document=str(path or "the document"),
        title=path.name if path else "the document",
        dlm_id=document.frontmatter.dlm_id,
        base=document.frontmatter.base_model,
        made_at=datetime.now(UTC).replace(microsecond=0),
        current=current.name if current else None,
        card=card,
        fits=fits,
        sections=sections_of(document, card),
        real_share=document.frontmatter.training.real_share,
    )
    return _with_history(facts, document, store) if store else facts


def _with_history(facts: Facts, document: Document, store: Store) -> Facts:
    serving = improving.serving(store.database)
    return replace(
        facts,
        versions=tuple(_versions(store)),
        changes=tuple(_changes(store)),
        runs=runs_of(store),
        moves=tuple(_moves(store)),
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


def _moves(store: Store) -> Iterator[Move]:
    for move in store.pointer_moves():
        if move.why != "commit":
            yield Move(move.at, move.from_version, move.to_version, move.why)
