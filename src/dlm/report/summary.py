"""The report in one paragraph: what is known, what is not, and whether the last training helped."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from dlm.eval.figures import Figure
from dlm.eval.gate import CHANCE, mcnemar
from dlm.eval.items import Item, Kind
from dlm.report.facts import Change, Facts, Knowledge, PairFacts, RoundFacts, RunFacts, SectionFacts
from dlm.report.words import between, count, hits, listed, percent, signed
from dlm.store.metrics import RunOutcome
from dlm.store.rounds import Step

_NAMED = 3  # questions that are named in the paragraph


@dataclass(frozen=True, slots=True)
class Summary:
    """Sentences, each under what it answers; empty where there is nothing to say."""

    headline: str
    knows: str
    lacks: str
    helped: str
    round: str
    cost: str
    stale: str

    @property
    def sentences(self) -> tuple[str, ...]:
        parts = (self.knows, self.lacks, self.helped, self.round, self.cost, self.stale)
        return tuple(part for part in parts if part)

    @property
    def text(self) -> str:
        """The whole paragraph."""
        return " ".join(self.sentences)


def summarise(facts: Facts) -> Summary:
    """The paragraph, computed from the figures."""
    if facts.current is None:
        return _untrained(facts)
    if facts.card is None:
        missing = f"{facts.current} answers now, but it was never measured: `dlm eval` does that."
        title = f"{facts.current} was never measured"
        return Summary(title, missing, "", helped(facts), last_round(facts), "", "")
    return Summary(
        headline=_headline(facts),
        knows=_knows(facts),
        lacks=_lacks(facts),
        helped=helped(facts),
        round=last_round(facts),
        cost=_cost(facts),
        stale=_stale(facts),
    )


def helped(facts: Facts) -> str:
    """Whether the newest version is better than the one before it."""
    served = [version for version in facts.versions if version.served]
    newest = served[-1] if served else None
    if newest is None:
        return ""
    gone_back = (
        f" It does not answer now: {facts.current} does." if newest.name != facts.current else ""
    )
    change = next((one for one in facts.changes if one.version == newest.name), None)
    if change is not None:
        return _change_sentence(change) + gone_back
    if len(served) > 1:
        return (
            f"Whether the last training helped cannot be said: {newest.name} or the version "
            f"before it has no answers kept to compare.{gone_back}"
        )
    return _first_training(facts) + gone_back


def last_round(facts: Facts) -> str:
    """What the last round of improvement came to."""
    if not facts.rounds:
        return ""
    one = facts.rounds[-1]
    who = f"The last round of improvement ({one.name})"
    if one.step == Step.PROMOTED:
        return f"{who} helped: {one.challenger} took over from {one.champion}{_exam_words(one)}."
    if one.step == Step.REFUSED:
        why = one.reasons[0] if one.reasons else "no reason is kept"
        return f"{who} changed nothing, since its challenger was refused: {why}."
    if one.step == Step.ABANDONED:
        return f"{who} was given up: {listed(one.reasons) or 'no reason is kept'}."
    return f"{who} is under way."


def _exam_words(one: RoundFacts) -> str:
    before, after = one.scores.get("champion"), one.scores.get("challenger")
    if before is None or after is None:
        return ""
    odds = f", p = {one.p:.2g}" if one.p is not None else ""
    scores = f"{before.value or 0.0:.2f} to {after.value or 0.0:.2f}"
    return f", from {scores} overall on the exam (n = {after.n}{odds})"


def totals(sections: Sequence[SectionFacts]) -> Counter[Knowledge]:
    """How many sections are in which state."""
    return Counter(section.state for section in sections)


def _untrained(facts: Facts) -> Summary:
    failed = facts.runs[-1] if facts.runs else None
    said = f"{facts.title} has not been trained yet, so nothing is known of what it knows."
    if failed is not None:
        said = (
            f"{facts.title} has no version yet: its last training {_ended(failed)}. "
            "So nothing is known of what it knows."
        )
    return Summary("Not trained yet", said, "`dlm train` trains and measures it.", "", "", "", "")


def _ended(run: RunFacts) -> str:
    if run.outcome is RunOutcome.RUNNING:
        return "is under way"
    words = {RunOutcome.INTERRUPTED: "was interrupted", RunOutcome.REFUSED: "was refused"}
    return f"{words.get(run.outcome, 'failed')} ({run.why})"


def _headline(facts: Facts) -> str:
    found = totals(facts.sections)
    taught = sum(found[state] for state in _TAUGHT)
    if not taught:
        return f"{facts.current} is trained; no section of today's text was measured"
    return (
        f"{facts.current} has learned {found[Knowledge.LEARNED]} of its {count(taught, 'section')}"
    )


_TAUGHT = (Knowledge.LEARNED, Knowledge.PARTLY, Knowledge.NOT)


def _knows(facts: Facts) -> str:
    card = facts.card
    assert card is not None
    parts = []
    recall = card.figure("recall", "right")
    if recall.n:
        parts.append(_of(recall, "questions that it was trained on"))
    unseen = card.figure("generalisation", "right")
    if unseen.n:
        parts.append(_of(unseen, _unseen_words(card.of(Kind.EXAM, Kind.HELD_OUT))))
    if parts:
        return f"{facts.current} answers {listed(parts)}."
    return f"{facts.current} was asked no question of this document: it has no pairs."


def _of(figure: Figure, what: str) -> str:
    """`12 of 15 of the questions … (80 %; …)`."""
    sure = f"; {between(figure, percent)}" if figure.low is not None else ""
    return f"{hits(figure)} of {figure.n} {what} ({percent(figure.value or 0.0)}{sure})"


def _unseen_words(kept_apart: Sequence[Item]) -> str:
    if kept_apart:
        return "that it never saw"
    return "of the same questions in other words, which is no exam"


def _lacks(facts: Facts) -> str:
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
    return " ".join(parts) or _nothing_lacks(found)


def _named(pairs: Sequence[PairFacts]) -> str:
    """The first few of the questions, and how many more there are."""
    shown = [f"“{_short(pair.question)}” (line {pair.line})" for pair in pairs[:_NAMED]]
    rest = len(pairs) - len(shown)
    return listed([*shown, f"{rest} more"] if rest else shown)


def _nothing_lacks(found: Counter[Knowledge]) -> str:
    return "Of what was measured, nothing is missing." if found[Knowledge.LEARNED] else ""


def _change_sentence(change: Change) -> str:
    compared = change.compared
    gained, lost, new = len(compared.gained), len(compared.lost), len(compared.learned)
    asked = f"of {count(compared.both, 'question')} asked both times"
    also = f" It also answers {count(new, 'new question')} right." if new else ""
    who = f"The last training ({change.version} after {compared.before})"
    if not compared.both:
        return f"{who} cannot be compared: no question was asked both times.{also}"
    told = f"it gained {gained} and lost {lost} {asked}"
    return f"{who} {_effect(gained, lost)}: {told}{_odds(gained, lost)}.{also}"


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
    """How often chance alone would favour one side as much, one-sided as in `eval.gate`."""
    return mcnemar(max(gained, lost), min(gained, lost))


def _first_training(facts: Facts) -> str:
    card = facts.card
    if card is None:
        return ""
    for group, what in (("recall", "its answers"), ("prose", "its prose")):
        now, base = card.figure(group, "nll"), card.figure(group, "base_nll")
        if now.value is not None and base.value is not None:
            word = "helped" if now.value < base.value else "did not help"
            return (
                f"This is the first version. Against the untrained base, training {word}: the "
                f"loss of {what} went from {base.value:.2f} to {now.value:.2f} nats a token "
                f"(n = {now.n})."
            )
    return "This is the first version, so there is none to compare it with."


def _cost(facts: Facts) -> str:
    assert facts.card is not None
    drift = facts.card.figure("drift", "texts")
    if drift.value is None:
        return ""
    run = next((run for run in reversed(facts.runs) if run.version == facts.current), None)
    bound = run.drift_bound if run else None
    limit = f", within the bound of {bound:g}" if bound is not None else ""
    if bound is not None and drift.value > bound:
        limit = f", beyond the bound of {bound:g}"
    return (
        f"What training cost elsewhere: general text became {signed(drift.value)} nats a token "
        f"harder for it than for the base (n = {drift.n}){limit}."
    )


def _stale(facts: Facts) -> str:
    if facts.fits:
        return ""
    new = sum(section.state is Knowledge.UNMEASURED for section in facts.sections)
    what = f"{count(new, 'section')} not measured yet" if new else "the rest is as it was measured"
    return f"The document was edited since: {what}; `dlm train` teaches and measures it."


def _short(text: str) -> str:
    """A question on one line, without what would turn the rest of the sentence around."""
    line = " ".join(text.translate(_TURNS).split())
    return line if len(line) <= 80 else f"{line[:79]}…"


_TURNS = dict.fromkeys([*range(0x202A, 0x202F), *range(0x2066, 0x206A)])
