"""An answer that a reader marks as wrong: its question and the right answer become a probe.

The probe waits in the store until a watching process writes it into the document and trains it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from dlm.doc.document import Document
from dlm.doc.parser import parse_file
from dlm.doc.render import CANNOT_STAND
from dlm.doc.sections import Pair, PairRole
from dlm.errors import EditConflict
from dlm.loops.edits import NewPair
from dlm.loops.proposals import Existing
from dlm.serve.page.view import watch_command
from dlm.serve.refusals import Refused
from dlm.serve.shelf import Book
from dlm.store.edits import Probe, drop_probes, push_probes, waiting_probes
from dlm.store.store import Store, open_store, writable_store
from dlm.text.words import caseless

CAPACITY: Final = 1000  # probes that wait
LONGEST: Final = 20_000  # characters of a question or an answer
TAG: Final = "page"


def mark(book: Book, given: Mapping[str, Any]) -> dict[str, Any]:
    """Keep the pair as a probe and say its id, or where the document says it already.

    Raises EditConflict when the document or its exam forbids it, Refused for what is no text.
    """
    pair = NewPair(text_of(given, "question"), text_of(given, "answer"), PairRole.PROBE)
    document = parse_file(book.path)
    existing = Existing(document)
    if existing.answers(pair):
        return {"standing": _line(document, pair)}
    if reason := existing.why_not(pair):
        raise EditConflict(
            f"not taken: {reason}", hint="what stands in the document is changed in an editor"
        )
    probe = Probe(pair.question, pair.answer, (TAG,))
    with writable_store(document) as store:
        for before in waiting_probes(store.database):
            if caseless(before.prompt) == caseless(pair.question) and before.tags == (TAG,):
                drop_probes(store.database, [before.probe_id])  # the reader thought better of it
        if not push_probes(store.database, [probe], capacity=CAPACITY):
            raise Refused(429, "the queue is full", headers={"Retry-After": "30"})
    return {"probe": probe.probe_id, "command": watch_command(book)}


def state(book: Book, probe_id: str) -> dict[str, Any]:
    """How a probe stands: waiting, held, written, trained or gone.

    `line` is where it stands in the document, `right` whether the model alone gives the answer
    token for token, None where that was not looked at.
    """
    document = parse_file(book.path)
    with open_store(document) as store:
        for pair, source in _pushed(document):
            if source.rpartition("/")[2] == probe_id:
                return _written(store, pair)
        for probe in waiting_probes(store.database):
            if probe.probe_id == probe_id:
                return {"state": "held" if probe.reason else "waiting", "reason": probe.reason}
    return {"state": "gone"}


def forget(book: Book, given: Mapping[str, Any]) -> dict[str, Any]:
    """Drop a probe that still waits; what is in the document stays there."""
    name = text_of(given, "probe")
    with open_store(parse_file(book.path)) as store:
        waits = name in {one.probe_id for one in waiting_probes(store.database)}
        return {"dropped": drop_probes(store.database, [name]) if waits else 0}


def text_of(given: Mapping[str, Any], name: str) -> str:
    """A text that can stand in a document; raises Refused."""
    text = given.get(name)
    if not isinstance(text, str) or not text.strip():
        raise Refused(400, f"the {name} is missing", param=name)
    if len(text) > LONGEST:
        raise Refused(400, f"the {name} is longer than {LONGEST} characters", param=name)
    if CANNOT_STAND.search(text):
        raise Refused(400, f"the {name} holds a character that no document can hold", param=name)
    return text.strip()


def _written(store: Store, pair: Pair) -> dict[str, Any]:
    told = {"state": "written", "line": pair.line}
    current = store.current()
    for one in store.memory(current) if current else ():
        if (one.lesson.question, one.lesson.text) == (pair.question, pair.answer):
            assert current is not None
            return told | {"state": "trained", "version": current.name, "right": one.exact}
    return told


def _pushed(document: Document) -> list[tuple[Pair, str]]:
    """The pairs of pushed sections, each with where its section came from."""
    return [
        (pair, section.provenance.derived_from)
        for section in document.sections
        if section.provenance is not None and section.provenance.derived_from
        for pair in section.pairs
    ]


def _line(document: Document, pair: NewPair) -> int:
    """The line of the first pair that asks the same and answers it so."""
    wanted = caseless(pair.question), caseless(pair.answer)
    return next(
        one.line
        for section in document.sections
        for one in section.pairs
        if (caseless(one.question), caseless(one.answer)) == wanted
    )
