"""The questions of a scorecard asked with the notes open, beside what the model answers alone.

For bases of which the notes are quoted: no model runs but the sentence encoder, where there is one.
That reads a hundred lines for a question that no pair asks in the same words.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from dlm.base_models import BaseModel
from dlm.doc.document import Document
from dlm.engine.open_book import DECLINED, READS_FROM, best_quote
from dlm.eval.answers import Item, Kind, Opened, score_answer
from dlm.eval.figures import Figure, share
from dlm.eval.scorecard import Scorecard
from dlm.index import Index
from dlm.working import Tell, told, untold

_UNSEEN: Final = (Kind.HELD_OUT, Kind.EXAM, Kind.REWORDED)
_OF: Final = (Kind.TRAINED, *_UNSEEN)
_LARGE: Final = 1_000  # passages, from which on what each question reads was hardly read before
_OF_LARGE: Final = 10  # questions of each unseen kind that are asked then


def with_notes_open(
    card: Scorecard, document: Document, base: BaseModel, tell: Tell = untold
) -> Scorecard:
    """The card with the group `open`: shares of right and of declined answers to what was asked.

    Of a large document only some of what was not trained is asked: that of the smallest ids.
    Unchanged where the notes stay closed, or where the base would read them itself.
    """
    if not document.frontmatter.training.open_book or base.params >= READS_FROM:
        return card
    index = Index(document)
    if not index.passages:
        return card
    wanted = list(_wanted(card.items, None if len(index.passages) < _LARGE else _OF_LARGE))
    each = told("asking with the notes open", wanted, tell, every=1)
    opened = {id(item): replace(item, opened=_opened(item, index)) for item in each}
    items = tuple(opened.get(id(item), item) for item in card.items)
    return replace(card, items=items, figures={**card.figures, "open": _figures(items)})


def _wanted(items: Sequence[Item], most: int | None) -> Iterator[Item]:
    """Those to be asked: all that were asked alone, of each unseen kind at the `most`."""
    for kind in _OF:
        asked = [item for item in items if item.kind is kind and item.said is not None]
        seen = kind is Kind.TRAINED
        yield from asked if seen else sorted(asked, key=lambda one: one.lesson_id)[:most]


def _opened(item: Item, index: Index) -> Opened:
    best = best_quote(index, item.question)
    if best is None:
        return Opened(DECLINED, None, True, False)
    right = score_answer(best.text, item.reference, item.question).right
    return Opened(best.text, best.line, False, right)


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
