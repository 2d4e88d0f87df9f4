"""The report in one paragraph: what is known, what is not, and whether the last training helped."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from dlm.eval.answers import Kind
from dlm.eval.exam import CHANCE
from dlm.eval.figures import Figure, binomial_tail
from dlm.eval.scorecard import Scorecard
from dlm.report.facts import (
    Change,
    Facts,
    Knowledge,
    PairFacts,
    RoundFacts,
    RunFacts,
    SectionFacts,
    VersionFacts,
)
from dlm.report.words import listed, percent
from dlm.store.improving import Step
from dlm.store.metrics import RunOutcome
from dlm.text.words import count

_NAMED: Final = 3  # questions that are named in the paragraph
_TAUGHT: Final = (Knowledge.LEARNED, Knowledge.PARTLY, Knowledge.NOT)
_TURNS: Final = dict.fromkeys([*range(0x202A, 0x202F), *range(0x2066, 0x206A)])
_KNOWS, _LACKS, _HELPED = "What it knows.", "What it does not.", "Did the last training help?"
_ROUND, _COST, _SINCE = "The last round of improvement.", "What training cost.", "Since then."


@dataclass(frozen=True, slots=True)
class Summary:
    """A headline, and what is said under which label, in the order of the paragraph."""

    headline: str
    said: tuple[tuple[str, str], ...]

    @property
    def text(self) -> str:
        """The paragraph without its labels."""
        return " ".join(sentence for _, sentence in self.said)


def summarise(facts: Facts) -> Summary:
    """The paragraph, computed from the figures."""
    parts = [
        (_KNOWS, _knows(facts)),
        (_LACKS, _lacks(facts)),
        (_HELPED, helped(facts)),
        (_ROUND, last_round(facts)),
        (_COST, _cost(facts)),
        (_SINCE, _stale(facts)),
    ]
    return Summary(_headline(facts), tuple((label, text) for label, text in parts if text))


def helped(facts: Facts) -> str:
    """Whether the newest version that ever answered is better than the one before it."""
    served = [version for version in facts.versions if version.served]
    if not served:
        return ""
    newest = served[-1]
    change = next((one for one in facts.changes if one.version == newest.name), None)
    if change is not None:
        told = _change_sentence(change)
    elif len(served) > 1:
        told = (
            f"That cannot be said: of {newest.name}, or of the version before it, no answers are "
            "kept to compare."
        )
    else:
        told = _first_training(newest)
    gone_back = newest.name != facts.current
    return f"{told} Since then {facts.current} answers again." if gone_back else told


def last_round(facts: Facts) -> str:
    """What the last round of improvement came to."""
    if not facts.rounds:
        return ""
    one = facts.rounds[-1]
    if one.step == Step.PROMOTED:
        took_over = f"{one.challenger} took over from {one.champion}"
        return f"The round {one.name} helped: {took_over}{_exam_words(one)}."
    if one.step == Step.REFUSED:
        why = one.reasons[0] if one.reasons else "no reason is kept"
        return f"The round {one.name} changed nothing, since its challenger was refused: {why}."
    if one.step == Step.ABANDONED:
        return f"The round {one.name} was given up: {listed(one.reasons) or 'no reason is kept'}."
    return f"The round {one.name} is under way."


def totals(sections: Sequence[SectionFacts]) -> Counter[Knowledge]:
    """How many sections are in which state."""
    return Counter(section.state for section in sections)


def _headline(facts: Facts) -> str:
    if facts.current is None:
        return f"{facts.title} is not trained yet"
    if facts.card is None:
        return f"{facts.current} was never measured"
    found = totals(facts.sections)
    taught = sum(found[state] for state in _TAUGHT)
    if not taught:
        return f"{facts.current} is trained; of today's text nothing was measured"
    which = "measured section" if found[Knowledge.UNMEASURED] else "section"
    learned = f"{found[Knowledge.LEARNED]} of {count(taught, which)}"
    exam = facts.card.figure("generalisation", "right")
    if not exam.n or not facts.card.of(Kind.EXAM, Kind.HELD_OUT):
        return f"{facts.current} has learned {learned}"
    unseen = f"{exam.hits} of {count(exam.n, 'unseen question')}"
    return f"{facts.current} has learned {learned} and answers {unseen}"


def _knows(facts: Facts) -> str:
    if facts.current is None:
        return _untrained(facts)
    card = facts.card
    if card is None:
        return f"Nobody knows: {facts.current} answers, but `dlm eval` has not measured it."
    parts = []
    recall = card.figure("recall", "right")
    if recall.n:
        parts.append(_of(recall, "questions that it was trained on"))
    unseen = card.figure("generalisation", "right")
    if unseen.n and card.of(Kind.EXAM, Kind.HELD_OUT):
        parts.append(_of(unseen, "that it never saw"))
    elif unseen.n:
        parts.append(_of(unseen, "of the same questions in other words, which is no exam"))
    if parts:
        return f"{facts.current} answers {listed(parts)}.{_with_notes(card)}"
    return f"{facts.current} was asked nothing about this document, which has no pairs."


def _with_notes(card: Scorecard) -> str:
    """The same questions with the notes open, where they were asked so."""
    trained, unseen = card.figure("open", "recall"), card.figure("open", "generalisation")
    found = [f"{one.hits} of {one.n}" for one in (trained, unseen) if one.n]
    return f" With the notes open, as `dlm prompt` asks: {listed(found)}." if found else ""


def _of(figure: Figure, what: str) -> str:
    """`12 of 15 questions … (90 % interval: 59 % to 92 %)`."""
    sure = "too few for an interval"
    if figure.low is not None and figure.high is not None:
        sure = f"{percent(0.9)} interval: {percent(figure.low)} to {percent(figure.high)}"
    return f"{figure.hits} of {figure.n} {what} ({sure})"


def _untrained(facts: Facts) -> str:
    if not facts.runs:
        return f"Nothing: {facts.title} has not been trained yet. `dlm train` trains and measures."
    ended = _ended(facts.runs[-1])
    return f"Nothing is known of that: there is no version yet, and the last training {ended}."


def _ended(run: RunFacts) -> str:
    if run.outcome is RunOutcome.RUNNING:
        return "is under way"
    words = {RunOutcome.INTERRUPTED: "was interrupted", RunOutcome.REFUSED: "was refused"}
    return f"{words.get(run.outcome, 'failed')} ({run.why})"


def _lacks(facts: Facts) -> str:
    if facts.card is None:
        return ""
    found = totals(facts.sections)
    weak = [
        f"{count(found[state], 'section')} {word}"
        for state, word in ((Knowledge.PARTLY, "only partly"), (Knowledge.NOT, "not at all"))
        if found[state]
    ]
    parts = [f"It knows {listed(weak)}."] if weak else []
    wrong = [pair for section in facts.sections for pair in section.pairs if pair.right is False]
    trained = [pair for pair in wrong if pair.role in ("train", "probe")]
    if trained:
        parts.append(f"It was trained on, and gets wrong, {_named(trained)}.")
    elif wrong:
        parts.append(f"Of what it never saw, it gets wrong {_named(wrong)}.")
    if not parts and found[Knowledge.LEARNED]:
        return "Of what was measured, nothing is missing."
    return " ".join(parts)


def _named(pairs: Sequence[PairFacts]) -> str:
    """The first few of the questions, and how many more there are."""
    shown = [f"“{_short(pair.question)}” (line {pair.line})" for pair in pairs[:_NAMED]]
    rest = len(pairs) - len(shown)
    return listed([*shown, f"{rest} more"] if rest else shown)


def _short(text: str) -> str:
    """A question on one line, without what would turn the rest of the sentence around."""
    line = " ".join(text.translate(_TURNS).split())
    return line if len(line) <= 80 else f"{line[:79]}…"


def _change_sentence(change: Change) -> str:
    compared = change.compared
    gained, lost, new = len(compared.gained), len(compared.lost), len(compared.learned)
    also = f" It also answers {count(new, 'new question')} right." if new else ""
    who = f"The last training ({change.version} after {compared.before})"
    if not compared.both:
        return f"{who} cannot be compared: no question was asked both times.{also}"
    told = f"it gained {gained} and lost {lost} of {count(compared.both, 'question')}"
    return f"{who} {_effect(gained, lost)}: {told} asked both times{_odds(gained, lost)}.{also}"


def _effect(gained: int, lost: int) -> str:
    """Whether it helped; with a word of doubt where chance would do as much."""
    if gained == lost:
        return "neither helped nor harmed" if gained else "changed no answer"
    sure = _chance(gained, lost) < CHANCE
    if gained > lost:
        return "helped" if sure else "may have helped"
    return "did harm" if sure else "may have done harm"


def _odds(gained: int, lost: int) -> str:
    if gained == lost:
        return ""
    odds = _chance(gained, lost)
    if odds < CHANCE:
        return f", which is more than chance (p = {odds:.2g})"
    return f", too few to rule out chance (p = {odds:.2g})"


def _chance(gained: int, lost: int) -> float:
    """How often chance alone would favour one side as much, one-sided as in `eval.exam`."""
    return binomial_tail(max(gained, lost), gained + lost)


def _first_training(version: VersionFacts) -> str:
    card = version.card
    if card is None:
        return ""
    for group, what in (("recall", "its answers"), ("prose", "its prose")):
        now, base = card.figure(group, "nll"), card.figure(group, "base_nll")
        if now.value is not None and base.value is not None:
            word = "helped" if now.value < base.value else "did not help"
            return (
                f"{version.name} is the first version. Against the untrained base it {word}: the "
                f"loss of {what} went from {base.value:.2f} to {now.value:.2f} nats a token "
                f"(n = {now.n})."
            )
    return f"{version.name} is the first version, so there is none to compare it with."


def _exam_words(one: RoundFacts) -> str:
    before, after = one.scores.get("champion"), one.scores.get("challenger")
    if before is None or after is None:
        return ""
    odds = f", p = {one.p:.2g}" if one.p is not None else ""
    scores = f"{before.value or 0.0:.2f} to {after.value or 0.0:.2f}"
    return f", from {scores} overall on the exam (n = {after.n}{odds})"


def _cost(facts: Facts) -> str:
    drift = facts.card.figure("drift", "texts") if facts.card else Figure.absent("")
    if drift.value is None:
        return ""
    run = next((run for run in reversed(facts.runs) if run.version == facts.current), None)
    bound = run.drift_bound if run else None
    limit = ""
    if bound is not None:
        limit = f", {'beyond' if drift.value > bound else 'within'} the bound of {bound:g}"
    word = "harder" if drift.value >= 0 else "easier"
    return (
        f"General text is {abs(drift.value):.2f} nats a token {word} for it than for its base "
        f"(n = {drift.n}){limit}."
    )


def _stale(facts: Facts) -> str:
    if facts.card is None or facts.fits:
        return ""
    new = sum(section.state is Knowledge.UNMEASURED for section in facts.sections)
    if not new:
        return "The document was edited, but each section is as it was measured."
    what = f"{count(new, 'section')} not measured yet"
    return f"The document was edited: {what}; `dlm train` teaches and measures."
