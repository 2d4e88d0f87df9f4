"""What the teacher of a round is asked: which sections, with which hints, and in how many parts.

New information each round: another draw, another strategy where they are mixed, the sections that
are not learned first, and pairs that the champion got wrong, with their answer as a hint (STaR,
Zelikman et al., 2022). Exam questions are never used.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from dlm.doc.document import Document
from dlm.doc.sections import SectionType
from dlm.eval.items import Item, Kind
from dlm.eval.learned_map import State, learned_map
from dlm.eval.scorecard import Scorecard
from dlm.loops.edits import EditPlan, plan_from_json, rebase
from dlm.loops.improve.options import ImproveOptions
from dlm.loops.synth.grounding import Ground
from dlm.loops.synth.options import Strategy, SynthOptions
from dlm.loops.synth.passages import Source, document_topics, sources
from dlm.store.rounds import Round, Step

PER_SECTION: Final = 4  # pairs kept of what stands under one heading
_CANDIDATES: Final = 8  # requests drawn for one text
_MOST_HINTS: Final = 12
_TRIES: Final = 20  # of a small teacher at a sentence; twice as many find half as many pairs more
_HOTTER: Final = 0.9
_SHORTEST: Final = 4  # words of an answer that says a fact by itself
_HINT: Final = 1_000_000  # parts of a section from which on they are hints: none has so many


def focus(document: Document, card: Scorecard, ordinal: int) -> tuple[str, ...]:
    """The prose sections to ask about: all in the first round, then those not yet learned."""
    all_ = [source.id for source in sources(document)]
    if ordinal == 1:
        return tuple(all_)
    states = {state.section_id: state for state in learned_map(document, card)}
    derived: dict[str, list[str]] = {}
    for section in document.sections:
        if section.provenance and section.provenance.derived_from:
            derived.setdefault(section.provenance.derived_from, []).append(section.section_id)
    open_ = [
        id_
        for id_ in all_
        if any(
            part in states and states[part].state is not State.LEARNED
            for part in (id_, *derived.get(id_, ()))
        )
    ]
    return tuple(open_ or all_)


def hints(document: Document, card: Scorecard) -> tuple[Source, ...]:
    """Each probe, then each other pair, that the champion got wrong, as a text that says it."""
    wrong = [item for item in card.of(Kind.TRAINED) if item.said and not item.said.right]
    wrong.sort(key=lambda item: not item.probe)
    sections = {section.section_id: section for section in document.sections}
    prose = [each for each in document.sections if each.type is SectionType.PROSE]
    topics = document_topics(prose)
    found = []
    for item in wrong[:_MOST_HINTS]:
        text = _hint(item)
        if item.section_id in sections and (ground := Ground.of(text, topics)).lines:
            found.append(Source(sections[item.section_id], text, ground, _HINT + item.line))
    return tuple(found)


def handed_on(document: Document, done: Sequence[Round], name: str) -> EditPlan | None:
    """The pairs of the round before, as those of round `name`: it was refused, but did no harm.

    They were too few to tell; together with new ones they may be enough. None where they do not
    fit the document any more.
    """
    last = done[-1] if done else None
    if last is None or last.step is not Step.REFUSED or not last.facts.get("harmless"):
        return None
    given = plan_from_json(last.facts["plan"]).renamed(name)
    fits = rebase(document, given)
    return None if fits.refusals or fits.present else given


def parts_of(
    sections: Sequence[str], strategy: Strategy, options: ImproveOptions, teacher: str
) -> list[tuple[str, ...]]:
    """The sections in as many parts as there are samplers: one more than it is refreshed.

    Only a teacher of our own can be refreshed by what it was just trained on.
    """
    own = teacher == "base" or teacher.startswith("self")
    refreshes = options.refresh_per_round if strategy is Strategy.BACKTRANSLATE and own else 0
    count = max(1, min(refreshes + 1, len(sections)))
    return [tuple(sections[at::count]) for at in range(count)]


def synth_options(
    strategy: Strategy, sections: Sequence[str], seed: int, ordinal: int, part: int
) -> SynthOptions:
    """How the `part`-th part, from 0, of the `ordinal`-th round of the document is written.

    The first asks about what no pair says; those that follow ask for more ways to say it.
    """
    return SynthOptions(
        strategy=strategy,
        per_section=PER_SECTION,
        seed=1000 * seed + part,
        sections=tuple(sections),
        candidates=_CANDIDATES,
        tries=_TRIES,
        again=ordinal > 1,
        temperature=_HOTTER if ordinal > 1 else None,
    )


def synthetic_pairs(document: Document) -> list[tuple[str, str]]:
    """All pairs of the document that a teacher wrote."""
    return [
        (pair.question, pair.answer)
        for section, pair in document.pairs()
        if section.provenance is not None and section.provenance.origin.value == "synthesized"
    ]


def brings(plan: EditPlan) -> str:
    """What a plan adds, for people: `6 pairs and 5 triples`."""
    triples = sum(bool(one.triples) for one in plan.additions)
    found = [(len(plan.additions) - triples, "pair"), (triples, "triple")]
    told = [f"{number} {noun}{'s' * (number != 1)}" for number, noun in found if number]
    return " and ".join(told) or "nothing"


def funnels(parts: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """The funnels of all parts as one."""
    total: dict[str, int] = {}
    for part in parts:
        for name, count in part["funnel"].items():
            total[name] = total.get(name, 0) + int(count)
    return total


def _hint(item: Item) -> str:
    alone = len(item.reference.split()) >= _SHORTEST
    return item.reference if alone else f"{item.question} {item.reference}"
