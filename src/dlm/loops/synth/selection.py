"""Which of the good candidates are kept: the best of each section, spread over its sentences."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Final

from dlm.loops.proposals import Questions
from dlm.loops.synth.candidates import Candidate, Stage
from dlm.loops.synth.options import Filter, SynthOptions
from dlm.text.terms import content, terms

_FACT: Final = 0.5  # for a name or number that the question does not give away
_ASKS: Final = 0.5  # for a question that can have one answer only
_LOOSE: Final = -1.5  # for one that many sentences would answer
_PRECISE: Final = re.compile(
    r"(?:how (?:many|much|long|often|old|far)|who|where|when|why|which|(?:in|on|at) wh\w+)\b",
    re.IGNORECASE,
)
_VAGUE: Final = re.compile(
    r"what (?:does|do|did|can|may) [^?]* do\?|how (?:is|are|was|were) [^?]{1,24}\?|"
    r"what (?:is|are|was|were) [^?]{1,24}\?",
    re.IGNORECASE,
)


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
    """The judge's score, and what makes a question worth asking."""
    asked = {word.key for word in terms(candidate.question)}
    fact = any(w.is_key_term and w.key not in asked for w in terms(candidate.answer))
    rank = candidate.scores.get("judge", 0.0) + 0.3 * math.log(candidate.votes)
    rank += _FACT if fact else 0.0
    rank += _ASKS if _PRECISE.match(candidate.question) else 0.0
    rank += _LOOSE if _VAGUE.fullmatch(candidate.question) else 0.0
    return rank


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
