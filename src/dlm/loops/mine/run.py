"""One mining, from a document to an edit plan: sample, judge, compare, plan.

Two answers make a triple by what they say, how long they are, and their scores; English words only.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from dlm.data.lessons import Lesson, lessons_of
from dlm.data.preferences import Balance, balance
from dlm.doc.document import Document
from dlm.doc.provenance import Origin
from dlm.engine.resident import Resident
from dlm.errors import JudgeError, TrainingError
from dlm.loops.edits import Addition, EditPlan, NewTriple
from dlm.loops.judges import Judge, Question, open_judge
from dlm.loops.mine.candidates import (
    AUTHORED,
    Candidate,
    Contrast,
    Drop,
    Mined,
    MineOptions,
    funnel_of,
)
from dlm.loops.mine.sampling import sample
from dlm.loops.proposals import Existing, Funnel, Proposer, run_id
from dlm.loops.teachers import Counts
from dlm.store.database import Database
from dlm.text.cleaning import clean
from dlm.text.terms import content, names_in, terms
from dlm.text.words import normalise
from dlm.working import Tell, told, untold

CHOSEN_FROM: Final = "chosen_from"
REJECTED_FROM: Final = "rejected_from"
_AT_ONCE: Final = 32  # prompts a batch of a judge that is a model
_MOST_TIMES: Final = 2.0  # as long as the other
_FEW_WORDS: Final = 6  # by which lengths may differ in any case


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a mining gave. `balance` is that of the document's triples with the new ones.

    `gave_up` is the error of a judge that could not go on; what it judged before is planned.
    """

    plan: EditPlan
    mined: tuple[Mined, ...]
    funnel: Funnel
    balance: Balance
    counts: tuple[tuple[str, Counts], ...]
    notes: tuple[str, ...] = ()
    gave_up: JudgeError | None = None


def mine(
    document: Document,
    options: MineOptions,
    database: Database,
    tell: Tell = untold,
) -> Outcome:
    """Let the current version answer its questions, judge the answers, and plan the contrasts.

    Raises StoreError for a document that is not trained, and JudgeError, BaseModelError or
    UsageError when the judge or the model to reject cannot be had.
    """
    with Resident.open(document) as resident:
        # Before anything is drawn: a judge that does not exist should not cost minutes.
        judge = open_judge(options.judge, resident, timeout=options.timeout)
        pairs, notes = prompts(document)
        sampled = sample(document, pairs, resident, options, database, tell)
        threshold = judge.margin if options.threshold is None else options.threshold
        found, gave_up = judged(sampled.mined, judge, threshold, tell)
        version = resident.version
    found = _limited(_new(document, found, tell), options.max_pairs)
    funnel = funnel_of(found)
    standing = [triple for section in document.sections for triple in section.triples]
    measured = balance([*standing, *_triples(found)])
    proposer = Proposer(
        run_id("mine", document, version.sha256 if version else "", options),
        Origin.MINED,
        judge.name,
        datetime.now(UTC).replace(microsecond=0),
    )
    plan = proposer.plan(
        document,
        [
            addition_of(each, each.contrast, proposer)
            for each in found
            if each.contrast and each.kept
        ],
        funnel=funnel,
        threshold=threshold,
        reject_from=options.reject_from.value,
        balance=measured.to_json(),
        calls={name: counts.to_json() for name, counts in sampled.counts},
    )
    return Outcome(
        plan,
        tuple(found),
        funnel,
        measured,
        tuple(sampled.counts),
        (*notes, *sampled.notes),
        gave_up,
    )


def prompts(document: Document) -> tuple[list[Lesson], list[str]]:
    """The questions that train, each once, and a note on those that are left out.

    Exam and held-out questions are not among them. Raises DlmError for a document with none.
    """
    existing = Existing(document)
    found: dict[str, Lesson] = {}
    near = 0
    for pair in lessons_of(document).pairs:
        if existing.sealed(pair.question, pair.text):
            near += 1
        else:
            found.setdefault(normalise(pair.question), pair)
    if not found:
        raise TrainingError(
            f"{document.path} has no question to mine",
            hint="write an ::instruction:: section, or let `dlm synth instructions` write some",
        )
    notes = [f"{near} left out: they nearly repeat a question that is only asked"] if near else []
    return list(found.values()), notes


