"""Keeps replay from teaching what the document now only asks."""

from __future__ import annotations

from dataclasses import replace

from dlm.data.contamination import findings
from dlm.data.lessons import Lessons
from dlm.train.known import Known, lines


def sealed(known: Known, lessons: Lessons) -> Known:
    """`known` without replay of what nearly repeats an exam or held-out question.

    That was trained before it became one, so it stays remembered, and the owner is told.
    """
    near = {id(one) for one in known.kept if findings([one.lesson], lessons.only_asked)}
    return replace(
        known,
        kept=tuple(one for one in known.kept if id(one) not in near),
        sealed=tuple(one for one in known.kept if id(one) in near),
    )


def sealed_sentence(known: Known, lessons: Lessons) -> str | None:
    """What is measured though an earlier version was trained on it."""
    found = findings([one.lesson for one in known.sealed], lessons.only_asked)
    if not found:
        return None
    places = sorted({one.sealed_line for one in found})
    where = lines([replace(known.sealed[0].lesson, line=line) for line in places])
    return (
        f"{where}: an earlier version was trained on this question, so its answer shows memory; "
        "`dlm train --fresh` starts clean"
    )
