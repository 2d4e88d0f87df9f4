"""What the page shows of the documents: who can be asked, and what each section is known to be.

Reads documents and stores; loads no model.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import Any, Final

from dlm.doc.parser import parse_file
from dlm.eval.comparison import kept
from dlm.report.facts import PairFacts, SectionFacts
from dlm.report.gather import known
from dlm.serve.shelf import Book
from dlm.store.edits import queue_depth, staged_plans
from dlm.store.records import Version
from dlm.store.store import Store, open_store

MOST_SECTIONS: Final = 500
MOST_PAIRS: Final = 60  # of one section
MOST_TEXT: Final = 1_000  # characters of one text


def facts(books: Sequence[Book], trainings: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Each document with its versions, what waits for it, and how its training stands."""
    return {"documents": [_book(book, trainings.get(book.name)) for book in books]}


def learned(book: Book) -> dict[str, Any]:
    """The learned map: every section of the text of today, and what the version knows of it.

    `measured` is the version that was measured last: retraining after a save measures little.
    """
    document = parse_file(book.path)
    with open_store(document) as store:
        version = _measured(store)
        found = known(document, store, version)
    return {
        "version": found.current,
        "measured": version.name if version else None,
        "exact": found.fits,
        "command": f"dlm eval {shlex.quote(str(book.path))}",
        "sections": [_section(one) for one in found.sections[:MOST_SECTIONS]],
        "more": max(0, len(found.sections) - MOST_SECTIONS),
    }


def watch_command(book: Book) -> str:
    """The command that writes what waits into the document and trains it."""
    return f"dlm train {shlex.quote(str(book.path))} --watch"


def _measured(store: Store) -> Version | None:
    """The current version, else the newest before it of which there is a scorecard."""
    current = store.current()
    earlier = [one for one in store.versions() if current and one.number <= current.number]
    return next((one for one in reversed(earlier) if kept(store, one)), None)


def _book(book: Book, training: Mapping[str, Any] | None) -> dict[str, Any]:
    with open_store(book.document) as store:
        versions = [version.name for version in store.versions()]
        queued, staged = queue_depth(store.database), len(staged_plans(store.database))
    return {
        "name": book.name,
        "path": str(book.path),
        "base": book.base.batcher.base.key,
        "version": book.version.name if book.version else None,
        "versions": versions[::-1],
        "queued": queued,
        "staged": staged,
        "watched": training is not None,
        "training": training,
        "command": watch_command(book),
    }


def _section(section: SectionFacts) -> dict[str, Any]:
    return {
        "line": section.line,
        "type": section.type,
        "name": section.name,
        "opening": _cut(section.opening),
        "origin": section.origin,
        "state": section.state.value,
        "known": section.known,
        "length": len(section.text) + sum(len(p.question) + len(p.answer) for p in section.pairs),
        "text": _cut(section.text),
        "pairs": [_pair(pair) for pair in section.pairs[:MOST_PAIRS]],
        "more": max(0, len(section.pairs) - MOST_PAIRS),
    }


def _pair(pair: PairFacts) -> dict[str, Any]:
    return {
        "line": pair.line,
        "role": pair.role,
        "state": pair.state.value,
        "question": _cut(pair.question),
        "answer": _cut(pair.answer),
        "said": _cut(pair.said) if pair.said is not None and pair.right is False else None,
    }


def _cut(text: str) -> str:
    return text if len(text) <= MOST_TEXT else f"{text[: MOST_TEXT - 1]}…"
