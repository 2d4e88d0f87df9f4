"""Keeps replay from teaching what the document now only asks."""

from __future__ import annotations

from dataclasses import replace

from dlm.data.contamination import findings
from dlm.data.examples import Example, Teaching
from dlm.data.items import Item
from dlm.train.known import Known, lines


def sealed(known: Known, lessons: Teaching) -> Known:
    """`known` without replay of what nearly repeats an exam or held-out question.

    That was trained before it became one, so it stays remembered, and the owner is told.
    """
    asked = (*lessons.exam, *lessons.held_out)
    near = {id(one) for one in known.kept if findings([_example(one.item)], asked)}
    return replace(
        known,
        kept=tuple(one for one in known.kept if id(one) not in near),
        sealed=tuple(one for one in known.kept if id(one) in near),
    )


def sealed_sentence(known: Known, lessons: Teaching) -> str | None:
    """What is measured though an earlier version was trained on it."""
    asked = (*lessons.exam, *lessons.held_out)
    found = findings([_example(one.item) for one in known.sealed], asked)
    if not found:
        return None
    places = sorted({one.sealed_line for one in found})
    where = lines([replace(known.sealed[0].item, line=line) for line in places])
    return (
        f"{where}: an earlier version was trained on this question, so its answer shows memory; "
        "`dlm train --fresh` starts clean"
    )


def _example(item: Item) -> Example:
    return Example(item.section_id, item.origin, item.line, 1.0, item.text, item.question)
