"""Rounds of improvement with their verdicts, what teachers wrote, every teacher that served."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from dlm.report.charts import bars, meter
from dlm.report.facts import Facts, Knowledge, RoundFacts, SynthFacts
from dlm.report.html import Html, behind, chip, figure, join, missing, part, table, tag, user
from dlm.report.summary import last_round
from dlm.report.words import count, plain, signed, when
from dlm.store.improving import Step

_MOST: Final = 12  # rounds that are told of
_STANDS: Final = {
    Step.PROMOTED.value: Knowledge.LEARNED,
    Step.REFUSED.value: Knowledge.NOT,
}


def rounds(facts: Facts) -> Html:
    """The part about `dlm improve`."""
    title = "Rounds of improvement, and teachers"
    told = list(reversed(facts.rounds))[:_MOST]
    rest = len(facts.rounds) - len(told)
    more = tag("p", f"{count(rest, 'earlier round')} not shown.", class_="soft") if rest else None
    cards = tag("div", [_round(one) for one in told], class_="grid")
    none = "No round of dlm improve is on record."
    shown = join(cards, more) if told else missing(none)
    return part("rounds", title, last_round(facts) or None, shown, _teachers(facts))


def _round(one: RoundFacts) -> Html:
    against = f"{one.champion} against {one.challenger or 'a challenger to come'}"
    new = f", {one.brings} more" if one.brings is not None else ""
    return tag(
        "div",
        tag(
            "div",
            tag("h3", user(one.name), style="flex:1"),
            chip(_STANDS.get(one.step, Knowledge.UNMEASURED), one.step),
            style="display:flex;gap:.6rem;align-items:baseline",
        ),
        tag(
            "p", when(one.started_at), ", written by ", user(one.teacher), f", {one.strategy}{new}"
        ),
        tag("p", against, class_="soft"),
        list(_scores(one)),
        _difference(one),
        _checks("Why not", one.reasons, "down"),
        _checks("What holds", one.met, "up"),
        _diversity(one),
        class_="card",
    )


def _scores(one: RoundFacts) -> Iterator[Html]:
    for who, score in one.scores.items():
        value = plain(score.value or 0.0)
        words = f"{who}: {value} overall on the exam, n = {score.n}"
        yield tag("p", words, style="margin:.6rem 0 0")
        yield meter(score, words)


def _difference(one: RoundFacts) -> Html | None:
    figure = one.difference
    if figure is None:
        return None
    between = ""
    if figure.low is not None and figure.high is not None:
        between = f" ({signed(figure.low)} to {signed(figure.high)} with 90 % confidence)"
    odds = f", p = {one.p:.2g}" if one.p is not None else ""
    text = f"Challenger minus champion: {signed(figure.value or 0.0)}{between}{odds}."
    return tag("p", text, class_="why")


def _checks(name: str, texts: Sequence[str], class_: str) -> Html | None:
    if not texts:
        return None
    items = [tag("li", user(text), class_=class_) for text in texts]
    return join(tag("h4", name), tag("ul", items, class_="gain"))


def _diversity(one: RoundFacts) -> Html | None:
    if not one.diversity:
        return None
    names = {"distinct": "distinct-2", "overlap": "self-overlap", "types": "question types (bits)"}
    told = [
        f"{words} {plain(one.diversity[key])}"
        for key, words in names.items()
        if key in one.diversity
    ]
    return tag("p", f"Variety of what was written: {', '.join(told)}.", class_="soft small")


def _teachers(facts: Facts) -> Html:
    heading = tag("h3", "Teachers", style="margin:2rem 0 .6rem;font-size:1.2rem")
    if not facts.teachers:
        text = "No teacher history: teachers are kept from the first dlm improve on."
        return join(heading, missing(text))
    rows = [
        [
            str(one.number),
            join(user(one.spec), " (serves now)" if one.number == facts.teacher else ""),
            when(one.at),
            user(one.why),
            f"{plain(one.score)} (n = {one.asked})" if one.score is not None else "–",
        ]
        for one in reversed(facts.teachers)
    ]
    head = ["no.", "teacher", "since", "why", "score on the exam"]
    return join(heading, table("Newest first.", head, rows, 1))


_MOST_SYNTHS = 8  # syntheses that are drawn
_LONG = 300  # characters of a sample

_STAGES = {
    "generated": "written by the teacher",
    "parsed": "readable as a question and an answer",
    "dedup": "not said before",
    "grounded": "supported by the text",
    "judged": "found worth asking",
    "threshold": "good enough",
    "accepted": "kept",
}
_DROPPED = {
    "parsed": "not readable",
    "dedup": "said before",
    "grounded": "not supported by the text",
    "judged": "not worth asking",
    "threshold": "not good enough",
    "accepted": "others of the section were better",
}


def synths(facts: Facts) -> Html:
    """The part about synthesis."""
    title = "What teachers wrote"
    if not facts.synths:
        text = "No synthesis is on record: no teacher has written pairs for this document."
        return part("synth", title, None, missing(text))
    lead = "How many of a teacher's pairs were left after each filter, and what became of them."
    shown = list(reversed(facts.synths))[:_MOST_SYNTHS]
    rest = len(facts.synths) - len(shown)
    more = tag("p", f"{count(rest, 'earlier run')} not shown.", class_="soft") if rest else None
    return part(
        "synth", title, lead, tag("div", [_synth(one) for one in shown], class_="grid"), more
    )


def _synth(synth: SynthFacts) -> Html:
    run = synth.run
    funnel = run.note.get("funnel")
    rows = [
        (_STAGES.get(str(name), str(name)), number)
        for name, number in (funnel.items() if isinstance(funnel, Mapping) else ())
        if isinstance(number, int)
    ]
    title = f"Candidates of {run.run}, stage by stage"
    how = ", ".join(str(run.note[key]) for key in ("strategy",) if key in run.note)
    about = join(
        tag(
            "p",
            "by ",
            user(run.teacher),
            f", {when(run.made_at)}{', ' + how if how else ''}",
            class_="soft",
        ),
        tag("p", _fate(synth), style="margin-bottom:1.1rem"),
    )
    chart = bars(title, rows) if rows else missing("The funnel of this run is not on record.")
    return tag(
        "div", figure(run.run, join(about, chart), _samples(run.samples)), style="min-width:0"
    )


def _fate(synth: SynthFacts) -> str:
    planned = count(synth.run.planned, "pair")
    if synth.staged:
        return f"{synth.staged} of {planned} wait to be applied."
    if synth.standing:
        edited = f", {synth.edited} of them edited since" if synth.edited else ""
        return f"{synth.standing} of {planned} stand in the document{edited}."
    if synth.reverted_at:
        return f"Its {planned} were taken back {when(synth.reverted_at)}."
    if synth.applied_at:
        return f"Its {planned} were applied, and stand in the document no more."
    if not synth.run.planned:
        return "It kept none."
    return f"It kept {planned}, only shown or discarded since."


def _samples(samples: tuple[Mapping[str, Any], ...]) -> Html | None:
    if not samples:
        return None
    kept = [one for one in samples if not one.get("dropped")]
    dropped = [one for one in samples if one.get("dropped")]
    shown = [tag("ul", list(_sampled(group)), class_="gain") for group in (kept, dropped) if group]
    return behind(f"{count(len(samples), 'sample')}, kept and dropped", *shown)


def _sampled(samples: list[Mapping[str, Any]]) -> Iterator[Html]:
    for one in samples:
        stage = one.get("dropped")
        word = f"Dropped, {_DROPPED.get(str(stage), str(stage))}" if stage else "Kept"
        reason = str(one.get("reason") or "")
        yield tag(
            "li",
            tag("b", f"{word}: "),
            user(str(one.get("question", "")), _LONG),
            tag("p", user(str(one.get("answer", "")), _LONG), class_="qa"),
            tag("p", user(reason, _LONG), class_="soft small", style="margin:0")
            if reason
            else None,
            class_="down" if stage else "up",
        )
