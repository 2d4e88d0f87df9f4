"""What the teacher of a round is asked, and how varied what it wrote is.

New information each round: another draw, another strategy where they are mixed, the sections that
are not learned first, and pairs that the champion got wrong, with their answer as a hint (STaR,
Zelikman et al., 2022). Exam questions are never used. A teacher that repeats itself, or asks one
kind of question only, starves the next round, and each round trained on such rows makes it worse
(Shumailov et al., 2023).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, Self

from dlm.doc.document import Document
from dlm.doc.sections import SectionType
from dlm.eval.answers import Item, Kind
from dlm.eval.learned_map import State, learned_map
from dlm.eval.scorecard import Scorecard
from dlm.loops.edits import EditPlan, plan_from_json, rebase
from dlm.loops.improve.options import ImproveOptions, is_external
from dlm.loops.synth import Strategy, SynthOptions
from dlm.loops.synth.passages import Evidence, Source, document_topics, sources
from dlm.store.improving import Round, Step
from dlm.text.words import distinct, grams, words

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
        if item.section_id in sections and (evidence := Evidence.of(text, topics)).lines:
            found.append(Source(sections[item.section_id], text, evidence, _HINT + item.line))
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
    own = strategy is Strategy.BACKTRANSLATE and not is_external(teacher)
    refreshes = options.refresh_per_round if own else 0
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


def brings(plan: EditPlan) -> str:
    """What a plan adds, for people: `6 pairs and 5 triples`."""
    triples = sum(bool(one.triples) for one in plan.additions)
    found = [(len(plan.additions) - triples, "pair"), (triples, "triple")]
    told = [f"{number} {noun}{'s' * (number != 1)}" for number, noun in found if number]
    return " and ".join(told) or "nothing"


FEWEST: Final = 4
"""Pairs below which nothing is said about their variety."""

_FEWEST_KINDS: Final = 8
"""Pairs below which nothing is said about how they begin."""

LEAST_DISTINCT: Final = 0.25
MOST_OVERLAP: Final = 0.8
LEAST_TYPES: Final = 1.0
MOST_FALL: Final = 0.5
"""Of the first round's value: what `distinct` and `types` may fall to."""

_SAMPLE: Final = 24


@dataclass(frozen=True, slots=True)
class Diversity:
    """Of `pairs` pairs: `distinct` is distinct-2 (Li et al., 2016), different bigrams by all of
    them; `overlap` the mean, over the questions, of the largest share of trigrams that another
    question has too, as self-BLEU (Zhu et al., 2018) with the best reference; `types` the entropy
    in bits of how questions begin, by their first two words.
    """

    pairs: int
    distinct: float
    overlap: float
    types: float

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        return cls(**{name: data[name] for name in ("pairs", "distinct", "overlap", "types")})

    def __str__(self) -> str:
        return (
            f"{self.pairs} pairs, distinct-2 {self.distinct:.2f}, self-overlap {self.overlap:.2f}, "
            f"question types {self.types:.2f} bits"
        )


def diversity(pairs: Sequence[tuple[str, str]]) -> Diversity:
    """Measure pairs of question and answer.

    Repetition grows with the number of pairs, however varied they are; so `distinct` and `overlap`
    are means over samples of at most 24, each spread over all pairs.
    """
    count = max(1, math.ceil(len(pairs) / _SAMPLE))
    samples = [pairs[at::count] for at in range(count)]
    return Diversity(
        pairs=len(pairs),
        distinct=sum(map(_distinct, samples)) / count,
        overlap=sum(_overlap([words(asked) for asked, _ in one]) for one in samples) / count,
        types=_entropy(_type(question) for question, _ in pairs),
    )


def collapsed(now: Diversity, first: Diversity | None, *, kinds: bool = True) -> str | None:
    """Why improving must stop, with the figures; None while the variety is enough.

    `first` is what the first round of the same strategy found, None in that. Without `kinds` the
    types do not count: requests for a text are all of one kind.
    """
    return "; ".join(_broken(now, first, kinds)) or None


def _broken(now: Diversity, first: Diversity | None, kinds: bool) -> Iterator[str]:
    if now.pairs < FEWEST:
        return
    kinds = kinds and now.pairs >= _FEWEST_KINDS
    if now.distinct < LEAST_DISTINCT:
        yield f"distinct-2 is {now.distinct:.2f}, below {LEAST_DISTINCT:g}: it repeats itself"
    if now.overlap > MOST_OVERLAP:
        yield f"self-overlap is {now.overlap:.2f}, above {MOST_OVERLAP:g}: its questions repeat"
    if kinds and now.types < LEAST_TYPES:
        yield (
            f"question types have {now.types:.2f} bits, below {LEAST_TYPES:g}: "
            "nearly all are of one kind"
        )
    if first is None or first.pairs < FEWEST:
        return
    if now.distinct < MOST_FALL * first.distinct:
        yield f"distinct-2 fell from {first.distinct:.2f} in the first round to {now.distinct:.2f}"
    if kinds and now.types < MOST_FALL * first.types:
        yield f"question types fell from {first.types:.2f} bits to {now.types:.2f}"


def _hint(item: Item) -> str:
    alone = len(item.reference.split()) >= _SHORTEST
    return item.reference if alone else f"{item.question} {item.reference}"


def _distinct(pairs: Sequence[tuple[str, str]]) -> float:
    return distinct([gram for q, a in pairs for gram in grams(words(q) + words(a), 2)])


def _overlap(questions: Sequence[Sequence[str]]) -> float:
    """The mean share of each question's trigrams that stand in the nearest other question."""
    sets = [frozenset(grams(one, 3)) for one in questions]
    holders: dict[tuple[str, ...], list[int]] = {}
    for at, own in enumerate(sets):
        for gram in own:
            holders.setdefault(gram, []).append(at)
    shares = []
    for at, own in enumerate(sets):
        shared = Counter(other for gram in own for other in holders[gram] if other != at)
        shares.append(max(shared.values(), default=0) / len(own) if own else 0.0)
    return sum(shares) / len(shares) if shares else 0.0


def _entropy(kinds: Iterable[str]) -> float:
    counts = Counter(kinds)
    total = sum(counts.values())
    return -sum(n / total * math.log2(n / total) for n in counts.values()) + 0.0 if total else 0.0


def _type(question: str) -> str:
    return " ".join(words(question)[:2])
