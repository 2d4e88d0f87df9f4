"""The whole page: one file that needs nothing else, no network and no script."""

from __future__ import annotations

from typing import Final

from dlm.report.facts import Facts
from dlm.report.html import Html, join, raw, tag, user
from dlm.report.parts.glossary import glossary
from dlm.report.parts.knowledge import knowledge
from dlm.report.parts.overview import overview
from dlm.report.parts.rounds import rounds
from dlm.report.parts.synths import synths
from dlm.report.parts.trainings import trainings
from dlm.report.parts.versions import versions
from dlm.report.style import STYLE
from dlm.report.summary import Summary, summarise
from dlm.report.words import when

GENERATOR: Final = "dlm report"
"""How a page says who made it; only such a file is ever overwritten."""

_POLICY: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
)
_LINKS: Final = (
    ("figures", "Figures"),
    ("map", "Section by section"),
    ("versions", "Did training help?"),
    ("trainings", "Trainings"),
    ("synth", "What teachers wrote"),
    ("rounds", "Rounds"),
    ("words", "Words"),
)


def page(facts: Facts) -> str:
    """The report as HTML."""
    body = tag(
        "body",
        tag("a", "Skip to the report", href="#figures", class_="skip"),
        _header(facts, summarise(facts)),
        tag(
            "main",
            overview(facts),
            knowledge(facts),
            versions(facts),
            trainings(facts),
            synths(facts),
            rounds(facts),
            glossary(),
        ),
        _footer(facts),
    )
    return f"<!doctype html>\n{tag('html', _head(facts), body, lang='en')}\n"


def _head(facts: Facts) -> Html:
    return tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="generator", content=GENERATOR),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        tag("title", f"{facts.title}: what its model knows"),
        raw(f"<style>{STYLE}</style>"),
    )


def _header(facts: Facts, summary: Summary) -> Html:
    links = [tag("li", tag("a", words, href=f"#{name}")) for name, words in _LINKS]
    about = f"base {facts.base} · {when(facts.made_at)}"
    return tag(
        "header",
        tag("p", "What ", user(facts.title), f" knows · {about}", class_="over"),
        tag("h1", summary.headline),
        tag("p", _paragraph(summary), class_="lede", id="summary"),
        tag("nav", tag("ul", links), aria_label="Parts of the report"),
    )


def _paragraph(summary: Summary) -> list[Html]:
    return [join(tag("strong", label), " ", text, " ") for label, text in summary.said]


def _footer(facts: Facts) -> Html:
    from dlm import __version__

    return tag(
        "footer",
        tag("p", "Made by dlm ", __version__, " from ", user(facts.document), " and its store "),
        tag(
            "p", join("id ", facts.dlm_id, ". The page is one file and asks nothing of a network.")
        ),
    )
