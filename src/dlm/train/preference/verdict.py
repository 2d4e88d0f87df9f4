"""When a preference phase stops, and whether what came of it is kept.

Preference training overshoots easily: it stops as soon as the answers are told apart, and a phase
that cost what the model knew, or taught nothing that its triples agree on, is refused. Fewer than
eight triples agree or disagree by accident: they are judged by the harm they did alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dlm.data.lessons import Lesson, contradictions
from dlm.eval.comparison import Comparison
from dlm.eval.figures import Figure, binomial_tail
from dlm.eval.scorecard import Scorecard
from dlm.train.budget import Limits
from dlm.train.preference.figures import PairEpoch, PhaseFigures, Standing

_FEWEST = 8  # triples from which more than harm is judged
_CHANCE = 0.05  # a result that comes about as often by accident tells nothing
_AGREEING = 0.8  # of the triples of a set that have something in common move the same way
_SAME = 0.005  # nats a token; by less nothing has changed
_GROWTH = 0.01  # nats a token in an epoch
_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Bounds:
    """When to stop, and what a phase may cost.

    The share of chosen answers that are preferred and their mean margin in nats a token, and the
    margin from which one is preferred beyond doubt; epochs without progress; the share of answers
    known before that may be lost; drift in nats, and what it may rise where it was more before.
    """

    saturated: float = 0.975
    margin: float = 0.05
    clear: float = 0.25
    patience: int = 4
    lost: float = 0.02
    recall: float = 0.05
    max_drift: float = Limits().max_drift
    more_drift: float = 0.05


class Stop:
    """Decides after each epoch; the sentence it returns is the reason that the report gives."""

    def __init__(self, bounds: Bounds, chosen_nll: float, *, open_end: bool) -> None:
        self._bounds, self._chosen_nll, self._open = bounds, chosen_nll, open_end
        self._best, self._since = -math.inf, 0
        self._fewest_lost, self._since_lost = math.inf, 0

    def verdict(self, figures: PairEpoch) -> str | None:
        """Why to stop now, or None to go on."""
        bounds = self._bounds
        if figures.drift is not None and figures.drift > bounds.max_drift:
            return f"drift on general text passed {bounds.max_drift} nats"
        if figures.chosen_nll > self._chosen_nll + _SAME:
            return "the chosen answers became less likely than they were before"
        if not self._open:
            return None
        if self.saturated(figures):
            return self._guarded(figures)
        if figures.margin > self._best + _GROWTH:
            self._best, self._since = figures.margin, 0
        else:
            self._since += 1
        if self._since >= bounds.patience:
            return f"the margin has not grown for {bounds.patience} epochs"
        return None

    def saturated(self, figures: PairEpoch) -> bool:
        """Whether the chosen answers are preferred, all but a few and by more than a hair."""
        enough = figures.preferred >= self._bounds.saturated * figures.n
        return enough and figures.margin > self._bounds.margin

    def _guarded(self, figures: PairEpoch) -> str | None:
        """Rehearsal brings back what the first epochs cost, so a few more may be worth it."""
        reason = f"{figures.preferred} of {figures.n} chosen answers are preferred"
        if not figures.guarded or figures.lost is None:
            return reason
        if figures.lost <= self._bounds.lost * figures.guarded:
            return f"{reason}, and {figures.guarded - figures.lost} known ones still are given"
        if figures.lost < self._fewest_lost:
            self._fewest_lost, self._since_lost = figures.lost, 0
        else:
            self._since_lost += 1
        if self._since_lost >= self._bounds.patience:
            return f"{reason}, but {figures.lost} known ones were lost and did not come back"
        return None


def contradicting(triples: Sequence[Lesson]) -> str | None:
    """The lines of triples that prefer opposite answers, in one sentence."""
    found = contradictions(triples)
    if not found:
        return None
    lines = "; ".join(f"lines {one.line} and {other.line}" for one, other in found[:_SHOWN])
    more = f"; {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return f"triples contradict each other, the same answers preferred both ways: {lines}{more}"


def reasons(
    figures: PhaseFigures, before: Scorecard, after: Scorecard, compared: Comparison
) -> tuple[str, ...]:
    """Why not to keep the version, a sentence each; empty when it is good."""
    found = (*_learned_nothing(figures), *_lost(before, after, compared))
    return tuple(found)


def _learned_nothing(figures: PhaseFigures) -> Iterator[str]:
    if no_common := by_chance(figures.before, figures.seen_right, figures.seen):
        yield no_common
    before, after = figures.before, figures.after
    if after.preferred == after.n:
        return
    change = f"from {before.margin:+.3f} to {after.margin:+.3f} nats a token"
    if after.n < _FEWEST:
        if after.preferred < before.preferred:
            yield (
                f"{after.preferred} of {after.n} chosen answers are preferred, "
                f"{before.preferred} were before"
            )
        elif after.margin < before.margin - Bounds().margin:
            yield f"the margin of the chosen answers fell {change}"
        return
    worse = after.n - figures.gained
    if after.margin < before.margin - _SAME and binomial_tail(worse, after.n) <= _CHANCE:
        yield f"{worse} of {after.n} triples moved the wrong way, the margin {change}"
    elif after.preferred <= before.preferred and after.margin <= 0:
        yield f"no more chosen answers are preferred than before: {after.preferred} of {after.n}"


def by_chance(before: Standing, seen_right: int, seen: int) -> str | None:
    """Whether the triples agree on nothing: each was judged before it was trained itself.

    One-sided sign tests: that as many moved the right way must be likely by chance, and unlikely
    where four in five agree, so that few of them decide nothing. What the model prefers already
    speaks for the triples too: facts have nothing in common, and agree with what it knows.
    """
    if seen < _FEWEST or binomial_tail(seen_right, seen) <= _CHANCE:
        return None
    if binomial_tail(seen - seen_right, seen, 1 - _AGREEING) > _CHANCE:
        return None
    if binomial_tail(before.preferred, before.n) <= _CHANCE:
        return None
    return (
        f"the triples agree on nothing: what the others taught favoured the chosen answer of "
        f"{seen_right} of {seen}, no more than chance would"
    )


def _lost(before: Scorecard, after: Scorecard, compared: Comparison) -> Iterator[str]:
    bounds = Bounds()
    probes = [item for item in compared.lost if item.probe]
    if probes:
        named = "; ".join(f"line {item.line}: {item.question}" for item in probes[:_SHOWN])
        yield f"{len(probes)} probe{'s' if len(probes) > 1 else ''} lost: {named}"
    old, new = before.figure("recall", "right"), after.figure("recall", "right")
    fell = None if old.value is None or new.value is None else old.value - new.value
    if fell is not None and fell > bounds.recall + 1e-9:
        right, lost = round((new.value or 0.0) * new.n), round(fell * new.n)
        yield f"{lost} fewer of the document's {new.n} pairs are answered right: {right}"
    was, now = _value(before.figure("drift", "texts")), _value(after.figure("drift", "texts"))
    if now is not None and now > max(bounds.max_drift, (was or 0.0) + bounds.more_drift):
        yield f"drift on general text passed {bounds.max_drift} nats: {now:+.2f}"


def _value(figure: Figure) -> float | None:
    return figure.value
