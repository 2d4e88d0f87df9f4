"""When a phase stops, and whether what came of it is kept.

Over-training is the common failure of small documents, so the `auto` budget asks after each epoch
whether every answer is known, whether anything still improves, and what it costs in drift.
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
from dlm.train.figures import EpochFigures, PairEpoch, PhaseFigures, Standing

_SWINGING = 2  # epochs without one more known answer
_FEW_MISSING = 0.2  # of the answers
_SLOWEST = 1 / 8
_WORSE = 0.1  # nats a token: what is worse by less may be so by accident


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of the `auto` budget.

    Epochs; nats per token of an answer; drift in nats; patience in epochs; the share of answers
    known before that may be lost; what may be left of a text that is to be forgotten.
    """

    min_epochs: int = 8
    max_epochs: int = 40
    answer_nll: float = 0.15
    max_drift: float = 0.5
    patience: int = 6
    prose_epochs: int = 12
    lost: float = 0.02
    remembered: float = 0.1


def worse_than_base(card: Scorecard) -> str | None:
    """The figures in one phrase, where an adapter is worse than its base in all that was measured.

    Losses of pairs, of prose and of general text in nats a token; None where any is as good.
    """
    found = [
        (what, now.value, base.value)
        for what, now, base in (
            ("answers", card.figure("recall", "nll"), card.figure("recall", "base_nll")),
            ("prose", card.figure("prose", "nll"), card.figure("prose", "base_nll")),
            ("general text", card.figure("drift", "texts"), Figure(0.0)),
        )
        if now.value is not None and base.value is not None
    ]
    if not found or any(now <= base + _WORSE for _, now, base in found):
        return None
    return ", ".join(f"{what} {now - base:+.2f} nats a token" for what, now, base in found)


class Budget:
    """Decides after each epoch; the sentence it returns is the reason that the report gives."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._learning = _Falling(limits.patience, margin=0.02)
        self._keeping = _Falling(limits.patience, margin=0.0)
        self._missing = _Falling(_SWINGING, margin=0.0)
        self._losing = _Falling(_SWINGING, margin=0.0)
        self.rate = 1.0  # the share of the learning rate to go on at

    def verdict(self, figures: EpochFigures) -> str | None:
        """Why to stop now, or None to go on."""
        limits = self._limits
        self._slow_down(figures)
        if figures.drift is not None and figures.drift > limits.max_drift:
            return f"drift on general text passed {limits.max_drift} nats"
        if figures.epoch < limits.min_epochs:
            self._learning.stalled(figures.answer_nll or 0.0)
            return None
        if figures.remembered is not None and figures.remembered > limits.remembered:
            return None
        if self.learned(figures):
            return self._guard_verdict(figures)
        if figures.scores and self._learning.stalled(figures.answer_nll or 0.0):
            return f"the answers have not improved for {limits.patience} epochs"
        return None

    def learned(self, figures: EpochFigures) -> bool:
        """Whether every answer to learn is; prose, which has no answers, takes its epochs."""
        limits = self._limits
        if not figures.scores:
            return figures.remembered is not None or figures.epoch >= limits.prose_epochs
        worst = max(score.nll for score in figures.scores)
        return all(score.exact for score in figures.scores) and worst < limits.answer_nll

    def _slow_down(self, figures: EpochFigures) -> None:
        """Halve the rate where nearly all is known and what is missing only changes places."""
        new = len(figures.scores)
        counts = [(self._missing, new - figures.learned, new)]
        if figures.lost is not None:
            counts.append((self._losing, figures.lost, figures.guarded))
        for falling, missing, among in counts:
            if falling.stalled(missing) and 0 < missing <= _FEW_MISSING * among:
                self.rate = max(_SLOWEST, self.rate / 2)
                falling.begin_again()

    def _guard_verdict(self, figures: EpochFigures) -> str | None:
        reason = self._learned_reason(figures)
        if not figures.guarded:
            return reason
        if figures.lost is None:
            return None
        if figures.lost <= self._limits.lost * figures.guarded:
            kept = figures.guarded - figures.lost
            return f"{reason}, and {kept} of {figures.guarded} known ones still are"
        if self._keeping.stalled(figures.lost):
            return f"{reason}, but {figures.lost} known ones were lost and did not come back"
        return None

    def _learned_reason(self, figures: EpochFigures) -> str:
        if figures.scores:
            return "every answer is learned"
        if figures.remembered is not None:
            return "what was removed is forgotten"
        return f"{figures.epoch} epochs of prose without pairs to test are enough"


class _Falling:
    """Whether a figure that ought to fall has stopped to: `patience` times in a row."""

    def __init__(self, patience: int, *, margin: float) -> None:
        self._patience = patience
        self._margin = margin
        self._best = float("inf")
        self._since_best = 0

    def stalled(self, value: float) -> bool:
        if value < self._best * (1 - self._margin):
            self._best, self._since_best = value, 0
        else:
            self._since_best += 1
        return self._since_best >= self._patience

    def begin_again(self) -> None:
        """Be patient once more."""
        self._since_best = 0


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
