"""Whether a challenger takes over from the champion: better by more than chance, and no harm done.

The tests of chance are those of `exam`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from dlm.doc.document import Document
from dlm.eval.exam import CHANCE, FEWEST, Contest, ExamResult, contest
from dlm.eval.learned_map import State, learned_map
from dlm.eval.scorecard import Scorecard

MOST_DRIFT: Final = 0.5
"""Nats a token on general text, adapter against base."""

MOST_MORE_DRIFT: Final = 0.15
"""The same, challenger against champion."""

MOST_LOST: Final = 0.25
"""Of a section: by how much less of it may be known, 0..1."""

_SAME: Final = 1e-9  # scores and losses that differ by less are equal


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two: its exam, its scorecard, and the text that was measured on."""

    document: Document
    exam: ExamResult
    card: Scorecard


@dataclass(frozen=True, slots=True)
class Verdict:
    """`met` are the conditions that hold, `reasons` those that do not, each with its figures.

    `harmless`: no answer, section or drift speaks against it beyond chance, there is only too
    little for it.
    """

    promote: bool
    harmless: bool
    met: tuple[str, ...]
    reasons: tuple[str, ...]
    contest: Contest

    def to_json(self) -> dict[str, Any]:
        return {
            "promote": self.promote,
            "harmless": self.harmless,
            "met": list(self.met),
            "reasons": list(self.reasons),
            "contest": self.contest.to_json(),
        }


_Check = tuple[bool, str]


def judge(
    champion: Side, challenger: Side, *, threshold: float, steps: int, min_steps: int
) -> Verdict:
    """Whether the challenger takes over; `steps` are those it was trained for."""
    found = contest(champion.exam, challenger.exam)
    gained, lost = len(found.gained), len(found.lost)
    unharmed = [
        _no_more_loss(found),
        _drift(champion.card, challenger.card),
        *_sections(champion, challenger),
    ]
    answers = (gained >= lost, f"{gained} answers gained, {lost} lost")
    checks = [*_better(found, threshold), answers, *unharmed]
    if min_steps:
        checks.append((steps >= min_steps, f"trained for {steps} steps, which must be {min_steps}"))
    reasons = tuple(text for holds, text in checks if not holds)
    met = tuple(text for holds, text in checks if holds)
    harmless = found.p_wrong >= CHANCE and all(holds for holds, _ in unharmed)
    return Verdict(not reasons, harmless, met, reasons, found)


def _better(found: Contest, threshold: float) -> Iterator[_Check]:
    by, n = found.difference.value or 0.0, found.difference.n
    low, high = found.difference.low, found.difference.high
    between = "" if low is None or high is None else f" (90 % between {low:+.3f} and {high:+.3f})"
    text = f"the overall changed by {by:+.3f}{between}; it takes {threshold:+g}"
    yield by >= threshold - _SAME, text
    counted = f"{found.better} of {n} questions are answered better, {found.worse} worse"
    if not found.decidable:
        yield (
            False,
            f"{counted}: too few to tell, as below {FEWEST} that differ nothing excludes chance; "
            "more !exam questions can",
        )
        return
    yield (
        found.beyond_chance,
        f"{counted}; chance gives as much with p = {found.p:.3g}, which must be below {CHANCE:g}",
    )


def _no_more_loss(found: Contest) -> _Check:
    return (
        found.p_harm >= CHANCE,
        f"the loss of the references changed by {found.loss.value or 0.0:+.2f} nats a token; "
        f"chance raises it as much with p = {found.p_harm:.3g}, which must not be below {CHANCE:g}",
    )


def _drift(champion: Scorecard, challenger: Scorecard) -> _Check:
    before = champion.figure("drift", "texts").value or 0.0
    figure = challenger.figure("drift", "texts")
    after = figure.value or 0.0
    most = min(MOST_DRIFT, max(before, 0.0) + MOST_MORE_DRIFT)
    text = (
        f"drift {before:+.2f} → {after:+.2f} nats a token on {figure.n} general texts, "
        f"at most {most:+.2f}"
    )
    return after <= most + _SAME, text


def _sections(champion: Side, challenger: Side) -> Iterator[_Check]:
    before = {one.section_id: one for one in learned_map(champion.document, champion.card)}
    after = {one.section_id: one for one in learned_map(challenger.document, challenger.card)}
    broken = []
    for id_, was in before.items():
        now = after.get(id_)
        if now is None:
            continue
        forgotten = was.state is State.LEARNED and now.state is State.NOT
        if forgotten or now.known < was.known - MOST_LOST:
            broken.append(
                f"less is known of the section of line {was.line}: {was.known:.2f} → "
                f"{now.known:.2f}, {was.state.value} → {now.state.value}"
            )
    if broken:
        yield from ((False, text) for text in broken)
    else:
        yield True, f"none of {len(before)} sections lost more than {MOST_LOST:g} of what is known"
