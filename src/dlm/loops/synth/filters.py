"""The filter stack: each stage takes the candidates that are left and drops some, saying why.

Likelihood is what the frozen base makes of a pair: whether the answer is likelier with the passage,
and with the question. The second is instruction-following difficulty, IFD (Li et al., 2024, "From
Quantity to Quality"): loss(answer | question) / loss(answer). The form of a pair, English only, is
judged by rules that refused more broken than sound proposals where they were measured.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from dlm.doc.document import Document
from dlm.doc.render import render_pair
from dlm.errors import DocumentError
from dlm.loops.judges import Judge, Question, Sway, SwayJudge
from dlm.loops.proposals import Existing, Questions
from dlm.loops.synth import Filter, Strategy, SynthOptions
from dlm.loops.synth.candidates import Candidate, Stage, select
from dlm.loops.synth.grounding import ASKING, support
from dlm.loops.synth.passages import around
from dlm.text.terms import content, terms
from dlm.text.words import ANAPHORS
from dlm.working import Tell, told, untold

if TYPE_CHECKING:
    from dlm.engine.resident import Resident

_TRIES: Final = 6  # from which on a pair that came up once came up by chance
_LEAST_SUPPORT: Final = 0.3  # nats per token that reading the passage must save
_HARDEST: Final = 0.98  # IFD from which on the question does not help
_EASIEST: Final = 0.08  # IFD below which the answer can only be a copy

_SELF: Final = re.compile(
    r"\b(?:according to|(?:the|this|that|above|given|following) (?:passage|text|paragraph|excerpt|"
    r"document|article|section|context|sentence|author|writer|statement)\b(?! files?\b)|"
    r"mentioned|described (?:here|above|below)|as stated|"
    r"(?:times?|table|list|examples?|figure|steps?|values?|code) (?:below|above)\b)",
    re.IGNORECASE,
)
_VAGUE: Final = re.compile(
    r"what (?:is|are|was|were) true\b|what (?:should|do|can|must) (?:you|i|we|one) know\b|"
    r"what must [^?]{1,40} do\?",
    re.IGNORECASE,
)
_ORPHAN: Final = re.compile(
    r"\b(?:the|this|that|which) (?:\w+ ){0,3}ones?\b(?! (?:another|day|who|that|which))|"
    r"\b(?:the )?(?:first|last|second|third|other|former|latter) (?:two|three|four|ones?)\b",
    re.IGNORECASE,
)
# What a teacher writes that is stopped, or stops itself, in the middle of a sentence.
_BROKEN: Final = re.compile(r"\b(?:a|an|the|and|or|that|which|very)[.?]?\Z", re.IGNORECASE)
_UNCLEAR: Final = ANAPHORS - {"that", "such", "one"}

Check = Callable[[Candidate], str | None]


@dataclass(frozen=True, slots=True)
class Bench:
    """What candidates are measured with: the model, loaded when it is first needed, and a judge.

    `tell` is told how far the measuring is.
    """

    resident: Resident
    judge: Callable[[], Judge]
    tell: Tell = untold


def run_filters(
    candidates: Sequence[Candidate],
    document: Document,
    options: SynthOptions,
    bench: Bench,
) -> list[Candidate]:
    """Every candidate, those that were dropped with their stage and reason; in the given order."""
    exam, asked = Existing(document).sealed, Questions.of(document).repeated
    tell = bench.tell
    left = checked(candidates, Stage.PARSED, _cannot_stand)
    left = checked(left, Stage.DEDUP, lambda one: repeats(exam, one), tell)
    if options.filter is not Filter.NONE:
        left = checked(left, Stage.DEDUP, lambda one: repeats(asked, one), tell)
    if options.filter is Filter.SWAY:
        left = checked(left, Stage.PARSED, lambda one: malformed(one.question, one.answer))
        left = checked(left, Stage.GROUNDED, _by_chance)
        left = [_grounded(one) for one in told("looking for the sources", left, tell)]
        left = _measured(left, bench)
        left = _judged(left, options, bench)
    return select(left, options)


def checked(
    candidates: Sequence[Candidate], stage: Stage, check: Check, tell: Tell = untold
) -> list[Candidate]:
    """The candidates; those that `check` finds fault with are dropped at that stage."""
    return [
        one if one.dropped or (reason := check(one)) is None else one.drop(stage, reason)
        for one in told("comparing with the document", candidates, tell)
    ]


def repeats(held: Callable[[str, str], str | None], candidate: Candidate) -> str | None:
    """Where the pair of a candidate stands already by `held`, as a reason; or None."""
    where = held(candidate.question, candidate.answer)
    return f"it repeats {where}" if where else None


def malformed(question: str, answer: str) -> str | None:
    """Why a question cannot be asked, or a pair cannot stand by itself; None where it can."""
    if not question.endswith("?"):
        return "the question does not end with '?'"
    if not 2 <= len(question.split()) <= 45 or question.count("?") > 2:
        return "the question is too short or too long"
    if ";" in question or ": " in question:
        return "the question runs on"
    if _SELF.search(question) or _SELF.search(answer):
        return "it speaks of the passage instead of its subject"
    if _VAGUE.match(question):
        return "the question asks nothing in particular"
    if _ORPHAN.search(question):
        return "the question points to something it does not name"
    if _BROKEN.search(question) or _BROKEN.search(answer):
        return "the question or the answer breaks off"
    if answer.endswith("?"):
        return "the answer is a question"
    named = False
    for word in terms(question):  # a pronoun with nothing before it that it could stand for
        if word.key in _UNCLEAR and not named:
            return f"the question does not say what {word.text!r} is"
        named = named or (word in content([word]) and word.key not in ASKING)
    return None


def _cannot_stand(candidate: Candidate) -> str | None:
    try:
        render_pair(candidate.question, candidate.answer)
    except DocumentError as error:
        return error.message
    return None


def _by_chance(candidate: Candidate) -> str | None:
    """A teacher that had many tries at one fact says again what it does not make up.

    As in self-consistency (Wang et al., 2022).
    """
    if candidate.tries >= _TRIES and candidate.votes < 2:
        return f"it was written once in {candidate.tries} tries"
    return None


def _grounded(candidate: Candidate) -> Candidate:
    """The candidate with the sentence that supports it, or dropped for want of one."""
    if candidate.dropped:
        return candidate
    evidence = candidate.source.evidence
    if candidate.strategy is Strategy.EXPANSION:
        said = terms(candidate.answer, evidence.names)
        strange = next((w.text for w in said if w.is_key_term and w.key not in evidence.keys), None)
        reason = f"{strange!r} is not in the passage" if strange else None
        return candidate.drop(Stage.GROUNDED, reason) if reason else candidate
    found = support(evidence, candidate.question, candidate.answer)
    candidate = replace(candidate, sentence=found.sentence).scored(coverage=found.coverage)
    return candidate if found.reason is None else candidate.drop(Stage.GROUNDED, found.reason)


def _measured(candidates: Sequence[Candidate], bench: Bench) -> list[Candidate]:
    """Likelihood: does the passage support the answer, does the question help with it?"""
    from dlm.engine.resident import Scored

    out = list(candidates)
    alive = [at for at, one in enumerate(out) if not one.dropped]
    if alive:
        judge = SwayJudge(bench.resident)
        judge.tell = bench.tell
        swayed = judge.sway([_question(out[at]) for at in alive])
        answers = [Scored(None, out[at].answer) for at in alive]
        plain = bench.resident.score(answers, adapter=False, tell=bench.tell)
        for at, row, answer in zip(alive, swayed, plain, strict=True):
            out[at] = _weighed(out[at], row[0], answer.nll)
    return out


def _weighed(candidate: Candidate, sway: Sway, plain: float) -> Candidate:
    """With the losses of its answer, in nats a token: `plain` is that without the question."""
    difficulty = sway.alone / plain if plain > 0 else math.nan
    named = {"support": sway.support, "lift": sway.lift, "ifd": difficulty}
    candidate = candidate.scored(**{k: v for k, v in named.items() if math.isfinite(v)})
    expands = candidate.strategy is Strategy.EXPANSION
    if not expands and (reason := _ungrounded(sway.support)):
        return candidate.drop(Stage.GROUNDED, reason)
    if reason := _too_easy_or_hard(difficulty):
        return candidate.drop(Stage.JUDGED, reason)
    return candidate.scored(sway=sway.score) if math.isfinite(sway.score) else candidate


def _ungrounded(support: float) -> str | None:
    """Why the base does not find the answer in the passage, or None."""
    if math.isnan(support):
        return "it is too long to be scored"
    if support < _LEAST_SUPPORT:
        return f"the passage makes the answer likelier by {support:.2f} nats a token only"
    return None


def _too_easy_or_hard(difficulty: float) -> str | None:
    """Why the pair would teach nothing, or None."""
    if math.isnan(difficulty):
        return "it is too long to be scored"
    if difficulty >= _HARDEST:
        return f"the question does not help with the answer (IFD {difficulty:.2f})"
    if difficulty < _EASIEST:
        return f"the answer copies the question (IFD {difficulty:.2f})"
    return None


def _judged(
    candidates: Sequence[Candidate], options: SynthOptions, bench: Bench
) -> list[Candidate]:
    """The judge's score, where it is not the one measured already, and the threshold."""
    out = list(candidates)
    alive = [at for at, one in enumerate(out) if not one.dropped]
    if not alive:
        return out
    judge = bench.judge()
    judge.tell = bench.tell
    threshold = judge.threshold if options.threshold is None else options.threshold
    if judge.name == "sway":
        scores = [out[at].scores.get("sway", math.nan) for at in alive]
    else:
        scores = [row[0] for row in judge.score_all([_question(out[at]) for at in alive])]
    for at, score in zip(alive, scores, strict=True):
        out[at] = _passed(out[at], score, threshold)
    return out


def _passed(candidate: Candidate, score: float, threshold: float) -> Candidate:
    if not math.isfinite(score):
        return candidate.drop(Stage.JUDGED, "the judge gave no score")
    candidate = candidate.scored(judge=score)
    if score < threshold:
        return candidate.drop(Stage.THRESHOLD, f"its score {score:.2f} is below {threshold:g}")
    return candidate


def _question(candidate: Candidate) -> Question:
    """The pair with the paragraph that it rests on; an expansion is not expected to rest on one."""
    expands = candidate.strategy is Strategy.EXPANSION
    passage = None if expands else around(candidate.source.evidence, candidate.sentence)
    return Question(candidate.question, (candidate.answer,), passage=passage)
