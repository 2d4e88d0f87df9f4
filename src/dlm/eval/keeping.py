"""Scorecards in the store: kept with a version, and read back to compare with."""

from __future__ import annotations

from dlm.errors import CorruptStore
from dlm.eval.comparison import Comparison, compare
from dlm.eval.scorecard import Scorecard
from dlm.store.database import Database
from dlm.store.metrics import add_scorecard, scorecard_of
from dlm.store.records import Version
from dlm.store.store import Store


def keep(database: Database, number: int, card: Scorecard) -> None:
    """Keep the scorecard of a version; call it inside a transaction."""
    add_scorecard(database, number, card.to_json())


def kept(store: Store, version: Version, document_sha256: str | None = None) -> Scorecard | None:
    """The scorecard of a version on a document, or its latest; None when there is none.

    One that is damaged counts as none: it can be measured again.
    """
    try:
        data = scorecard_of(store.database, version.number, document_sha256)
        return None if data is None else Scorecard.from_json(data)
    except (CorruptStore, KeyError, TypeError, ValueError):
        return None


def with_current(store: Store, card: Scorecard) -> Comparison | None:
    """What a scorecard gained and lost against that of the current version, if it has one."""
    current = store.current()
    before = kept(store, current) if current else None
    return compare(current.name, before, card) if current and before else None


def with_earlier(store: Store, version: Version, card: Scorecard) -> Comparison | None:
    """The same against the nearest earlier version that has a scorecard."""
    for earlier in reversed(store.versions()):
        if earlier.number < version.number and (before := kept(store, earlier)):
            return compare(earlier.name, before, card)
    return None