def judged(
    mined: Sequence[Mined], judge: Judge, threshold: float, tell: Tell
) -> tuple[list[Mined], JudgeError | None]:
    """Every prompt with its scores and, where there is one, its contrast.

    A judge that cannot go on leaves the rest without; its error is returned with what it gave.
    """
    done: list[Mined] = []
    # One at a time where a judge may give up, so that what it said before is kept.
    size = _AT_ONCE if judge.repeatable else 1
    try:
        for start in range(0, len(mined), size):
            batch = _scored(mined[start : start + size], judge)
            compared = [contrasted(each, threshold) for each in batch]
            if not judge.repeatable:
                compared = [_asked_again(each, judge, threshold) for each in compared]
            done += compared
            tell(f"judging with {judge.name}", len(done), len(mined))
    except JudgeError as error:
        rest = [each.without_contrast("it was not judged") for each in mined[len(done) :]]
        return [*done, *rest], error
    return done, None


def contrasted(mined: Mined, threshold: float) -> Mined:
    """The prompt with the best and the worst of its answers that may stand against each other."""
    best = sorted((one for one in mined.left if one.better), key=lambda one: -one.score)
    worst = sorted((one for one in mined.left if one.worse), key=lambda one: one.score)
    if reason := _too_few(mined, best, worst, threshold):
        return mined.without_contrast(reason)
    found: list[Contrast] = []
    reasons: list[str] = []
    for chosen in best:
        for rejected in worst:
            reason = _why_not(mined, chosen, rejected, threshold)
            if reason:
                reasons.append(reason)
            else:
                found.append(Contrast(chosen, rejected))
    if not found:
        return mined.without_contrast(reasons[0])
    # An answer about something else teaches less than a wrong one about the same.
    near = [one for one in found if _on_topic(mined, one.rejected.text)]
    return replace(mined, contrast=max(near or found, key=lambda one: one.margin))


def addition_of(mined: Mined, found: Contrast, proposer: Proposer) -> Addition:
    """The preference section of a contrast, behind the section that asks the question."""
    chosen_from = found.chosen.source
    if chosen_from != AUTHORED and normalise(found.chosen.text) == normalise(mined.answer):
        chosen_from = f"{chosen_from}, as authored"
    return proposer.addition(
        _triple(mined, found),
        mined.lesson.section_id,
        after=mined.lesson.section_id,
        scores={
            "chosen": round(found.chosen.score, 4),
            "rejected": round(found.rejected.score, 4),
        },
        extra={CHOSEN_FROM: chosen_from, REJECTED_FROM: found.rejected.source},
    )


def _triple(mined: Mined, found: Contrast) -> NewTriple:
    return NewTriple(mined.prompt, found.chosen.text, found.rejected.text)


def _new(document: Document, mined: Sequence[Mined], tell: Tell) -> list[Mined]:
    """The prompts without contrasts that stand in the document, or that tell its exam."""
    existing = Existing(document)
    found = []
    for each in told("comparing with the document", mined, tell):
        triple = _triple(each, each.contrast) if each.contrast else None
        reason = existing.why_not(triple) if triple else None
        found.append(each.without_contrast(reason) if reason else each)
    return found


def _limited(mined: Sequence[Mined], most: int | None) -> list[Mined]:
    """All prompts, only the `most` contrasts with the widest margins kept."""
    margins = {i: each.contrast.margin for i, each in enumerate(mined) if each.contrast}
    beyond = sorted(margins, key=lambda i: -margins[i])[most:] if most is not None else []
    return [_beyond(each) if i in beyond else each for i, each in enumerate(mined)]


def _beyond(mined: Mined) -> Mined:
    return replace(mined, kept=False, reason="others have a wider margin (--max-pairs)")


def _triples(mined: Iterable[Mined]) -> Iterator[NewTriple]:
    for each in mined:
        if each.contrast and each.kept:
            yield _triple(each, each.contrast)


def _scored(mined: Sequence[Mined], judge: Judge) -> list[Mined]:
    """The prompts with a score for each candidate that is left and for the document's answer.

    A prompt with nothing to compare is not put to the judge.
    """
    questions = {place: _question(each) for place, each in enumerate(mined) if _comparable(each)}
    found = judge.score_all(list(questions.values())) if questions else []
    scores = dict(zip(questions, zip(questions.values(), found, strict=True), strict=True))
    return [
        _with_scores(each, judge, *scores[place]) if place in scores else each
        for place, each in enumerate(mined)
    ]


