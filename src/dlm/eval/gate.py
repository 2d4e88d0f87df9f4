"""Whether a challenger takes over from the champion: better by more than chance, and no harm done.

The test is the paired randomisation test of Fisher (1935, "The Design of Experiments", §21) and
Pitman (1937) on the score of each exam question: were the two models equal, each sign would be as
likely as the other. It is exact for up to 16 differences that are not 0 and drawn 100,000 times
with a fixed seed beyond. The exact test of McNemar (1947) on right and wrong stands beside it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from dlm.doc.document import Document
from dlm.eval.exam import Paper
from dlm.eval.figures import Figure, binomial_tail, mean
from dlm.eval.learned_map import State, learned_map
from dlm.eval.scorecard import Scorecard

CHANCE: Final = 0.05
"""A result that chance gives as often as this, one-sided, does not count."""

FEWEST: Final = 5
"""Differences of one sign below this number can never exclude chance: 1/2^4 is above 0.05."""

MOST_DRIFT: Final = 0.5
"""Nats a token on general text, adapter against base."""

MOST_MORE_DRIFT: Final = 0.15
"""The same, challenger against champion."""

MOST_LOST: Final = 0.25
"""Of a section: by how much less of it may be known, 0..1."""

_SAME: Final = 1e-9  # scores and losses that differ by less are equal
_EXACT: Final = 16
_DRAWS: Final = 100_000


@dataclass(frozen=True, slots=True)
class Contest:
    """Two papers of one exam compared: `difference` of the overall, `loss` in nats a token.

    `better` and `worse` count the questions whose score differs. Each p is one-sided: how often
    chance would give as much, `p` for the scores, `p_harm` for a loss that rises, `p_right` for
    wrong answers that become right and `p_wrong` for the reverse.
    """

    difference: Figure
    better: int
    worse: int
    p: float
    loss: Figure
    p_harm: float
    gained: tuple[str, ...]
    lost: tuple[str, ...]
    p_right: float
    p_wrong: float

    @property
    def decidable(self) -> bool:
        """Whether enough questions differ for any result to exclude chance."""
        return self.better + self.worse >= FEWEST

    @property
    def beyond_chance(self) -> bool:
        return self.p < CHANCE

    def to_json(self) -> dict[str, Any]:
        return {
            "difference": self.difference.to_json(),
            "better": self.better,
            "worse": self.worse,
            "decidable": self.decidable,
            "p": self.p,
            "loss": self.loss.to_json(),
            "p_harm": self.p_harm,
            "gained": list(self.gained),
            "lost": list(self.lost),
            "p_right": self.p_right,
            "p_wrong": self.p_wrong,
        }


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two: its exam paper, its scorecard, and the text that was measured on."""

    document: Document
    paper: Paper
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
    found = contest(champion.paper, challenger.paper)
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


def contest(champion: Paper, challenger: Paper) -> Contest:
    """Compare two papers of the same questions in the same order."""
    both = list(zip(champion.answers, challenger.answers, strict=True))
    if any(old.question != new.question for old, new in both):
        raise ValueError("these are papers of two exams")
    scores = [new.score - old.score for old, new in both]
    losses = [(new.nll or 0.0) - (old.nll or 0.0) for old, new in both]
    gained = tuple(new.question for old, new in both if new.right and not old.right)
    lost = tuple(new.question for old, new in both if old.right and not new.right)
    return Contest(
        difference=mean(scores),
        better=sum(score > _SAME for score in scores),
        worse=sum(score < -_SAME for score in scores),
        p=randomisation(scores),
        loss=mean(losses),
        p_harm=randomisation(losses),
        gained=gained,
        lost=lost,
        p_right=mcnemar(len(gained), len(lost)),
        p_wrong=mcnemar(len(lost), len(gained)),
    )


def randomisation(differences: Sequence[float]) -> float:
    """How often random signs give a sum at least as large; 1 where nothing differs."""
    import numpy as np

    # The sizes are rounded so that sums that are equal on paper are equal here.
    values = np.round([one for one in differences if abs(one) > _SAME], 9)
    if not len(values):
        return 1.0
    seen = values.sum() - 1e-7
    if len(values) <= _EXACT:
        numbers = np.arange(2 ** len(values))[:, None]
        signs = 1 - 2 * ((numbers >> np.arange(len(values))) & 1)
        return float((signs @ np.abs(values) >= seen).mean())
    rng = np.random.default_rng(0)
    hits = done = 0
    while done < _DRAWS:
        signs = rng.integers(0, 2, (10_000, len(values)), dtype=np.int8) * 2 - 1
        hits += int((signs @ np.abs(values) >= seen).sum())
        done += len(signs)
    return (hits + 1) / (done + 1)


def mcnemar(gained: int, lost: int) -> float:
    """The exact one-sided p that `gained` of all that changed sides, or more, is chance."""
    return binomial_tail(gained, gained + lost)


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
