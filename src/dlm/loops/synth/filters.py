"""The filter stack: each stage takes the candidates that are left and drops some, saying why."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from dlm.doc.document import Document
from dlm.doc.render import render_pair
from dlm.errors import DocumentError
from dlm.loops.judges import Judge, Question
from dlm.loops.proposals import Existing, Questions
from dlm.loops.synth import form, form_in_source
from dlm.loops.synth.candidates import Candidate, Stage
from dlm.loops.synth.likelihood import (
    Measured,
    measure,
    passage_of,
    too_easy_or_hard,
    ungrounded,
)
from dlm.loops.synth.options import Filter, Strategy, SynthOptions
from dlm.loops.synth.selection import select
from dlm.loops.synth.spelling import as_written
from dlm.text.terms import terms

if TYPE_CHECKING:
    from dlm.engine.resident import Resident

_TRIES: Final = 6  # from which on a pair that came up once came up by chance

Check = Callable[[Candidate], str | None]


@dataclass(frozen=True, slots=True)
class Bench:
    """What candidates are measured with: the model, loaded when it is first needed, and a judge."""

    resident: Resident
    judge: Callable[[], Judge]


def run_filters(
    candidates: Sequence[Candidate],
    document: Document,
    options: SynthOptions,
    bench: Bench,
) -> list[Candidate]:
    """Every candidate, those that were dropped with their stage and reason; in the given order."""
    exam, asked = Existing(document).sealed, Questions.of(document).repeated
    left = _checked(candidates, Stage.PARSED, _cannot_stand)
    left = _checked(left, Stage.DEDUP, lambda one: _repeats(exam, one))
    if options.filter is not Filter.NONE:
        left = _checked(left, Stage.DEDUP, lambda one: _repeats(asked, one))
    if options.filter is Filter.SWAY:
        left = [one if one.dropped else _as_written(one) for one in left]
        left = _checked(left, Stage.PARSED, lambda one: form.malformed(one.question, one.answer))
        left = _checked(left, Stage.GROUNDED, _by_chance)
        left = [_grounded(one) for one in left]
        left = _measured(left, bench)
        left = _judged(left, options, bench)
    return select(left, options)


def _checked(candidates: Sequence[Candidate], stage: Stage, check: Check) -> list[Candidate]:
    return [
        one if one.dropped or (reason := check(one)) is None else one.drop(stage, reason)
        for one in candidates
    ]


def _cannot_stand(candidate: Candidate) -> str | None:
    try:
        render_pair(candidate.question, candidate.answer)
    except DocumentError as error:
        return error.message
    return None


def _as_written(candidate: Candidate) -> Candidate:
    question, answer = (
        as_written(text, candidate.source.text) for text in (candidate.question, candidate.answer)
    )
    return replace(candidate, question=question, answer=answer)


def _by_chance(candidate: Candidate) -> str | None:
    """A teacher that had many tries at one fact says again what it does not make up.

    As in self-consistency (Wang et al., 2022).
    """
    if candidate.tries >= _TRIES and candidate.votes < 2:
        return f"it was written once in {candidate.tries} tries"
    return None


def _repeats(held: Callable[[str, str], str | None], candidate: Candidate) -> str | None:
    where = held(candidate.question, candidate.answer)
    return f"it repeats {where}" if where else None


def _grounded(candidate: Candidate) -> Candidate:
    """The candidate with the sentence that supports it, or dropped for want of one."""
    if candidate.dropped:
        return candidate
    ground = candidate.source.ground
    if candidate.strategy is Strategy.EXPANSION:
        said = terms(candidate.answer, ground.names)
        strange = next((w.text for w in said if w.is_key_term and w.key not in ground.keys), None)
        reason = f"{strange!r} is not in the passage" if strange else None
        return candidate.drop(Stage.GROUNDED, reason) if reason else candidate
    support = ground.support(candidate.question, candidate.answer)
    candidate = replace(candidate, sentence=support.sentence).scored(coverage=support.coverage)
    if not support.holds:
        return candidate.drop(Stage.GROUNDED, support.reason or "")
    reason = form_in_source.misshapen(candidate.question, candidate.answer, support)
    return candidate.drop(Stage.GROUNDED, reason) if reason else candidate


def _measured(candidates: Sequence[Candidate], bench: Bench) -> list[Candidate]:
    """Likelihood: does the passage support the answer, does the question help with it?"""
    alive = [one for one in candidates if not one.dropped]
    found = dict(zip(map(id, alive), measure(bench.resident, alive), strict=True)) if alive else {}
    return [_weighed(one, found[id(one)]) if id(one) in found else one for one in candidates]


def _weighed(candidate: Candidate, measured: Measured) -> Candidate:
    sway = measured.sway
    named = {"support": sway.support, "lift": sway.lift, "ifd": measured.difficulty}
    candidate = candidate.scored(**{k: v for k, v in named.items() if math.isfinite(v)})
    if candidate.strategy is not Strategy.EXPANSION and (reason := ungrounded(candidate, measured)):
        return candidate.drop(Stage.GROUNDED, reason)
    reason = too_easy_or_hard(measured)
    if reason:
        return candidate.drop(Stage.JUDGED, reason)
    return candidate.scored(sway=sway.score) if math.isfinite(sway.score) else candidate


def _judged(
    candidates: Sequence[Candidate], options: SynthOptions, bench: Bench
) -> list[Candidate]:
    """The judge's score, where it is not the one measured already, and the threshold."""
    alive = [one for one in candidates if not one.dropped]
    if not alive:
        return list(candidates)
    judge = bench.judge()
    threshold = judge.threshold if options.threshold is None else options.threshold
    scores = (
        [one.scores.get("sway", math.nan) for one in alive]
        if judge.name == "sway"
        else [row[0] for row in judge.score_all([_question(one) for one in alive])]
    )
    given = {id(one): score for one, score in zip(alive, scores, strict=True)}
    return [
        _passed(one, given[id(one)], threshold) if id(one) in given else one for one in candidates
    ]


def _passed(candidate: Candidate, score: float, threshold: float) -> Candidate:
    if not math.isfinite(score):
        return candidate.drop(Stage.JUDGED, "the judge gave no score")
    candidate = candidate.scored(judge=score)
    if score < threshold:
        return candidate.drop(Stage.THRESHOLD, f"its score {score:.2f} is below {threshold:g}")
    return candidate


def _question(candidate: Candidate) -> Question:
    return Question(candidate.question, (candidate.answer,), passage=passage_of(candidate))