def _comparable(mined: Mined) -> bool:
    texts = {one.text for one in mined.left}
    return len(texts) > 1 and any(one.worse for one in mined.left)


def _question(mined: Mined) -> Question:
    """All answers to a prompt, that of the document among them."""
    texts = dict.fromkeys([*(one.text for one in mined.left), mined.answer])
    return Question(mined.prompt, tuple(texts), reference=mined.answer)


def _with_scores(mined: Mined, judge: Judge, question: Question, row: Sequence[float]) -> Mined:
    scores = dict(zip(question.candidates, row, strict=True))

    def scored(one: Candidate) -> Candidate:
        score = scores.get(one.text, math.nan)
        if one.dropped:
            return one
        if not math.isfinite(score):
            return one.drop(Drop.JUDGED, "the judge gave no score")
        return replace(one, score=score, why=clean(judge.why(mined.prompt, one.text)))

    candidates = tuple(scored(one) for one in mined.candidates)
    return replace(mined, candidates=candidates, anchor=scores[mined.answer])


def _asked_again(mined: Mined, judge: Judge, threshold: float) -> Mined:
    """The contrast judged once more in the other order, with the mean of both scores.

    Judges favour what they see first, or last.
    """
    found = mined.contrast
    if found is None:
        return mined
    pair = {found.chosen.text, found.rejected.text}  # in the order in which the judge saw them
    texts = [text for text in dict.fromkeys(one.text for one in mined.left) if text in pair]
    row = judge.score(mined.prompt, texts[::-1], reference=mined.answer)
    again = dict(zip(texts[::-1], row, strict=True))
    chosen, rejected = (
        replace(one, score=(one.score + again[one.text]) / 2)
        for one in (found.chosen, found.rejected)
    )
    if not again[chosen.text] > again[rejected.text]:
        return mined.without_contrast("asked in the other order, the judge says otherwise")
    if reason := _why_not(mined, chosen, rejected, threshold):
        return mined.without_contrast(f"asked in both orders: {reason}")
    return replace(mined, contrast=Contrast(chosen, rejected))


def _why_not(mined: Mined, chosen: Candidate, rejected: Candidate, threshold: float) -> str | None:
    """Why these two make no triple, or None."""
    if chosen.text == rejected.text:
        return "all answers are the same"
    if chosen.score < mined.anchor - threshold:
        return (
            f"the best answer scores {chosen.score:.2f}, and the one of the document "
            f"{mined.anchor:.2f}"
        )
    if reason := _same_content(mined.prompt, chosen.text, rejected.text, mined.answer):
        return reason
    long, short = _length(chosen.text), _length(rejected.text)
    if max(long, short) > _MOST_TIMES * min(long, short) and abs(long - short) > _FEW_WORDS:
        return f"the lengths are too different to compare ({long} and {short} words)"
    # A longer answer has to win by more, so that length alone is never what is preferred.
    needed = threshold * max(1.0, long / short)
    if not chosen.score - rejected.score >= needed:
        margin = chosen.score - rejected.score
        return f"the margin is {margin:.2f}, and {needed:.2f} is needed"
    return None


def _same_content(question: str, chosen: str, rejected: str, authored: str) -> str | None:
    """Why the rejected answer is no worse than the others in what it says, or None."""
    asked, better, worse, known = _keys(question, chosen, rejected, authored)
    if worse in (better, known):
        return "the answers differ only in wording"
    said = worse - asked
    if said and said <= (known - asked):
        return "the worst answer says only what the document says"
    return None


def _too_few(
    mined: Mined, best: list[Candidate], worst: list[Candidate], threshold: float
) -> str | None:
    if not best:
        return "no answer of the model is whole" if not mined.left else "no answer can be chosen"
    if not worst or {one.text for one in (*best, *worst)} == {best[0].text}:
        return "all answers are the same"
    if not math.isfinite(mined.anchor):
        return "the judge gave the document's answer no score"
    return None


def _on_topic(mined: Mined, text: str) -> bool:
    """Whether an answer shares a word that means something with the question or its answer."""
    asked, known, said = _keys(mined.prompt, mined.answer, text)
    return bool(said & (asked | known))


def _keys(*texts: str) -> list[frozenset[str]]:
    """Of each text, the words that carry meaning; numbers by their value, others by their stem."""
    names = names_in("\n".join(texts))
    return [frozenset(term.key.lower() for term in content(terms(text, names))) for text in texts]


def _length(text: str) -> int:
    return max(1, len(text.split()))
