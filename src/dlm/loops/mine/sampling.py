"""The questions that are asked, and the answers of each as candidates."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from dlm.data.completion import Completion, Refused, Request
from dlm.data.examples import Example, teaching
from dlm.doc.document import Document
from dlm.doc.render import render_triple
from dlm.engine.resident import Resident, Scored
from dlm.errors import DocumentError, TrainingError
from dlm.eval.answers import normalise, repetition
from dlm.loops.judges.sway import asked
from dlm.loops.mine import voices
from dlm.loops.mine.candidates import AUTHORED, Candidate, Drop, Mined
from dlm.loops.mine.options import MineOptions
from dlm.loops.proposals import Existing
from dlm.loops.synth.cleaning import clean
from dlm.loops.teachers import Cached, Counts
from dlm.loops.teachers.local import LocalTeacher
from dlm.store.database import Database

_MOST_REPEATED: Final = 0.3  # share of word trigrams that stood in the answer before
_FLUENT: Final = 1.0  # nats a token above what the base gives the answer of the document

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and of how much."""


@dataclass(slots=True)
class Sampled:
    """The prompts with their candidates, what was asked for them, and what to tell the owner."""

    mined: list[Mined]
    counts: list[tuple[str, Counts]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def sample(
    document: Document,
    resident: Resident,
    options: MineOptions,
    database: Database,
    progress: Progress,
) -> Sampled:
    """Draw answers of the current version, and of the model that is to be rejected.

    Where that is the current version too, and it says the same each time, it is asked again with
    less of its adapter. What was answered before comes from the store.
    """
    examples, notes = prompts(document)
    sampled = Sampled([Mined(example) for example in examples], notes=notes)
    mined = sampled.mined

    def draw(voice: LocalTeacher, places: Sequence[int], *, better: bool, worse: bool) -> None:
        cached = Cached(voice, database)
        requests = [_request(document, mined[place].prompt, options) for place in places]
        answers = _complete(cached, requests, sampled, progress)
        sampled.counts.append((voice.name, cached.counts))
        for place, texts in zip(places, answers, strict=True):
            roles = Candidate("", voice.name, better, worse)
            mined[place] = _with(mined[place], texts, roles)
        mined[:] = _fluent(mined, voice.name, resident)

    voice = voices.current(document, resident)
    every = range(len(mined))
    with voices.rejected(document, resident, options.reject_from) as other:
        draw(voice, every, better=True, worse=other is None)
        if other is not None:
            draw(other, every, better=False, worse=True)
        for weaker in () if other else voices.weakened(voice):
            if alone := [place for place in every if len(mined[place].left) < 2]:
                draw(weaker, alone, better=False, worse=True)
    alike = sum(len(each.left) < 2 for each in mined)
    if alike and other is None:
        sampled.notes.append(
            f"{alike} of {len(mined)} prompts get one and the same answer whatever the strength of "
            "the adapter; --reject-from base, or a higher --temp, finds others"
        )
    if options.authored:
        mined[:] = [_with_authored(each) for each in mined]
    return sampled


def prompts(document: Document) -> tuple[list[Example], list[str]]:
    """The questions that train, each once, and a note on those that are left out.

    Exam and held-out questions are not among them. Raises DlmError for a document with none.
    """
    existing = Existing(document)
    found: dict[str, Example] = {}
    near = 0
    for pair in teaching(document).pairs:
        if existing.sealed(pair.question or "", pair.text):
            near += 1
        else:
            found.setdefault(normalise(pair.question or ""), pair)
    if not found:
        raise TrainingError(
            f"{document.path} has no question to mine",
            hint="write an ::instruction:: section, or let `dlm synth instructions` write some",
        )
    notes = [f"{near} left out: they nearly repeat a question that is only asked"] if near else []
    return list(found.values()), notes


def _request(document: Document, prompt: str, options: MineOptions) -> Request:
    return Request(
        system=document.frontmatter.system_prompt or "",
        prompt=prompt,
        n=options.samples,
        max_new_tokens=options.max_new_tokens,
        temperature=options.temperature,
        top_p=options.top_p,
        seed=options.seed,
    )


def _complete(
    cached: Cached, requests: Sequence[Request], sampled: Sampled, progress: Progress
) -> list[Sequence[str]]:
    answers: list[Sequence[str]] = [()] * len(requests)
    count = 0

    def done(index: int, texts: Sequence[str]) -> None:
        nonlocal count
        count += 1
        answers[index] = texts
        if isinstance(texts, Refused) and texts.reason not in sampled.notes:
            sampled.notes.append(texts.reason)
        progress(f"asking {cached.name}", count, len(requests))

    cached.complete(requests, done)
    return answers


def _with(mined: Mined, texts: Sequence[str], roles: Candidate) -> Mined:
    """The prompt with these answers among its candidates; those with equal words are one."""
    read = [(_text(text), text) for text in texts]
    times = Counter(_key(text) for text, _ in read)
    known = {_key(one.text) for one in mined.candidates}
    found: dict[str, Candidate] = {}
    for text, raw in read:
        key = _key(text)
        one = replace(roles, text=text, times=times[key])
        if reason := _not_whole(mined.prompt, text, raw):
            found.setdefault(key, one.drop(Drop.WHOLE, reason))
        elif key in known:
            found.setdefault(key, one.drop(Drop.DISTINCT, "another model said so too"))
        elif key not in found or found[key].dropped:
            found[key] = one
    return replace(mined, candidates=(*mined.candidates, *found.values()))


def _with_authored(mined: Mined) -> Mined:
    """The prompt with the document's own answer among those that may be chosen."""
    key = _key(mined.answer)
    others = [one for one in mined.candidates if not (_key(one.text) == key and one.better)]
    own = Candidate(mined.answer, AUTHORED, better=True, worse=False)
    return replace(mined, candidates=(*others, own))


def _not_whole(prompt: str, text: str, raw: str) -> str | None:
    if not text:
        return "it is empty"
    if isinstance(raw, Completion) and not raw.finished:
        return "it was cut off before it ended"
    if repetition(text) > _MOST_REPEATED:
        return "it repeats itself"
    try:
        render_triple(prompt, text, text)
    except DocumentError as error:
        return error.message
    return None


def _fluent(mined: Sequence[Mined], source: str, resident: Resident) -> list[Mined]:
    """The prompts without those answers of a model that the base finds odder than the known one.

    Noise against sense is no contrast to learn from.
    """
    rows = [(each, one) for each in mined for one in each.left if one.source == source]
    answers = [Scored(asked(each.prompt), each.answer) for each in mined]
    said = [Scored(asked(each.prompt), one.text) for each, one in rows]
    losses = [score.nll for score in resident.score([*answers, *said], adapter=False)]
    bounds = dict(zip(map(id, mined), losses, strict=False))
    odd = {
        id(one)
        for (each, one), loss in zip(rows, losses[len(mined) :], strict=True)
        if not loss <= bounds[id(each)] + _FLUENT
    }
    return [
        replace(
            each,
            candidates=tuple(_noise(one) if id(one) in odd else one for one in each.candidates),
        )
        for each in mined
    ]


def _noise(candidate: Candidate) -> Candidate:
    return candidate.drop(Drop.WHOLE, "it is not fluent: the base finds it very unlikely")


def _text(raw: str) -> str:
    return clean(raw).strip()


def _key(text: str) -> str:
    """What answers share that differ in case, punctuation and articles only."""
    return normalise(text) or text
