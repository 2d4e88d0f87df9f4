"""What teachers wrote: the funnel of each synthesis, with some candidates of each fate."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from dlm.report.charts import bars
from dlm.report.facts import Facts, SynthFacts
from dlm.report.html import Html, join, tag, user
from dlm.report.parts.frame import behind, figure, missing, part
from dlm.report.words import count, when

_MOST = 8  # syntheses that are drawn
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
    shown = list(reversed(facts.synths))[:_MOST]
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
