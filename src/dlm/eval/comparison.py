"""Scorecards of versions: kept in the store, and compared question by question.

Questions are matched by their text, so edits elsewhere do not matter; one whose reference changed
is a new question.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from dlm.errors import CorruptStore
from dlm.eval.answers import Item, Kind
from dlm.eval.figures import Figure
from dlm.eval.scorecard import Scorecard
from dlm.store.database import Database
from dlm.store.metrics import add_scorecard, scorecard_of
from dlm.store.records import Version
from dlm.store.store import Store

_DOCUMENT = (Kind.TRAINED, Kind.HELD_OUT, Kind.EXAM)


@dataclass(frozen=True, slots=True)
class Comparison:
    """`gained`: wrong before, right now. `learned`: not asked before, right now. `lost`: right
    before, wrong now. `gone`: known before and no longer in the document, so not asked. `both` is
    how many questions were asked both times.
    """

    before: str
    gained: tuple[Item, ...]
    learned: tuple[Item, ...]
    lost: tuple[Item, ...]
    gone: int
    figures: tuple[tuple[str, str, Figure, Figure], ...]
    both: int

    def to_json(self) -> dict[str, Any]:
        return {
            "before": self.before,
            "gained": [_brief(item) for item in self.gained],
            "learned": [_brief(item) for item in self.learned],
            "lost": [_brief(item) for item in self.lost],
            "gone": self.gone,
            "both": self.both,
            "figures": {
                f"{group}.{name}": {"before": old.value, "now": new.value}
                for group, name, old, new in self.figures
            },
        }


def compare(name: str, before: Scorecard, now: Scorecard) -> Comparison:
    """What `now` gained and lost against `before`, the scorecard of the version `name`."""
    old, new = _answers(before), _answers(now)
    shared = [key for key in new if key in old]
    asked_before, asked_now = _keys(before), _keys(now)
    return Comparison(
        before=name,
        gained=tuple(new[key] for key in shared if _right(new[key]) and not _right(old[key])),
        learned=tuple(i for key, i in new.items() if key not in asked_before and _right(i)),
        lost=tuple(new[key] for key in shared if _right(old[key]) and not _right(new[key])),
        gone=sum(_right(item) for key, item in old.items() if key not in asked_now),
        figures=tuple(_figures(before, now)),
        both=len(shared),
    )


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


def _answers(card: Scorecard) -> dict[tuple[str, str], Item]:
    """The document's questions that were asked, by question and reference."""
    return {_key(item): item for item in card.of(*_DOCUMENT) if item.said is not None}


def _keys(card: Scorecard) -> set[tuple[str, str]]:
    """All of the document's questions, asked or not."""
    return {_key(item) for item in card.of(*_DOCUMENT)}


def _key(item: Item) -> tuple[str, str]:
    return _plain(item.question), _plain(item.reference)


def _figures(before: Scorecard, now: Scorecard) -> Iterator[tuple[str, str, Figure, Figure]]:
    for group, named in now.figures.items():
        for name, figure in named.items():
            yield group, name, before.figure(group, name), figure


def _plain(text: str) -> str:
    return " ".join(text.split())


def _right(item: Item) -> bool:
    return item.said is not None and item.said.right


def _brief(item: Item) -> dict[str, Any]:
    return {
        "kind": item.kind.value,
        "line": item.line,
        "question": item.question,
        "reference": item.reference,
        "answer": item.said.text if item.said else None,
    }
