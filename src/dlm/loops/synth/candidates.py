"""Candidate pairs: how far each got through the filters, and which of the good ones are kept."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final

from dlm.loops.proposals import Funnel, Questions
from dlm.loops.synth import Filter, Strategy, SynthOptions
from dlm.loops.synth.passages import Source
from dlm.text.terms import content, terms

_NONE: Final[Mapping[str, float]] = MappingProxyType({})


class Stage(StrEnum):
    """The filters, in their order. A candidate that was dropped names the one that dropped it."""

    PARSED = "parsed"
    DEDUP = "dedup"
    GROUNDED = "grounded"
    JUDGED = "judged"
    THRESHOLD = "threshold"
    ACCEPTED = "accepted"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A pair that a teacher proposed: in `votes` of the `tries` it had at one fact, 0 if unknown.

    `sentence` is the one of the source that supports it, `scores` are what the filters measured,
    and `dropped` with `reason` say where its way ended.
    """

    question: str
    answer: str
    source: Source
    strategy: Strategy
    votes: int = 1
    tries: int = 0
    sentence: str = ""
    scores: Mapping[str, float] = field(default_factory=lambda: _NONE, hash=False)
    dropped: Stage | None = None
    reason: str = ""

    def drop(self, stage: Stage, reason: str) -> Candidate:
        return replace(self, dropped=stage, reason=reason)

    def scored(self, **scores: float) -> Candidate:
        return replace(self, scores={**self.scores, **scores})

    def to_json(self) -> dict[str, Any]:
        """Plain JSON, for `--explain --json` and for the staged plan."""
        return {
            "question": self.question,
            "answer": self.answer,
            "section_id": self.source.id,
            "strategy": self.strategy.value,
            "votes": self.votes,
            "sentence": self.sentence,
            "scores": {name: round(score, 4) for name, score in self.scores.items()},
            "dropped": self.dropped.value if self.dropped else None,
            "reason": self.reason,
        }


def funnel_of(candidates: Iterable[Candidate], unparsed: int) -> Funnel:
    """How many were generated, and left after each stage; one proposed twice is generated twice."""
    dropped: Counter[Stage] = Counter()
    total = repeats = 0
    for candidate in candidates:
        total += 1
        repeats += candidate.votes - 1
        if candidate.dropped:
            dropped[candidate.dropped] += 1
    dropped[Stage.DEDUP] += repeats
    remaining = total + repeats
    funnel = Funnel(generated=remaining + unparsed)
    for stage in Stage:
        remaining -= dropped[stage]
        funnel[stage.value] = remaining
    return funnel


def select(candidates: Sequence[Candidate], options: SynthOptions) -> list[Candidate]:
    """Drop, as not accepted, all but the best few of each section and of the run."""
    ranked = {id(one): _rank(one) for one in candidates if not one.dropped}
    order = sorted(
        (at for at, one in enumerate(candidates) if not one.dropped),
        key=lambda at: (-ranked[id(candidates[at])], at),
    )
    out = list(candidates)
    chosen: dict[tuple[str, int], list[Candidate]] = {}
    taken: set[int] = set()
    asked = Questions()
    for second_round in (False, True):
        for at in order:
            one = out[at]
            if one.dropped or at in taken:
                continue
            reason = None
            if options.filter is not Filter.NONE:
                reason = _repeats(one, asked, chosen)
            if reason:
                out[at] = one.drop(Stage.ACCEPTED, reason)
            elif _has_room(one, chosen, options, same_sentence=second_round):
                chosen.setdefault(one.source.key, []).append(one)
                asked.add(one.question, one.answer, f"{one.question!r}")
                taken.add(at)
    return [
        one if one.dropped or at in taken else one.drop(Stage.ACCEPTED, "others are better")
        for at, one in enumerate(out)
    ]


def _rank(candidate: Candidate) -> float:
    """The judge's score, and how often the teacher said it."""
    return candidate.scores.get("judge", 0.0) + 0.3 * math.log(candidate.votes)


def _has_room(
    one: Candidate,
    chosen: dict[tuple[str, int], list[Candidate]],
    options: SynthOptions,
    *,
    same_sentence: bool,
) -> bool:
    """Another sentence first; a second pair on one only where the others gave none."""
    kept = chosen.get(one.source.key, [])
    if options.max_pairs is not None and sum(map(len, chosen.values())) >= options.max_pairs:
        return False
    if len(kept) >= options.per_section:
        return False
    return same_sentence or not one.sentence or all(k.sentence != one.sentence for k in kept)


def _repeats(
    one: Candidate, asked: Questions, chosen: dict[tuple[str, int], list[Candidate]]
) -> str | None:
    where = asked.repeated(one.question, one.answer)
    if where:
        return f"it repeats {where}"
    said = {word.key for word in content(terms(one.answer))}
    for kept in chosen.get(one.source.key, ()):
        other = {word.key for word in content(terms(kept.answer))}
        if one.sentence and said and len(said & other) >= 0.8 * len(said | other):
            return f"it says the same as {kept.question!r}"
    return None
