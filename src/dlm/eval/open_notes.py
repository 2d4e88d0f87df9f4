"""The questions of a scorecard asked with the notes open, beside what the model answers alone.

For bases of which the notes are quoted: no model runs, so that it costs milliseconds a question.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from dlm.base_models import BaseModel
from dlm.doc.document import Document
from dlm.engine.open_book import READS_FROM, quote_notes
from dlm.eval.answers import Item, Kind, Opened, score_answer
from dlm.eval.figures import Figure, share
from dlm.eval.scorecard import Scorecard
from dlm.index import Index
from dlm.working import Tell, told, untold

_UNSEEN: Final = (Kind.HELD_OUT, Kind.EXAM, Kind.REWORDED)
_OF: Final = (Kind.TRAINED, *_UNSEEN)


def with_notes_open(
    card: Scorecard, document: Document, base: BaseModel, tell: Tell = untold
) -> Scorecard:
    """The card with the group `open`: shares of right and of declined answers to what was asked.

    Unchanged where the notes stay closed, or where the base would read them itself.
    """
    if not document.frontmatter.training.open_book or base.params >= READS_FROM:
        return card
    index = Index(document)
    if not index.passages:
        return card
    each = told("asking with the notes open", card.items, tell)
    items = tuple(_opened(item, index) for item in each)
    return replace(card, items=items, figures={**card.figures, "open": _figures(items)})


def _opened(item: Item, index: Index) -> Item:
    if item.kind not in _OF or item.said is None:
        return item
    answer = quote_notes(index, item.question)
    line = answer.source.line if answer.source else None
    right = not answer.declined and score_answer(answer.text, item.reference, item.question).right
    return replace(item, opened=Opened(answer.text, line, answer.declined, right))


def _figures(items: Sequence[Item]) -> Mapping[str, Figure]:
    trained = list(_answers(items, (Kind.TRAINED,)))
    unseen = list(_answers(items, _UNSEEN))
    none = "nothing of the kind was asked"
    return {
        "recall": share([one.right for one in trained], why_none=none),
        "generalisation": share([one.right for one in unseen], why_none=none),
        "declined": share([one.declined for one in (*trained, *unseen)], why_none=none),
    }


def _answers(items: Sequence[Item], kinds: Sequence[Kind]) -> Iterator[Opened]:
    return (item.opened for item in items if item.opened and item.kind in kinds)
