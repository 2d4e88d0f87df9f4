"""The judge's scores of all candidates, and the contrasts that come of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Final

from dlm.errors import JudgeError
from dlm.loops.judges import Judge, Question
from dlm.loops.mine.candidates import Candidate, Contrast, Drop, Mined
from dlm.loops.mine.contrast import contrasted, why_not
from dlm.loops.synth.cleaning import clean

_AT_ONCE: Final = 32  # prompts a batch of a judge that is a model

Progress = Callable[[str, int, int], None]


def judged(
    mined: Sequence[Mined], judge: Judge, threshold: float, progress: Progress
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
            progress(f"judging with {judge.name}", len(done), len(mined))
    except JudgeError as error:
        rest = [each.without_contrast("it was not judged") for each in mined[len(done) :]]
        return [*done, *rest], error
    return done, None


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
    texts = _in_order(mined, found)
    row = judge.score(mined.prompt, texts[::-1], reference=mined.answer)
    again = dict(zip(texts[::-1], row, strict=True))
    chosen, rejected = (
        replace(one, score=(one.score + again[one.text]) / 2)
        for one in (found.chosen, found.rejected)
    )
    if not again[chosen.text] > again[rejected.text]:
        return mined.without_contrast("asked in the other order, the judge says otherwise")
    if reason := why_not(mined, chosen, rejected, threshold):
        return mined.without_contrast(f"asked in both orders: {reason}")
    return replace(mined, contrast=Contrast(chosen, rejected))


def _in_order(mined: Mined, found: Contrast) -> list[str]:
    """The two answers in the order in which the judge saw them."""
    pair = {found.chosen.text, found.rejected.text}
    return [text for text in _texts(mined) if text in pair]


def _texts(mined: Mined) -> Iterator[str]:
    yield from dict.fromkeys(one.text for one in mined.left)
