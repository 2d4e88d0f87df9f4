"""Scorecards made of given answers, for the tests that need no model."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from dlm.eval.answers import Answer, Item, Kind, Loss, score_answer
from dlm.eval.scorecard import Scorecard, scorecard
from dlm.text.near import repetition


def said(
    text: str, reference: str, question: str = "", *, finished: bool = True, base_nll: float = 3.0
) -> Answer:
    near = score_answer(text, reference, question)
    return Answer(text, near.exact, near.contains, near.f1, finished, repetition(text), base_nll)


def item(
    question: str,
    answer: str | None,
    reference: str = "It is teal.",
    *,
    kind: Kind = Kind.TRAINED,
    nll: float = 0.1,
    base_nll: float = 3.0,
    **more: Any,
) -> Item:
    spoken = None if answer is None else said(answer, reference, question)
    fit = Loss(nll, base_nll, 5, exact=answer == reference)
    return Item(kind, question, reference, fit, said=spoken, **more)


def card(items: Iterable[Item], sha256: str = "d" * 64) -> Scorecard:
    kept = list(items)
    pairs = [one for one in kept if one.kind is Kind.TRAINED]
    asked = [one for one in pairs if one.said]
    return scorecard(kept, document_sha256=sha256, pairs=len(pairs), asked_pairs=len(asked))
